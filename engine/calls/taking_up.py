# SPDX-License-Identifier: Apache-2.0
"""Where a call of an earlier engine goes on: its talk, the element it was in, or what its employees were about to do with it.

It goes on by the settings of now, which may be other ones than it has begun with.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

from engine.calls import causes
from engine.calls.call import NOBODY, Leg, Step
from engine.calls.last_steps import OnTheWay, on_the_way, place, talk_ended
from engine.calls.leg import LegState
from engine.calls.live import LiveCall
from engine.calls.reception import Ending
from engine.snapshot import Ref

Scenario: TypeAlias = Callable[[LiveCall], Awaitable[Ending]]


class Resumption(Protocol):
    """Routing, as a resumed call sees it."""

    async def resume(self, call: LiveCall, at: Ref | None, talking_with: Leg | None, *, joined: bool = True) -> Ending:
        """`joined`: the switch has bridged the party with `talking_with` already."""
    async def transferred(self, call: LiveCall, number: str, by: Leg) -> Ending:
        """A phone has sent the served party to `number` while nobody listened."""
    def left(self, call: LiveCall) -> None:
        """The caller has gone from where he was while nobody listened: state what that means (R1)."""


def scenario_of(call: LiveCall, desk: Resumption, party: LegState | None, other: LegState | None) -> Scenario:
    """`party`: whom the call serves; `other`: whom it talks with (`partner_of`)."""
    if party is None and call.ordered is not None:
        return lambda call: desk.resume(call, None, None)  # nobody has answered yet
    moving = on_the_way(call) if call.ordered is None else None
    if moving is not None:
        return _moved_on(call, desk, moving)
    if party is None or not party.alive:
        call.gone = True
        desk.left(call)
        return _over
    at = place(call)
    if call.ordered is not None and at is None and call.talk_started_at is None:
        return lambda call: desk.resume(call, None, None)  # whoever rings goes on ringing
    newly = _answered_meanwhile(call, party) if other is None else None
    for state in call.open_legs():
        if state not in (party, other, newly):  # it rang for a distribution that is gone; the caller begins anew at his place
            _give_up(call, state, causes.ORIGINATOR_CANCEL if newly is None else causes.LOSE_RACE)
    if newly is not None:
        call.note(Step("answered", {"who": newly.leg.label}))
        return lambda call: desk.resume(call, at, newly.leg, joined=False)
    if other is None and (ended := talk_ended(call)) is not None:
        call.note(Step("talk_over", {"who": ended.leg.label, "cause": ended.cause}))
        return _over
    begun = call.talk_started_at is not None  # else the switch has answered the two, whom early media had joined
    return lambda call: desk.resume(call, at, other.leg if other is not None else None, joined=begun)


def transfer_of(call: LiveCall, desk: Resumption, sent: LegState, number: str) -> Scenario:
    """What the transfer that nobody heard of asks for; the leg that asked has nothing left to do."""
    asked_by = call.talked_with
    if sent.leg != call.party:  # the caller sent his callee on: the callee is served now
        asked_by = call.legs.get(call.party.id)
        call.serve(sent.leg)
    by = asked_by.leg if asked_by is not None else NOBODY
    sent.peer = ""
    for state in call.open_legs():
        if state is not sent:
            call.release(state.leg, causes.BLIND_TRANSFER)
    call.note(Step("transfer_refused" if by.external else "transfer_asked", {"by": by.label, "number": number}))
    return _over if by.external else lambda call: desk.transferred(call, number, by)


def partner_of(call: LiveCall, party: LegState | None) -> LegState | None:
    """The leg that the served party talks with now."""
    if party is None or not party.alive:
        return None
    joined = (s for s in call.open_legs() if s is not party and (s.peer == party.uuid or party.peer == s.uuid))
    other = next((s for s in joined if s.answered_at is not None), None)  # else the party hears early media: it rings still
    if other is None:
        party.peer = ""
    else:
        party.peer, other.peer = other.uuid, party.uuid
    return other


def _answered_meanwhile(call: LiveCall, party: LegState) -> LegState | None:
    """Of those that rang, who has answered while no engine ran and waits to be joined: for seconds, then the switch ends his leg."""
    if call.talk_started_at is not None:
        return None
    waiting = [s for s in call.open_legs() if s is not party and s.direction == "out" and s.answered_at is not None]
    return min(waiting, key=lambda s: s.answered_at or s.started_at, default=None)


def _moved_on(call: LiveCall, desk: Resumption, moving: OnTheWay) -> Scenario:
    """Of a transfer that was under way when the last engine died, and of a consultation: the talk that it has interrupted, or,
    when who consulted has gone, the transfer that he meant."""
    by, held = moving.by, moving.held
    at = place(call)
    both = held is not None and held.alive and by.alive
    third = next((s for s in call.open_legs() if s not in (by, held) and s.answered_at is not None), None)
    if third is not None and held is not None and held.alive and not by.alive:  # he has connected the two by hanging up
        if by.leg == call.party:
            call.serve(held.leg)
        held.peer = third.peer = ""
        call.note(Step("handed_over", {"who": third.leg.label}))
        return lambda call: desk.resume(call, at, third.leg, joined=False)
    staying = {s for s in (held if held is not None else call.legs.get(call.party.id), by if both else None) if s is not None}
    for state in call.open_legs():
        if state not in staying:
            _give_up(call, state, causes.ORIGINATOR_CANCEL if state.answered_at is None else causes.NORMAL_CLEARING)
    if both and held is not None:
        call.note(Step("consultation_over", {"by": by.leg.label, "why": "engine_restarted"}))
        other = held if by.leg == call.party else by
        return lambda call: desk.resume(call, at, other.leg, joined=False)
    if held is not None and held.alive and by.leg == call.party:
        call.serve(held.leg)
    party = call.legs.get(call.party.id)
    if party is None or not party.alive:
        call.gone = True
        return _over
    return lambda call: desk.transferred(call, moving.number, by.leg)


def _give_up(call: LiveCall, state: LegState, cause: str) -> None:
    call.release(state.leg, cause)
    state.peer = ""
    call.leg_over(state, cause)  # at once: his line is free to be rung again


async def _over(call: LiveCall) -> Ending:
    return Ending(causes.NORMAL_CLEARING)
