# SPDX-License-Identifier: Apache-2.0
"""Groups in the snapshot (GRP). The root group is the PBX itself: the one without a parent (PBX-1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final

from msgspec import Meta

from engine.sdk import N_, Branch, IdOf, Method, Part, Ref, SoundElement, To

METHODS: Final[Mapping[Method, str]] = {
    "SEQUENTIAL": N_("Sequential from the first"),
    "BY_USER": N_("Simultaneous by users"),
    "ALL_AT_ONCE": N_("Simultaneous (full)"),
    "RANDOM": N_("Random"),
    "NONE": N_("No ringing"),
}


class Group(Branch, frozen=True, kw_only=True):
    kind: ClassVar[str] = "groups.group"
    noun: ClassVar[str] = N_("Group")
    by_title: ClassVar[bool] = True
    greeting: Annotated[Ref | None, To(SoundElement), Meta(title="Greeting file")] = None
    method: Annotated[Method, Meta(title="Distribution method", extra={"words": METHODS})] = "SEQUENTIAL"
    music: Annotated[Ref | None, To(SoundElement), Meta(title="Music instead of ringback")] = None
    attempts: Annotated[int, Meta(title="Number of attempts")] = 1
    pause_seconds: Annotated[int, Meta(title="Pause between attempts")] = 5
    phrase: Annotated[Ref | None, To(SoundElement), Meta(title="Phrase between attempts")] = None
    missed_emails: Annotated[tuple[str, ...], Meta(title="E-mail for missed-call alerts")] = ()
    missed_chats: Annotated[tuple[int, ...], IdOf("telegram.chat"), Meta(title="Telegram chats for missed-call alerts")] = ()
    no_answer: Annotated[Ref | None, Meta(title="No-answer action")] = None
    falls_back: ClassVar[bool] = True

    def fallback(self) -> Ref | None:
        return self.no_answer

    def place_of(self, user: int) -> int | None:
        return next((m.place for m in self.members if m.user == user), None)


class GroupsPart(Part, frozen=True, kw_only=True):
    groups: tuple[Group, ...] = ()
