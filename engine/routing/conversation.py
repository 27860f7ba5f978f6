# SPDX-License-Identifier: Apache-2.0
"""From “somebody has answered” to the end of the talk: recording (R13), hold limit (R14), transfers. Shared by every action that rings."""

from __future__ import annotations

from datetime import timedelta

from engine.calls.call import Call, Callee, Leg, Played
from engine.calls.ringing import Won
from engine.calls.talk import HoldExpired, Over, Transfer, converse
from engine.routing.action import Done, GoTo, Missed, Nesting, Outcome
from engine.snapshot import Account, Branch, Contact, Ref, Sound, User


def recording_path(call: Call) -> str:
    """Where the conversation's recording lies, relative to the media root; known before and after a restart."""
    return f"recordings/{call.snapshot.account.id}/{call.now:%Y/%m}/{call.id}.wav"


def is_recorded(call: Call, router: Nesting, user: User | None, group: Ref | None) -> bool:
    """R13: the flag of a user on either side, or of any group on the call's way; outgoing, of the caller's own group."""
    own = (call.snapshot.users.get(number or 0) for number in (call.caller.user, call.party.user))
    branches = (call.snapshot.get(ref, Branch) for ref in (*(e.target for e in router.trail), group))
    return any(it is not None and it.recording for it in (user, *own, *branches))


async def talk(call: Call, router: Nesting, won: Won) -> Outcome:
    """Serve the conversation with whoever answered, to its end."""
    user = won.callee.user if won.callee else call.snapshot.users.get(won.leg.user or 0)
    group = won.callee.group if won.callee else None
    if router.recording is None and is_recorded(call, router, user, group):
        call.answer()  # a switch records no channel without media
        router.recording = call.record(call.party, recording_path(call))
    return await stay(call, won.leg, group)


async def stay(call: Call, other: Leg, group: Ref | None = None, *, joined: bool = False) -> Outcome:
    """Talk with `other` until it is over; `joined` when the switch has bridged them already (after a restart)."""
    limit = call.snapshot.account.max_hold_seconds
    max_hold = timedelta(seconds=limit) if limit and call.caller.external else None
    match await converse(call, other, max_hold, joined=joined):
        case Over():
            return Done(talked=True)
        case HoldExpired():
            return Missed("hold_expired")
        case Transfer(number, by):
            return GoTo(number, by.user, group)


def callees(user: User, account: Account, *, group: Branch | None = None) -> tuple[tuple[int, Callee], ...]:
    """The user's contacts in (priority, callee) pairs, as ring plans take them."""
    return tuple((c.priority, callee_of(user, c, account, group=group)) for c in user.contacts)


def callee_of(user: User, contact: Contact, account: Account, *, group: Branch | None = None) -> Callee:
    seconds = contact.timeout_seconds or account.ring_timeout_seconds
    return Callee(
        contact.label,
        contact,
        user,
        contact.address if contact.kind == "phone" else None,
        group.ref if group else None,
        "forward" if contact.kind == "phone" else "member",
        timedelta(seconds=min(180, max(1, seconds))),
    )


async def said(call: Call, *sounds: Sound) -> None:
    """Play to the end."""
    playback = call.play(*sounds)
    while not (isinstance(event := await call.next(), Played) and event.playback == playback):
        pass
