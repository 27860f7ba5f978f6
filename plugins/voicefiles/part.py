# SPDX-License-Identifier: Apache-2.0
"""Voice files in the snapshot (DIR-2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final

from msgspec import Meta

from engine.sdk import N_, Part, SoundElement

PHRASE: Final = "voicefiles.phrase"
"""The target that plays a file, by the file's id (ACT-8)."""


class VoiceFile(SoundElement, frozen=True, kw_only=True):
    """`path` is the telephone WAV below the media root; `original` what was uploaded, kept beside it."""

    kind: ClassVar[str] = "voicefiles.file"
    noun: ClassVar[str] = N_("Voice file")
    by_title: ClassVar[bool] = True
    bytes: Annotated[int, Meta(title="Size, bytes")] = 0


class VoicefilesPart(Part, frozen=True, kw_only=True):
    places: ClassVar[Mapping[str, str]] = {PHRASE: VoiceFile.kind}
    files: tuple[VoiceFile, ...] = ()
