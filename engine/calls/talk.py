# SPDX-License-Identifier: Apache-2.0
"""The bridged phase of a call: talk to its true end, holds with their limit (R14), transfers asked by phones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from engine.calls.call import Call, Ended, Held, Joined, Leg, Step, TimeUp, TransferAsked
from engine.calls.causes import BLIND_TRANSFER, CALL_REJECTED


@dataclass(frozen=True, slots=True)
class Over:
    """The other party ended the talk."""

    cause: str


@dataclass(frozen=True, slots=True)
class HoldExpired:
    """The served party was held for too long; the holder's leg is gone."""

    holder: Leg


@dataclass(frozen=True, slots=True)
class Transfer:
    """The other party sends the served one to `number` and has left."""

    number: str
    by: Leg


TalkEnd: TypeAlias = Over | HoldExpired | Transfer


async def converse(call: Call, other: Leg, max_hold: timedelta | None = None, *, joined: bool = False) -> TalkEnd:
    """Join the served party with `other` (unless they are `joined` already) and stay until the talk is over.

    CallGone when the served party leaves.
    """
    if not joined:
        call.bridge(call.party, other)
    call.note(Step("talk", {"who": other.label}))
    until: datetime | None = None
    while True:
        match await call.next(until):
            case Ended(leg, cause) if leg == other:
                call.note(Step("talk_over", {"who": leg.label, "cause": cause}))
                return Over(cause)
            case Joined(leg, instead_of) if instead_of is None or instead_of == other:
                other = leg  # attended transfer made by the phone, or picked up
                until = None
                call.note(Step("talk", {"who": other.label}))
            case Held(leg, on) if leg == other:
                call.note(Step("held" if on else "resumed", {"by": leg.label}))
                until = call.now + max_hold if on and max_hold is not None else None
            case TimeUp():
                call.note(Step("hold_expired", {"by": other.label}))
                call.release(other)
                return HoldExpired(other)
            case TransferAsked(by, number) if by.external:
                # he would make us call at the customer's cost; the switch refuses it already, and his phone has left
                call.note(Step("transfer_refused", {"by": by.label, "number": number}))
                call.release(by)
                return Over(CALL_REJECTED)
            case TransferAsked(by, number):  # by the other party, or by the one served until now
                call.note(Step("transfer_asked", {"by": by.label, "number": number}))
                call.release(by, BLIND_TRANSFER)
                return Transfer(number, by)
