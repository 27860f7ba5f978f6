# SPDX-License-Identifier: Apache-2.0
"""Calls from phones: an extension, or an outside number through a trunk (OUT-1, OUT-2, R16–R18)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from engine.calls import causes
from engine.calls.call import Call, Callee, Step
from engine.calls.ringing import Won, ring
from engine.routing.action import GoTo, Hangup, Missed, Outcome
from engine.routing.callees import TRANSFER_RINGS
from engine.routing.conversation import talk
from engine.routing.restrictions import is_forbidden, outside_number
from engine.routing.saying import said
from engine.snapshot import Sound

if TYPE_CHECKING:
    from engine.routing.router import Router

RING_TIMEOUT: Final = timedelta(seconds=120)
WRONG_NUMBER: Final = Sound("prompts/wrong-number.wav")
FORBIDDEN_NUMBER: Final = Sound("prompts/forbidden-number.wav")


async def dial_number(call: Call, wish: GoTo, router: Router) -> Outcome:
    """Call `wish.number` outside on behalf of `wish.user`."""
    number = outside_number(call.snapshot, wish.number)
    user = call.snapshot.users.get(wish.user or 0)
    if number is None:
        call.note(Step("wrong_number", {"number": wish.number}))
        return await _refused(call, wish, WRONG_NUMBER, causes.INVALID_NUMBER_FORMAT)
    if is_forbidden(call.snapshot, user, number):
        call.note(Step("forbidden_number", {"number": number}))
        return await _refused(call, wish, FORBIDDEN_NUMBER, causes.OUTGOING_CALL_BARRED)
    own = call.snapshot.first_group(user.id) if user is not None else None
    group = wish.group or (own.ref if own is not None else None)  # its number is shown, unless he has one of his own (GRP-2)
    seconds = TRANSFER_RINGS if wish.reason == "transfer" else RING_TIMEOUT
    callee = Callee(number, None, user, number, group, wish.reason, seconds, heard_early=True)
    call.ringback(None)
    match await ring(call, ((((callee,),),),)):
        case Won() as won:
            return await talk(call, router, won)
        case _ as nobody:
            cause = next(iter(getattr(nobody, "reasons", {}).values()), causes.NO_ANSWER)
            return Missed("no_answer", cause)


async def _refused(call: Call, wish: GoTo, phrase: Sound, cause: str) -> Outcome:
    """Who has dialled it hears why; a transferred caller, who has not, goes back to whoever sent him (R20)."""
    if wish.reason == "transfer":
        return Missed("transfer_failed", cause)
    await said(call, phrase)
    return Hangup(cause)
