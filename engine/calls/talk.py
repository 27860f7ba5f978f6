# SPDX-License-Identifier: Apache-2.0
"""The bridged phase of a call: talk to its true end, holds with their limit (R14), transfers by phones, codes of employees (R21)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from engine.calls.call import Call, Ended, Event, Held, Joined, Key, Leg, Parted, Step, TimeUp, TransferAsked
from engine.calls.causes import BLIND_TRANSFER, CALL_REJECTED
from engine.calls.codes import DIALLED, Code, CodeReader, Heard
from engine.snapshot import Ref


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


@dataclass(frozen=True, slots=True)
class Coded:
    """An employee has typed a code; the two are still joined."""

    code: Code
    by: Leg
    other: Leg
    """Whom the served party talks with."""


TalkEnd: TypeAlias = Over | HoldExpired | Transfer | Coded


PATIENCE: Final = timedelta(seconds=3)
"""A switch that does not say that it has parted two is not waited for longer."""


class TypedKeys:
    """What employees type while they talk: codes are heard, all else goes on to whoever they talk with. Of one talk.

    The switch passes on no key of an employee by itself when there are codes, and every key of anybody else.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        codes = call.snapshot.codes.feature_codes()
        self._codes = {feature: patterns for feature, patterns in codes.items() if patterns and feature not in DIALLED}
        self._readers: dict[Leg, CodeReader] = {}

    def due(self, until: datetime | None) -> datetime | None:
        """When `take` is to be shown a TimeUp, or `until`, whichever is sooner."""
        moments = [reader.deadline for reader in self._readers.values() if reader.deadline is not None]
        return min((*moments, until) if until is not None else moments, default=None)

    def take(self, event: Event, partners: Mapping[Leg, Leg], by: Leg | None = None) -> tuple[Leg, Code] | None:
        """The code that is complete now, and who typed it. `partners`: who hears whom; `by`: only his codes count."""
        if not self._codes or not isinstance(event, Key | TimeUp):  # a pause that is over waits until what has happened is dealt with
            return None
        now = self._call.now
        for leg in list(self._readers):
            if (code := self._hear(leg, self._readers[leg].expire(now), partners)) is not None:
                return leg, code
        if not isinstance(event, Key) or not event.leg.contact:
            return None
        leg = event.leg
        if by is not None and leg != by:
            self._pass(leg, event.digit, partners)
            return None
        reader = self._readers.setdefault(leg, CodeReader(self._codes))
        code = self._hear(leg, reader.press(event.digit, now), partners)
        return (leg, code) if code is not None else None

    def _hear(self, leg: Leg, heard: list[Heard], partners: Mapping[Leg, Leg]) -> Code | None:
        found: Code | None = None
        for one in heard:
            if isinstance(one, Code):
                found = one
            else:
                self._pass(leg, one.digits, partners)
        return found

    def _pass(self, leg: Leg, digits: str, partners: Mapping[Leg, Leg]) -> None:
        if leg in partners:
            self._call.send_keys(partners[leg], digits)


async def converse(
    call: Call,
    other: Leg,
    max_hold: timedelta | None = None,
    *,
    joined: bool = False,
    goes_on: bool = False,
    meets: Callable[[Leg, Ref | None], None] = lambda leg, group: None,
) -> TalkEnd:
    """Join the served party with `other` (unless they are `joined` already) and stay until the talk is over.

    `goes_on`: it was not interrupted, and is not told anew. `meets` is told of everybody who begins to talk with the served party,
    and of the group he was rung for where that is news. CallGone when the served party leaves.
    """
    if not joined and not goes_on:
        meets(other, None)
        call.bridge(call.party, other)
    if not goes_on:
        call.note(Step("talk", {"who": other.label}))
    until: datetime | None = None
    keys = TypedKeys(call)
    while True:
        event = await call.next(keys.due(until))
        typed = keys.take(event, {call.party: other, other: call.party})
        if typed is not None:
            return Coded(typed[1], typed[0], other)
        match event:
            case Ended(leg, cause) if leg == other:
                call.note(Step("talk_over", {"who": leg.label, "cause": cause}))
                return Over(cause)
            case Joined(leg, instead_of, group) if instead_of is None or instead_of == other:
                other = leg  # attended transfer made by the phone, or picked up
                until = None
                meets(other, group)
                call.note(Step("talk", {"who": other.label}))
            case Held(leg, on) if leg == other:
                call.note(Step("held" if on else "resumed", {"by": leg.label}))
                until = call.now + max_hold if on and max_hold is not None else None
            case TimeUp() if until is not None and call.now >= until:
                call.note(Step("hold_expired", {"by": other.label}))
                call.part(call.party, other)  # FreeSWITCH loses a caller who is to hear something before his bridge is over
                await parted(call)
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


async def parted(call: Call) -> frozenset[Leg]:
    """Wait until they are; who has hung up meanwhile."""
    until, ended = call.now + PATIENCE, set[Leg]()
    while True:
        match await call.next(until):
            case Parted() | TimeUp():
                return frozenset(ended)
            case Ended(leg):
                ended.add(leg)
