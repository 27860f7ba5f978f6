# SPDX-License-Identifier: Apache-2.0
"""The built-in prompts: WAV files beside this module, copied below the media root at start so that any switch can read them."""

from __future__ import annotations

import shutil
import wave
from pathlib import Path

FOLDER = Path(__file__).parent


def install(media_root: Path) -> None:
    """Copy prompts that are new or changed to `media_root`/prompts, music on hold to `media_root`/moh."""
    for source in FOLDER.rglob("*.wav"):
        place = source.relative_to(FOLDER)
        copy = media_root / (place if place.parts[0] == "moh" else Path("prompts") / place)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if not copy.exists() or copy.stat().st_size != source.stat().st_size:
            partial = copy.with_suffix(".part")
            shutil.copyfile(source, partial)
            partial.replace(copy)


def seconds_of(path: str) -> float:
    """The length of a built-in sound by its path below the media root ("prompts/….wav", "moh/….wav"). OSError when there is none."""
    with wave.open(str(FOLDER / path.removeprefix("prompts/")), "rb") as file:
        return round(file.getnframes() / file.getframerate(), 1)
