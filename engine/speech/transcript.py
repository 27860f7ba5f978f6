# SPDX-License-Identifier: Apache-2.0
"""The transcript of a sound file, made aside by a worker process."""

from __future__ import annotations

from pathlib import Path

from engine.heavy import heavily
from engine.settings import Settings
from engine.speech.vosk_model import hear


async def transcribe(settings: Settings, sound: Path) -> str:
    """What is said in a mono WAV; "" when nothing was understood. Raises Refused in one sentence, OSError; `speech.model` must be set."""
    found = await heavily(hear, settings.speech.model, str(sound))
    return str(found["text"])
