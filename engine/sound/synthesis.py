# SPDX-License-Identifier: Apache-2.0
"""Speech from text by whatever speaks Russian on this machine; used for prompts and for voice files made from text (DIR-2)."""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path

from engine.errors import Refused
from engine.i18n import N_
from engine.sound.program import run

log = logging.getLogger(__name__)
MAX_CHARACTERS = 5000
SPEECH_LIMIT_SECONDS = 120


def synthesizer() -> str | None:
    """The program that would speak: festival with its Russian voice sounds human, espeak-ng robotic; None without both."""
    if shutil.which("text2wave"):
        return "festival"
    return "espeak-ng" if shutil.which("espeak-ng") else None


async def speak(text: str, target: Path) -> None:
    """Write `text` (Russian) as 8 kHz mono WAV. Raises Refused when nothing here can speak, the text is too long, or it takes too long."""
    program = synthesizer()
    if program is None:
        raise Refused(N_("Speech synthesis is not installed on this server (festival with festvox-ru, or espeak-ng)."))
    clean = " ".join(text.split())
    if not clean or len(clean) > MAX_CHARACTERS:
        raise Refused(N_("Enter a text of at most {limit} characters."), limit=MAX_CHARACTERS)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "text.txt", Path(folder) / "made.wav"
        source.write_text(clean + "\n", "utf-8")
        if program == "festival":
            command = ["text2wave", "-eval", "(voice_msu_ru_nsh_clunits)", "-F", "8000", "-o", str(made), str(source)]
        else:
            command = ["espeak-ng", "-v", "ru", "-w", str(made), "-f", str(source)]
        try:
            code, complaint = await run(*command, seconds=SPEECH_LIMIT_SECONDS)
        except TimeoutError:
            raise Refused(N_("Speaking the text took too long.")) from None
        if code != 0 or not made.exists():
            log.warning("%s could not speak: %s", program, complaint)
            raise Refused(N_("The text could not be spoken."))
        if program == "festival":
            shutil.copyfile(made, target)
        else:
            from engine.sound.conversion import to_telephone

            await to_telephone(made, target)
