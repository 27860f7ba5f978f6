# SPDX-License-Identifier: Apache-2.0
"""The phrases of CallOut in the snapshot (CO-3): at most one element an account; without it everything is said by built-in phrases."""

from __future__ import annotations

from typing import Annotated, ClassVar

from msgspec import Meta

from engine.sdk import N_, Element, Part, Ref, Snapshot, SoundElement, To


class CallOutPhrases(Element, frozen=True, kw_only=True):
    kind: ClassVar[str] = "callout.phrases"
    noun: ClassVar[str] = N_("Phrases of CallOut")
    title: str = "CallOut"
    enter_number: Annotated[Ref | None, To(SoundElement), Meta(title="Entering the number")] = None
    bad_number: Annotated[Ref | None, To(SoundElement), Meta(title="Wrong number")] = None
    enter_pin: Annotated[Ref | None, To(SoundElement), Meta(title="Entering the PIN")] = None
    bad_pin: Annotated[Ref | None, To(SoundElement), Meta(title="Wrong PIN")] = None


class CallOutPart(Part, frozen=True, kw_only=True):
    phrases: tuple[CallOutPhrases, ...] = ()


def phrases_of(snapshot: Snapshot) -> CallOutPhrases:
    part = snapshot.part("callout", CallOutPart)
    return part.phrases[0] if part is not None and part.phrases else CallOutPhrases(id=0)
