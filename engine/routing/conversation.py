# SPDX-License-Identifier: Apache-2.0
"""From “somebody has answered” to the end of the talk: recording (R13), hold limit (R14), transfers. Shared by every action that rings."""

from __future__ import annotations

from datetime import timedelta

from engine.calls.call import Call, Callee, Leg, Step
from engine.calls.ringing import Won, ring
from engine.calls.talk import Coded, HoldExpired, Over, Transfer, converse
from engine.routing.action import Done, Forward, GoTo, Nesting, Outcome
from engine.routing.basic import NOTHING, REPEAT
from engine.routing.callees import again
from engine.routing.features import obey
from engine.routing.moves import Back, Returns
from engine.routing.recording import record_if_due
from engine.snapshot import Branch, Ref


async def talk(call: Call, router: Nesting, won: Won) -> Outcome:
    """Serve the conversation with whoever answered, to its end."""
    return await stay(call, router, won.leg, won.group)


async def stay(call: Call, router: Nesting, other: Leg, group: Ref | None = None, *, joined: bool = False) -> Outcome:
    """Talk with `other` until it is over; `joined` when the switch has bridged them already (after a restart)."""
    limit = call.snapshot.account.max_hold_seconds
    max_hold = timedelta(seconds=limit) if limit and call.party.external else None  # R14; in an ordered call an employee is served

    def meets(leg: Leg, came_by: Ref | None) -> None:  # R13: whoever is recorded may come in later, by a transfer
        record_if_due(call, router, leg, came_by or group)

    end: Back | HoldExpired | Over | Transfer | Coded | Returns | Outcome
    end = await converse(call, other, max_hold, joined=joined, meets=meets)
    while True:
        match end:
            case Coded():
                end = await obey(call, router, end, group, max_hold)
            case Back(leg, goes_on, came_by):
                group = came_by or group
                end = await converse(call, leg, max_hold, goes_on=goes_on, meets=meets)
            case Returns(by):
                return await come_back(call, router, GoTo("", by.user, group, back=again(call, by, group)))
            case Over():
                return Done(talked=True)
            case HoldExpired(holder):  # R14
                branch = came_through(call, holder, group)
                away = fall_back(branch, Done(talked=True))
                return away if isinstance(away, Forward) else await ring_back(call, router, again(call, holder, group), away)
            case Transfer(number, by):
                return sent_on(call, number, by, group)
            case _:
                return end


def sent_on(call: Call, number: str, by: Leg, group: Ref | None) -> GoTo:
    """Where a transfer leads; back to whoever made it when nobody takes the call there (R20)."""
    return GoTo(number, by.user, group, back=again(call, by, group))


async def come_back(call: Call, router: Nesting, wish: GoTo) -> Outcome:
    """R20: nobody has taken a transferred call; its transferor has it again if he still listens, else is rung; then his group's
    no-answer action follows."""
    if wish.waits is not None and call.attending == wish.waits:
        call.note(Step("transfer_returns", {"who": wish.waits.label}))
        return await stay(call, router, wish.waits, wish.group)
    if wish.back is None:
        return Done(talked=True)
    call.note(Step("transfer_returns", {"who": wish.back.label}))
    user = wish.back.user.id if wish.back.user else None
    otherwise = fall_back(came_through(call, Leg("", "", user), wish.group), Done(talked=True))
    return await ring_back(call, router, wish.back, otherwise)


async def taken_back(call: Call, router: Nesting, by: Leg, group: Ref | None) -> Outcome:
    """R20: who has sent the call on by a code has cancelled it."""
    call.note(Step("transfer_cancelled", {"by": by.label}))
    return await stay(call, router, by, group)


async def ring_back(call: Call, router: Nesting, callee: Callee | None, otherwise: Outcome) -> Outcome:
    """Ring somebody who has just talked with the served party; `otherwise` when he does not answer or is no employee."""
    if callee is None:
        return otherwise
    call.ringback(None)
    # his line counts as busy until the switch has confirmed the end of his last leg
    match await ring(call, ((((callee,),),),), fit_only=False):
        case Won() as won:
            return await talk(call, router, won)
        case _:
            return otherwise


def came_through(call: Call, employee: Leg, group: Ref | None) -> Branch | None:
    """R14: the group a talk came through, else the employee's first one, else the root."""
    snapshot = call.snapshot
    passed = snapshot.get(group, Branch)
    for branch in snapshot.ancestors(passed) if passed is not None else ():
        if branch.falls_back:
            return branch
    return snapshot.first_group(employee.user or 0) or snapshot.root


def fall_back(branch: Branch | None, otherwise: Outcome) -> Outcome:
    """R2: with a no-answer action the call does not come back; empty or «Ничего не делать» means failed."""
    target = branch.fallback() if branch is not None else None
    if branch is None or target is None or target == NOTHING:
        return otherwise
    return Forward(branch.ref, "repeat") if target == REPEAT else Forward(target)
