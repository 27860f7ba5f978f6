# SPDX-License-Identifier: Apache-2.0
"""Ordered calls, also those that an earlier engine began; and the core's own kind: first the employee, then the client (BOT-2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import msgspec

from engine.calls import causes
from engine.calls.call import NOBODY, Call, Callee, Caller, Step
from engine.calls.live import LiveCall
from engine.calls.ordered import Ordered
from engine.calls.reception import Ending
from engine.calls.ringing import Member, Won, plan
from engine.routing.action import Done, GoTo, Hangup, Missed, Nesting, Outcome, RoutingAction
from engine.routing.callees import called_alone
from engine.routing.conversation import talk
from engine.routing.order_action import Beginning, OrderAction, reach
from engine.routing.outbound import dial_number
from engine.routing.router import Router, ending
from engine.routing.saying import said
from engine.snapshot import Sound

CALL_BACK: Final = "callback"
CONNECTING: Final = Sound("prompts/callback-employee.wav")


async def carry_out(
    call: LiveCall, ordered: Ordered, actions: Mapping[str, RoutingAction], orders: Mapping[str, OrderAction]
) -> Ending:
    """The scenario of an order; also of one that an earlier engine began and whose parties do not talk yet."""
    order = orders.get(ordered.kind)
    if order is None:  # its plugin has been taken away
        return Ending(causes.NORMAL_TEMPORARY_FAILURE)
    router = Router(actions, dial_number)
    return await to_the_end(call, router, await order.run(call, ordered.arguments, router), orders)


async def go_on(
    call: LiveCall, ordered: Ordered, actions: Mapping[str, RoutingAction], orders: Mapping[str, OrderAction]
) -> Ending:
    """The call of an earlier engine whose parties do not talk (any more): go on with what was ordered."""
    asked = next((s for _, s in reversed(call.steps) if s.what in ("talk", "transfer_asked")), None)
    if asked is not None and asked.what == "transfer_asked":
        return ending(await Router(actions, dial_number).follow(call, GoTo(str(asked.facts["number"]), call.caller.user)), call.answered)
    if asked is not None:
        return Ending(causes.NORMAL_CLEARING)
    return await carry_out(call, ordered, actions, orders)


async def to_the_end(call: LiveCall, router: Router, outcome: Outcome, orders: Mapping[str, OrderAction]) -> Ending:
    """Follow an outcome; of an ordered call, whose kind may have a last word to its party."""
    final = await router.follow(call, outcome)
    if call.ordered is not None and (order := orders.get(call.ordered.kind)) is not None:
        await order.afterwards(call, call.ordered.arguments, final)
    return ending(final, call.answered)


class CallBack(msgspec.Struct, frozen=True, kw_only=True):
    """Order "callback": call `user` first, then `number` (E.164). `did`: the number of ours the client sees (R19)."""

    user: int
    number: str
    did: str = ""


class CallBackOrder:
    """The employee becomes the served party. Begun by an earlier engine, it goes on: nobody is rung twice."""

    kind: ClassVar[str] = CALL_BACK

    def begin(self, arguments: Mapping[str, Any]) -> Beginning:
        order = msgspec.convert(arguments, CallBack)
        return Beginning(Caller(order.number, "", True, None, None, order.did))  # the employee's phone shows the client

    async def run(self, call: Call, arguments: Mapping[str, Any], router: Nesting) -> Outcome:
        order = msgspec.convert(arguments, CallBack)
        user = call.snapshot.users.get(order.user)
        if user is None or not user.active:
            call.note(Step("skipped", {"who": str(order.user), "why": "inactive"}))
            return Missed("inactive")
        if call.party == NOBODY:
            if not call.legs_of("callback_employee"):
                call.note(Step("ordered", {"who": user.title, "number": order.number}))
            employee = await reach(call, plan("BY_USER", [Member(1, called_alone(call, user))]), "callback_employee")
            if employee is None:
                return Missed("no_answer")
            call.serve(employee.leg)
        rung = call.legs_of("callback_client")
        if not rung:
            await said(call, CONNECTING)
            return GoTo(order.number, user.id, reason="callback_client")
        call.ringback(None)
        client = await reach(call, (), "callback_client")
        if client is None:
            return Missed("no_answer", rung[-1].cause or causes.NO_ANSWER)
        callee = Callee(order.number, None, user, order.number, rung[-1].group, "callback_client")
        return await talk(call, router, Won(client.leg, callee))

    async def afterwards(self, call: Call, arguments: Mapping[str, Any], outcome: Done | Hangup | Missed) -> None:
        """Nothing more is said."""


CORE_ORDERS: Final = (CallBackOrder(),)
