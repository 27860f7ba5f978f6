# SPDX-License-Identifier: Apache-2.0
"""Ordered calls: the employee is called first, then the client, then both are joined (BOT-2 “call back”, ADD-1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import msgspec

from engine.calls import causes
from engine.calls.call import NOBODY, Answered, Callee, Caller, Ended, Leg, Step
from engine.calls.leg import LegState
from engine.calls.live import LiveCall
from engine.calls.ordered import Ordered
from engine.calls.reception import Verdict
from engine.calls.ringing import Member, Won, plan, ring
from engine.routing.action import GoTo, Missed, RoutingAction
from engine.routing.conversation import callees, said, talk
from engine.routing.outbound import dial_number
from engine.routing.router import Router, verdict
from engine.snapshot import Sound, User

CALL_BACK: Final = "callback"
CONNECTING: Final = Sound("prompts/callback-employee.wav")


class CallBack(msgspec.Struct, frozen=True, kw_only=True):
    """Order "callback": call `user` first, then `number` (E.164). `did`: the number of ours the client sees (R19)."""

    user: int
    number: str
    did: str = ""


def caller_of(order: CallBack) -> Caller:
    """Whom the employee's phone shows: the client."""
    return Caller(order.number, "", True, None, None, order.did)


async def go_on(call: LiveCall, ordered: Ordered, actions: Mapping[str, RoutingAction]) -> Verdict:
    """The call of an earlier engine whose parties do not talk (any more): go on with what was ordered."""
    asked = next((s for _, s in reversed(call.steps) if s.what in ("talk", "transfer_asked")), None)
    if asked is not None and asked.what == "transfer_asked":
        return verdict(await Router(actions, dial_number).follow(call, GoTo(str(asked.facts["number"]), call.caller.user)), call.answered)
    if asked is not None or ordered.kind != CALL_BACK:
        return Verdict(causes.NORMAL_CLEARING)
    return await call_back(call, msgspec.convert(ordered.arguments, CallBack), actions)


async def call_back(call: LiveCall, order: CallBack, actions: Mapping[str, RoutingAction]) -> Verdict:
    """The scenario of the order; the employee becomes the served party. Begun by an earlier engine, it goes on: nobody is rung twice."""
    user = call.snapshot.users.get(order.user)
    if user is None or not user.active:
        call.note(Step("skipped", {"who": str(order.user), "why": "inactive"}))
        return Verdict()
    if call.party == NOBODY:
        if not call.legs:
            call.note(Step("ordered", {"who": user.title, "number": order.number}))
        leg = await _employee(call, user)
        if leg is None:
            return Verdict(causes.NO_ANSWER)
        call.serve(leg)
    router = Router(actions, dial_number)
    rung = [s for s in call.legs.values() if s.reason == "callback_client"]
    if not rung:
        await said(call, CONNECTING)
        return verdict(await router.follow(call, GoTo(order.number, user.id, reason="callback_client")), call.answered)
    call.ringback(None)
    client = await _first_of(call, rung)
    if client is None:
        return verdict(Missed("no_answer", rung[-1].cause or causes.NO_ANSWER), call.answered)
    callee = Callee(order.number, None, user, order.number, call.legs[client.id].group, "callback_client")
    return verdict(await router.follow(call, await talk(call, router, Won(client, callee))), call.answered)


async def _employee(call: LiveCall, user: User) -> Leg | None:
    """Whichever of the employee's phones answers: those that ring already, then those that were not rung yet."""
    rung = list(call.legs.values())
    if any(s.alive for s in rung) and (leg := await _first_of(call, rung)) is not None:
        return leg
    if any(s.answered_at is not None for s in rung):
        return None  # he has answered and hung up
    left = tuple(
        (priority, replace(callee, reason="callback_employee"))
        for priority, callee in callees(user, call.snapshot.account)
        if callee.contact is None or all(s.leg.contact != callee.contact.id for s in rung)
    )
    match await ring(call, plan("BY_USER", [Member(1, left)])):
        case Won(leg):
            return leg
        case _:
            return None


async def _first_of(call: LiveCall, states: list[LegState]) -> Leg | None:
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
            call.release(leg, causes.LOSE_RACE)
    if won is not None:
        call.note(Step("answered", {"who": won.label}))
    return won
