# SPDX-License-Identifier: Apache-2.0
"""Ordered calls: the employee is called first, then the client, then both are joined (BOT-2 “call back”, ADD-1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import msgspec

from engine.calls import causes
from engine.calls.call import Caller, Step
from engine.calls.live import LiveCall
from engine.calls.reception import Verdict
from engine.calls.ringing import Member, Won, plan, ring
from engine.routing.action import GoTo, RoutingAction
from engine.routing.conversation import callees, said
from engine.routing.inbound import verdict
from engine.routing.outbound import dial_number
from engine.routing.router import Router
from engine.snapshot import Snapshot, Sound

CONNECTING: Final = Sound("prompts/callback-employee.wav")


class CallBack(msgspec.Struct, frozen=True, kw_only=True):
    """Order "callback": call `user` first, then `number` (E.164). `did`: the number of ours the client sees (R19)."""

    user: int
    number: str
    did: str = ""


def caller_of(order: CallBack) -> Caller:
    """Whom the employee's phone shows: the client."""
    return Caller(order.number, "", True, None, None, order.did)


async def call_back(call: LiveCall, order: CallBack, actions: Mapping[str, RoutingAction]) -> Verdict:
    """The scenario of the order; the employee becomes the served party."""
    snapshot: Snapshot = call.snapshot
    user = snapshot.users.get(order.user)
    if user is None or not user.active:
        call.note(Step("skipped", {"who": str(order.user), "why": "inactive"}))
        return Verdict()
    call.note(Step("ordered", {"who": user.title, "number": order.number}))
    phones = tuple((priority, replace(callee, reason="callback_employee")) for priority, callee in callees(user, snapshot.account))
    match await ring(call, plan("BY_USER", [Member(1, phones)])):
        case Won(leg):
            call.serve(leg)
        case _:
            return Verdict(causes.NO_ANSWER)
    await said(call, CONNECTING)
    router = Router(actions, dial_number)
    return verdict(await router.follow(call, GoTo(order.number, user.id, reason="callback_client")), call.answered)


