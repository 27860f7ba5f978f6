# SPDX-License-Identifier: Apache-2.0
"""Who calls, and where a call that is let in starts: decided from the snapshot alone, for real calls and rehearsed ones alike (R5)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from engine.calls.call import Call, Caller
from engine.calls.causes import NORMAL_TEMPORARY_FAILURE
from engine.calls.codes import is_code
from engine.facts.ended import Direction
from engine.numbering import to_e164
from engine.routing.action import Done, Entry, GoTo, Hangup, Missed, RoutingAction
from engine.routing.pickup import pick_up
from engine.routing.router import Router
from engine.snapshot import Contact, Did, Ref, Snapshot

DID_KIND: Final = "core.did"
"""The routing action that applies a number's rules; without its plugin calls go to the root group."""

@dataclass(frozen=True, slots=True)
class PickUp:
    """An employee has dialled the code that fetches a call which rings in one of his groups (R15)."""

    user: int


Start: TypeAlias = Entry | GoTo | PickUp | None
"""None: there is nowhere to go."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A call that is let in. `contact`: whose phone it is, None for a caller from outside."""

    caller: Caller
    direction: Direction
    contact: Contact | None = None


def by_line(snapshot: Snapshot, did: Did, lines: Collection[int], presented: str | None, name: str) -> Arrival | None:
    """A call from outside to one of our numbers; None when it came by none of this customer's `lines` (ids of trunks).

    Providers bring a number by any line of its customer (R5): its own one, if it may be that, else the oldest.
    """
    own = [line for line in lines if line in snapshot.trunks]
    if not own:
        return None
    trunk = did.trunk.id if did.trunk.id in own else min(own)
    return Arrival(Caller(presented, name, True, None, trunk, did.number), "in")


def by_phone(snapshot: Snapshot, login: str, dialled: str) -> Arrival | None:
    """A call from the phone with this SIP login; None when it is nobody's."""
    account = snapshot.sip_accounts.get(login)
    owner = snapshot.contacts.get(account.contact) if account else None
    if account is None or owner is None or not owner[0].active:
        return None
    user, contact = owner
    caller = Caller(user.extension or account.login, user.title, False, user.id, None, dialled)
    direction: Direction = "internal"
    if snapshot.extension(dialled) is None and not _fetches(snapshot, dialled):
        # our own number needs no provider; such a call is served and missed like one from outside
        direction = "in" if own_number(snapshot, dialled) is not None else "out"
    return Arrival(caller, direction, contact)


def to_number(snapshot: Snapshot, actions: Mapping[str, RoutingAction], did: Ref) -> Start:
    """A call to one of our numbers: its rules, else the root group."""
    if DID_KIND in actions:
        return Entry(did, "rule")
    return Entry(snapshot.root.ref, "root") if snapshot.root is not None else None


def dialled(snapshot: Snapshot, actions: Mapping[str, RoutingAction], number: str, user: int) -> Start:
    """An employee has dialled something: an extension, a number of ours, or one outside."""
    target = snapshot.extension(number)
    if target is not None:
        return Entry(target, "extension")
    if _fetches(snapshot, number):
        return PickUp(user)
    own = own_number(snapshot, number)
    return to_number(snapshot, actions, own.ref) if own is not None else GoTo(number, user, reason="outgoing")


def start_of(snapshot: Snapshot, actions: Mapping[str, RoutingAction], caller: Caller) -> Start:
    """Where the call of this caller starts, from outside or from a phone."""
    if not caller.external:
        return dialled(snapshot, actions, caller.dialled, caller.user or 0)
    did = own_number(snapshot, caller.dialled)
    return to_number(snapshot, actions, did.ref) if did is not None else None


async def begin(call: Call, router: Router, start: Start) -> Done | Hangup | Missed:
    """Serve the call from its start to its end. Raises CallGone."""
    match start:
        case Entry():
            return await router.route(call, start)
        case GoTo():
            return await router.follow(call, start)
        case PickUp(user):
            return await pick_up(call, user)
        case None:
            return Hangup(NORMAL_TEMPORARY_FAILURE)


def _fetches(snapshot: Snapshot, number: str) -> bool:
    return is_code(snapshot.codes.feature_codes(), "pickup", number)


def own_number(snapshot: Snapshot, dialled: str) -> Did | None:
    return snapshot.did(to_e164(dialled, snapshot.account.area_code) or "")
