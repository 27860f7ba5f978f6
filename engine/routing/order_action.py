# SPDX-License-Identifier: Apache-2.0
"""Kinds of ordered calls: calls that nobody has dialled, begun by a row of `ctx.orders`. Plugins bring kinds of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Protocol

from engine.calls.call import Answered, Call, Caller, Ended, Leg, LegReason, Step
from engine.calls.causes import LOSE_RACE
from engine.calls.leg import LegState
from engine.calls.ringing import Plan, Together, Won, ring
from engine.facts.ended import Direction
from engine.routing.action import Done, Hangup, Missed, Nesting, Outcome


@dataclass(frozen=True, slots=True)
class Beginning:
    """As whose call it counts: `caller` is shown to those who are rung; "in" = it may be missed like a call from outside (R1)."""

    caller: Caller
    direction: Direction = "out"


class OrderAction(Protocol):
    """One kind of order. Stateless, like a routing action; `arguments` are those the order was placed with."""

    kind: ClassVar[str]

    def begin(self, arguments: Mapping[str, Any]) -> Beginning:
        """Raises msgspec.ValidationError for what is no such order: it fails, and nobody is rung."""

    async def run(self, call: Call, arguments: Mapping[str, Any], router: Nesting) -> Outcome:
        """Ring the parties with `reach` and serve them (`call.serve`). Begun by an earlier engine, it is run again and goes on."""

    async def afterwards(self, call: Call, arguments: Mapping[str, Any], outcome: Done | Hangup | Missed) -> None:
        """Before the party that is served is hung up, whatever engine has begun the call."""


async def reach(call: Call, waves: Plan, reason: LegReason) -> Won | None:
    """Ring the plan for one party of an ordered call, every leg of it as `reason`; None when nobody answers.

    Of legs that an earlier engine has dialled for it those that ring are waited for, and nobody is rung twice.
    """
    rung = call.legs_of(reason)
    if any(s.alive for s in rung) and (leg := await _first_of(call, rung)) is not None:
        return Won(leg)
    if any(s.answered_at is not None for s in rung):
        return None  # he has answered and hung up
    before = {s.leg.contact or s.leg.label for s in rung}

    def fresh(together: Together) -> Together:
        return tuple(replace(c, reason=reason) for c in together if (c.contact.id if c.contact else c.label) not in before)

    left = tuple(tuple(tuple(fresh(together) for together in track) for track in wave) for wave in waves)
    won = await ring(call, left)
    return won if isinstance(won, Won) else None


async def _first_of(call: Call, states: Sequence[LegState]) -> Leg | None:
    """Which of these legs, dialled by an earlier engine, has answered or answers first; None when all end."""
    ringing = {s.leg for s in states if s.alive}
    won = next((s.leg for s in states if s.alive and s.ready), None)
    try:
        while ringing and won is None:
            match await call.next():
                case Answered(leg) if leg in ringing:
                    won = leg
                case Ended(leg, cause) if leg in ringing:
                    ringing.discard(leg)
                    call.note(Step("no", {"who": leg.label, "cause": cause}))
    finally:
        for leg in ringing - {won}:
            call.note(Step("cancelled", {"who": leg.label}))
            call.release(leg, LOSE_RACE)
    if won is not None:
        call.note(Step("answered", {"who": won.label}))
    return won
