# SPDX-License-Identifier: Apache-2.0
"""One attempt to call a client back: an ordered call (CB-3, R19, R24). No clock, no database here.

Restrictions of users do not apply to the client's leg (R18): it is dialled by this module, not by `GoTo`, which asks them. The PBX has a
list of its own for such legs.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar, Final

import msgspec

from engine.sdk import (
    CALL_REJECTED,
    NOBODY,
    Beginning,
    Call,
    Callee,
    Caller,
    Done,
    Entry,
    Forward,
    Hangup,
    Member,
    Missed,
    Nesting,
    Outcome,
    Plan,
    Ref,
    Sound,
    Step,
    User,
    Won,
    called_alone,
    client_forbidden,
    plan,
    reach,
    said,
    shut,
    talk,
)
from plugins.callback.part import First, settings_of
from plugins.groups.api import Group, fit_members

CONNECTING: Final = Sound("prompts/callback-employee.wav")
CLIENT_RINGS: Final = timedelta(seconds=45)


class AttemptWish(msgspec.Struct, frozen=True, kw_only=True):
    """The order's arguments. `target`: a user's or group's Ref as text; `did`: the number of ours that the client sees."""

    task: int
    number: str
    target: str
    first: First
    did: str = ""


class CallBackAttempt:
    kind: ClassVar[str] = "callback.attempt"

    def begin(self, arguments: Mapping[str, Any]) -> Beginning:
        """The employee's phone shows the client. A client who was there and reached nobody is missed (R1)."""
        wish = msgspec.convert(arguments, AttemptWish)
        return Beginning(Caller(wish.number, "", True, None, None, wish.did), "in" if wish.first == "client" else "out")

    async def run(self, call: Call, arguments: Mapping[str, Any], router: Nesting) -> Outcome:
        wish = msgspec.convert(arguments, AttemptWish)
        target = call.snapshot.element(Ref.parse(wish.target))
        if not isinstance(target, User | Group):
            call.note(Step("callback_gone", {"number": wish.number}))
            return Missed("gone")
        if client_forbidden(call.snapshot, wish.number):  # since he has asked
            call.note(Step("forbidden_number", {"number": wish.number}))
            return Missed("forbidden", CALL_REJECTED)
        return await (_client_first if wish.first == "client" else _employee_first)(call, wish, target, router)

    async def afterwards(self, call: Call, arguments: Mapping[str, Any], outcome: Done | Hangup | Missed) -> None:
        """The final phrase, when the employee has hung up (CB-1)."""
        wish = msgspec.convert(arguments, AttemptWish)
        phrase = call.snapshot.sound(settings_of(call.snapshot, Ref.parse(wish.target)).phrase)
        if phrase is not None and outcome == Done(talked=True):
            call.note(Step("callback_final_phrase"))
            await said(call, phrase)


async def _client_first(call: Call, wish: AttemptWish, target: User | Group, router: Nesting) -> Outcome:
    """The client who has answered enters the group like a call from outside, or the user."""
    if call.party == NOBODY:
        if not call.legs_of("callback_client"):
            call.note(Step("callback_client_first", {"number": wish.number, "title": target.title}))
        client = await reach(call, _client(wish, target), "callback_client")
        if client is None:
            return Missed("no_answer")
        call.serve(client.leg)
    return Forward(target.ref)


async def _employee_first(call: Call, wish: AttemptWish, target: User | Group, router: Nesting) -> Outcome:
    """The employee waits for the client; then the client is the one served, so that the employee may hang up before him."""
    router.trail.append(Entry(target.ref))  # recorded by the flag of the group (R13)
    employee = Won(call.party)
    if call.party == NOBODY:
        if not call.legs_of("callback_employee"):
            call.note(Step("callback_employee_first", {"number": wish.number, "title": target.title}))
        won = await (_user(call, target) if isinstance(target, User) else _group(call, target))
        if won is None:
            return Missed("no_answer")
        employee = won
        call.serve(employee.leg)
    dialled = call.legs_of("callback_client")
    if any(s.leg == call.party for s in dialled):  # by an earlier engine, which could not join them any more
        waiting = next((s.leg for s in call.legs_of("callback_employee") if s.alive and s.ready), None)
        return await talk(call, router, Won(waiting)) if waiting is not None else Missed("no_answer")
    if not dialled:
        await said(call, CONNECTING)
    call.ringback(None)
    client = await reach(call, _client(wish, target), "callback_client")
    if client is None:
        return Missed("no_answer")
    call.serve(client.leg)
    return await talk(call, router, employee)


def _client(wish: AttemptWish, target: User | Group) -> Plan:
    group, user = (target.ref, None) if isinstance(target, Group) else (None, target)
    callee = Callee(wish.number, None, user, wish.number, group, "callback_client", CLIENT_RINGS)
    return ((((callee,),),),)


async def _user(call: Call, user: User) -> Won | None:
    if shut(call, user) is not None:
        return None
    phones = plan("BY_USER", [Member(1, called_alone(call, user))])
    return await reach(call, phones, "callback_employee")


async def _group(call: Call, group: Group) -> Won | None:
    """Its nested groups by priority, then its users by its method, once; greetings and menus do not apply."""
    if shut(call, group) is not None or group.method == "NONE":
        return None
    for child in call.snapshot.branches(group.ref):
        if isinstance(child, Group) and (won := await _group(call, child)) is not None:
            return won
    members = fit_members(call, group, group.members)
    order = list(call.shuffle(members)) if group.method == "RANDOM" else []
    return await reach(call, plan(group.method, members, order), "callback_employee")

