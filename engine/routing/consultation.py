# SPDX-License-Identifier: Apache-2.0
"""A transfer with consultation, by code: one party waits with music while the employee talks with a third (R19–R21)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from engine.calls.call import Call, Caller, Ended, Joined, Leg, Step, TransferAsked
from engine.calls.causes import BLIND_TRANSFER, CALL_REJECTED, NORMAL_CLEARING
from engine.calls.codes import Code
from engine.calls.ringing import Member, Won, plan, ring
from engine.calls.talk import HoldExpired, Transfer, TypedKeys, parted
from engine.errors import Recalled
from engine.routing.action import Done
from engine.routing.callees import TRANSFER_RINGS
from engine.routing.moves import Back, Returns
from engine.routing.tones import REFUSED, RINGING
from engine.snapshot import Ref, User


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom an employee consults: the digits he typed, and who is rung by them."""

    number: str
    by: Leg
    user: User | None
    members: tuple[Member, ...]

    def shown(self) -> tuple[Member, ...]:
        """Their phones see the employee (R19)."""
        user = self.user
        caller = Caller((user.extension if user else None) or self.by.label, user.title if user else "", False, user.id if user else None)
        return tuple(Member(m.priority, tuple((p, replace(c, shows=caller)) for p, c in m.callees)) for m in self.members)


Whom: TypeAlias = Callable[[str, Leg], Asked]
"""Who is rung when an employee consults a number."""


async def consult(
    call: Call, asked: Asked, held: Leg, other: Leg, max_hold: timedelta | None, whom: Whom
) -> Back | Returns | HoldExpired | Transfer | Done:
    """Until somebody talks with the served party again, or nobody is left who could. `other`: whom it talks with now."""
    call.note(Step("consults", {"by": asked.by.label, "number": asked.number}))
    call.outlive(asked.by)
    call.part(call.party, other)
    if held in await parted(call):
        call.outlive()
        return Done(talked=True)
    call.hold(held, None)
    return await _ask(call, asked, held, max_hold, whom)


async def _ask(
    call: Call, asked: Asked, held: Leg, max_hold: timedelta | None, whom: Whom
) -> Back | Returns | HoldExpired | Transfer | Done:
    """Whoever consults talks with nobody yet, and only he outlives the talk he had."""
    by = asked.by
    call.hold(by, RINGING)
    call.attend(by, held)
    try:
        won = await ring(call, plan("BY_USER", asked.shown()), within=TRANSFER_RINGS)
    except Recalled as recalled:
        call.attend(None)
        if recalled.left:
            call.outlive()
            return Done(talked=True)
        return _back(call, by, held, "cancelled")
    listens = call.attending is not None
    call.attend(None)
    if not isinstance(won, Won):
        if listens:
            return _back(call, by, held, "no_answer")
        call.outlive()
        return Returns(by)
    if not listens:  # he has hung up while it rang: he did not mean to talk himself
        return _handed_over(call, won.leg, won.group)
    return await _Consultation(call, by, held, won.leg, won.group, max_hold, whom).run()


def _back(call: Call, by: Leg, held: Leg, why: str) -> Back:
    """The two talk again."""
    call.outlive()
    call.note(Step("consultation_over", {"by": by.label, "why": why}))
    return Back(held if by == call.party else by)


def _handed_over(call: Call, target: Leg, group: Ref | None) -> Back:
    call.outlive()
    call.note(Step("handed_over", {"who": target.label}))
    call.show(target, call.party)
    return Back(target, group=group)


class _Consultation:
    """While the third party is there: `by` talks with it, or for a while with the one who waits."""

    def __init__(
        self, call: Call, by: Leg, held: Leg, target: Leg, group: Ref | None, max_hold: timedelta | None, whom: Whom
    ) -> None:
        self._call, self._by, self._held, self._target = call, by, held, target
        self._group, self._whom = group, whom
        limited = held == call.party and held.external
        self._max_hold = max_hold if limited else None
        self._until: datetime | None = None
        self._with = target

    async def run(self) -> Back | Returns | HoldExpired | Transfer | Done:
        call = self._call
        self._begin()
        self._turn_to(self._target)
        keys = TypedKeys(call)
        while True:
            event = await call.next(keys.due(self._until))
            by, held, target = self._by, self._held, self._target
            typed = keys.take(event, self._partners, by)
            if typed is not None and (end := self._obey(typed[1])) is not None:
                return end
            match event:
                case Ended(leg) if leg == by:
                    if by == call.party:
                        call.serve(held)
                    call.part(self._with, by)  # whom he talked with must be free
                    return _handed_over(call, target, self._group)
                case Ended(leg, cause) if leg == held:
                    if self._with == held:
                        call.part(by, held)
                    return self._without_held(cause)
                case Ended(leg) if leg == target:
                    return self._alone("talk_over")
                case Joined(leg, before, group) if before in (by, held, target):
                    self._replaced(leg, before, group)
                case TransferAsked(leg, number) if leg == target and call.snapshot.extension(number) is not None:
                    return await self._asks_further(number)
                case TransferAsked(leg, number) if leg in (by, held, target):
                    return self._sent_on(leg, number)
                case _ if self._until is not None and call.now >= self._until:
                    call.note(Step("hold_expired", {"by": by.label}))
                    call.outlive()
                    call.release(target)
                    call.release(by)
                    return HoldExpired(by)

    def _begin(self) -> None:
        self._call.outlive(self._by, self._held, self._target)
        self._call.note(Step("consultation", {"by": self._by.label, "who": self._target.label}))

    def _replaced(self, leg: Leg, before: Leg, group: Ref | None) -> None:
        """Somebody goes on at another phone (INVITE with Replaces), or his phone has put somebody in his place: the same roles."""
        if before == self._target:
            self._group = group or self._group
        self._by, self._held, self._target, self._with = (
            leg if one == before else one for one in (self._by, self._held, self._target, self._with)
        )
        self._begin()

    async def _asks_further(self, number: str) -> Back | Returns | HoldExpired | Transfer | Done:
        """The phone of the one consulted has sent who consults on to a colleague (REFER): that one is consulted now."""
        call, by = self._call, self._by
        call.note(Step("transfer_asked", {"by": self._target.label, "number": number}))
        call.note(Step("consults", {"by": by.label, "number": number}))
        call.outlive(by)
        call.release(self._target, BLIND_TRANSFER)
        return await _ask(call, self._whom(number, by), self._held, self._max_hold, self._whom)

    def _sent_on(self, by: Leg, number: str) -> Back | Transfer:
        """A phone has transferred whom it talked with (REFER): that one has parked.

        The employee who consults means the one who waits. The others can't: at the cost of who consults, or with nobody left to wait for,
        so they have only left.
        """
        call = self._call
        if by != self._by:
            call.note(Step("transfer_refused", {"by": by.label, "number": number}))
            if by == self._target:
                return self._alone("talk_over", parked=True)
            end = self._without_held(CALL_REJECTED)
            call.release(by)
            return end
        if by == call.party:
            call.serve(self._held)
        target = self._target.user
        if target is not None and call.snapshot.extension(number) == Ref(User.kind, target):
            end = _handed_over(call, self._target, self._group)
            call.release(by, BLIND_TRANSFER)
            return end
        call.note(Step("transfer_asked", {"by": by.label, "number": number}))
        call.outlive()
        call.release(self._target)
        call.release(by, BLIND_TRANSFER)
        return Transfer(number, by)

    def _without_held(self, cause: str) -> Back:
        """The one who waited has left: the other two talk on."""
        call = self._call
        call.note(Step("talk_over", {"who": self._held.label, "cause": cause}))
        if self._held == call.party:
            call.serve(self._by)
        call.outlive()
        return Back(self._target, group=self._group)

    @property
    def _partners(self) -> Mapping[Leg, Leg]:
        return {self._by: self._with, self._with: self._by}

    def _turn_to(self, leg: Leg) -> None:
        call = self._call
        self._with = leg
        self._until = call.now + self._max_hold if self._max_hold is not None and leg != self._held else None
        call.bridge(self._by, leg)

    def _obey(self, code: Code) -> Back | None:
        call, before = self._call, self._with
        match code.feature:
            case "toggle":
                after = self._held if before == self._target else self._target
                call.part(self._by, before)
                call.hold(before, None)
                self._turn_to(after)
                call.note(Step("toggled", {"by": self._by.label, "who": after.label}))
                return None
            case "cancel":
                return self._alone("cancelled")
            case _:
                call.note(Step("code_refused", {"by": self._by.label, "number": code.number or None, "why": "in_consultation"}))
                call.tell(self._by, REFUSED)
                return None

    def _alone(self, why: str, *, parked: bool = False) -> Back:
        """The third party is not wanted any more, or has left; `parked`: nobody talks with whoever talked with it."""
        call = self._call
        talks = self._with == self._held
        if not talks and not parked:
            call.part(self._by, self._target)
        call.release(self._target, NORMAL_CLEARING)
        return _back(call, self._by, self._held, why) if not talks else replace(_back(call, self._by, self._held, why), goes_on=True)
