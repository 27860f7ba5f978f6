# SPDX-License-Identifier: Apache-2.0
"""Sound files in and out: anything people upload becomes telephone WAV (8 kHz, mono, 16 bit); recordings become MP3 or OGG for chats."""

from __future__ import annotations

import logging
from pathlib import Path

import imageio_ffmpeg

from engine.errors import Refused
from engine.i18n import N_
from engine.sound.program import run

log = logging.getLogger(__name__)
CONVERSION_LIMIT_SECONDS = 120


async def to_telephone(source: Path, target: Path) -> None:
    """Any sound file → 8 kHz mono PCM WAV. Raises Refused when it is no sound."""
    await _ffmpeg(source, target, "-ac", "1", "-ar", "8000", "-c:a", "pcm_s16le", "-f", "wav")


async def to_mp3(source: Path, target: Path) -> None:
    """A recording for players that want MP3 (channels kept)."""
    await _ffmpeg(source, target, "-c:a", "libmp3lame", "-q:a", "5", "-f", "mp3")


async def to_voice_message(source: Path, target: Path) -> None:
    """OGG/Opus, as Telegram shows voice messages."""
    await _ffmpeg(source, target, "-ac", "1", "-c:a", "libopus", "-b:a", "24k", "-f", "ogg")


async def _ffmpeg(source: Path, target: Path, *options: str) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".part")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-v", "error", "-y", "-i", str(source), "-vn", *options, str(partial)]
    try:
        code, complaint = await run(*command, seconds=CONVERSION_LIMIT_SECONDS)
    except TimeoutError:
        partial.unlink(missing_ok=True)
        raise Refused(N_("The conversion took too long.")) from None
    if code != 0:
        partial.unlink(missing_ok=True)
        log.info("%s can't be converted: %s", source, complaint)
        raise Refused(N_("This is not a sound file, or it is damaged."))
    partial.replace(target)
