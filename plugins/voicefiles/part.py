# SPDX-License-Identifier: Apache-2.0
"""Voice files in the snapshot (DIR-2)."""

from __future__ import annotations

from typing import ClassVar

from engine.sdk import Part, SoundElement


class VoiceFile(SoundElement, frozen=True, kw_only=True):
    """`path` is the telephone WAV below the media root; `original` what was uploaded, kept beside it."""

    kind: ClassVar[str] = "voicefiles.file"
    original: str = ""
    bytes: int = 0


class VoicefilesPart(Part, frozen=True, kw_only=True):
    files: tuple[VoiceFile, ...] = ()
