# SPDX-License-Identifier: Apache-2.0
"""A plugin as small as one can be, for the tests of revisions: boxes that hold people and other boxes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from engine.snapshot import Attached, Element, Finding, Part, Ref, Snapshot


class Box(Element, frozen=True, kw_only=True):
    kind: ClassVar[str] = "sample.box"
    holds: tuple[Ref, ...] = ()
    size: int = 1


class Note(Attached, frozen=True, kw_only=True):
    kind: ClassVar[str] = "sample.note"
    text: str = ""


class SamplePart(Part, frozen=True, kw_only=True):
    boxes: tuple[Box, ...] = ()
    notes: tuple[Note, ...] = ()


def check(part: SamplePart, whole: Snapshot) -> Iterable[Finding]:
    for box in part.boxes:
        if box.size < 1:
            yield Finding("error", box.ref, "The box {title} has no size.", {"title": box.title})
        if box.size > 100:
            yield Finding("warning", box.ref, "The box {title} is very big.", {"title": box.title})
