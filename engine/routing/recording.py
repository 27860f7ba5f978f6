# SPDX-License-Identifier: Apache-2.0
"""Which talks are recorded, where to (R13), and the phrase that tells the caller so before anybody rings (PBX-4)."""

from __future__ import annotations

from collections.abc import Iterable

from engine.calls.call import Call, Leg, Step
from engine.routing.action import Nesting
from engine.routing.saying import said
from engine.snapshot import Branch, Ref, User


def recording_path(call: Call) -> str:
    """Where the conversation's recording lies, relative to the media root; known before and after a restart."""
    return f"recordings/{call.snapshot.account.id}/{call.now:%Y/%m}/{call.id}.wav"


def is_recorded(call: Call, router: Nesting, user: User | None, group: Ref | None) -> bool:
    """R13: the flag of a user on either side, or of any group on the call's way; outgoing, of the caller's own group."""
    own = (call.snapshot.users.get(number or 0) for number in (call.caller.user, call.party.user))
    branches = (call.snapshot.get(ref, Branch) for ref in (*(e.target for e in router.trail), group))
    return any(it is not None and it.recording for it in (user, *own, *branches))


def record_if_due(call: Call, router: Nesting, other: Leg, group: Ref | None) -> None:
    """Begin the conversation's recording when the party's talk with `other` is to be recorded; one that runs goes on."""
    if router.recording is None and is_recorded(call, router, call.snapshot.users.get(other.user or 0), group):
        call.answer()  # a switch records no channel without media
        router.recording = call.record(call.party, recording_path(call))


async def tell_of_recording(call: Call, router: Nesting, users: Iterable[User], group: Ref | None = None) -> None:
    """An outside caller who is about to reach one of `users` hears the notice of the PBX if that talk may be recorded; once a call."""
    notice = call.snapshot.sound(call.snapshot.account.recording_notice)
    if notice is None or router.told_of_recording or not call.caller.external:
        return
    if not any(is_recorded(call, router, user, group) for user in users):
        return
    router.told_of_recording = True
    call.answer()
    call.note(Step("recording_notice"))
    await said(call, notice)
