# SPDX-License-Identifier: Apache-2.0
"""Choices every place offers that need no plugin: hang up, do nothing, repeat, an internal number (ACT-3 to ACT-6)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from engine.calls.call import Call, Step
from engine.calls.causes import CALL_REJECTED, NORMAL_CLEARING
from engine.facts.distribution import Served
from engine.i18n import N_
from engine.routing.action import Choice, Entry, Forward, Hangup, Missed, Nesting, Outcome, Place
from engine.snapshot import EXTENSION, Ref, Snapshot, Target

HANGUP: Final = Ref("core.hangup", 0)
NOTHING: Final = Ref("core.nothing", 0)
"""“Ничего не делать”: a menu ignores the key; a group has failed (R2)."""
REPEAT: Final = Ref("core.repeat", 0)
"""“Повтор”: the menu's file again, or the distribution once more. The element itself carries it out."""


class HangUp:
    """«Разрыв связи»: the call is over by the customer's own wish; missed only if a group had failed before (R1)."""

    kind: ClassVar[str] = HANGUP.kind
    title: ClassVar[str] = N_("Hang up")
    places: ClassVar[frozenset[Place]] = frozenset({"rule", "key", "no_answer"})

    def choices(self, snapshot: Snapshot) -> Iterable[Choice]:
        return (Choice(HANGUP, self.title),)

    async def run(self, call: Call, entry: Entry, router: Nesting) -> Outcome:
        call.note(Step("hangs_up"))
        call.fact(Served(account=call.snapshot.account.id, call=call.id, at=call.now, how="hangup_by_rule"))
        return Hangup(NORMAL_CLEARING if call.answered else CALL_REJECTED)


class DoNothing:
    """Listed among the choices; reached as a target it has simply failed (R2)."""

    kind: ClassVar[str] = NOTHING.kind
    title: ClassVar[str] = N_("Do nothing")
    places: ClassVar[frozenset[Place]] = frozenset({"key", "no_answer"})

    def choices(self, snapshot: Snapshot) -> Iterable[Choice]:
        return (Choice(NOTHING, self.title),)

    async def run(self, call: Call, entry: Entry, router: Nesting) -> Outcome:
        return Missed("nothing")


class Repeat:
    """Listed among the choices; menu and group carry it out themselves."""

    kind: ClassVar[str] = REPEAT.kind
    title: ClassVar[str] = N_("Repeat")
    places: ClassVar[frozenset[Place]] = frozenset({"key", "no_answer"})

    def choices(self, snapshot: Snapshot) -> Iterable[Choice]:
        return (Choice(REPEAT, self.title),)

    async def run(self, call: Call, entry: Entry, router: Nesting) -> Outcome:
        return Missed("nothing")


class ToExtension:
    """«Переход на внутренний номер» (ACT-3): whoever has it when the call comes; a group's greeting is left out (R7)."""

    kind: ClassVar[str] = EXTENSION
    title: ClassVar[str] = N_("Go to internal number")
    places: ClassVar[frozenset[Place]] = frozenset({"rule", "key", "no_answer"})

    def choices(self, snapshot: Snapshot) -> Iterable[Choice]:
        for number, owner in sorted(snapshot.extensions.items()):
            element = snapshot.element(owner)
            if element is not None and not number.startswith("0"):  # the number is the id, which has no leading zeros
                yield Choice(Ref(EXTENSION, int(number)), f"{number} · {element.title}")

    async def run(self, call: Call, entry: Entry, router: Nesting) -> Outcome:
        target = call.snapshot.extension(str(entry.target.id))
        return Missed("gone") if target is None else Forward(target, "extension")

    def leads(self, snapshot: Snapshot, target: Target) -> Iterable[Target]:
        owner = snapshot.extension(str(target.id))
        return () if owner is None else (owner,)


BASIC_ACTIONS: Final = (HangUp(), DoNothing(), Repeat(), ToExtension())
