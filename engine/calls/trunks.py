# SPDX-License-Identifier: Apache-2.0
"""How a callee is reached: dial string, trunk and shown number, decided from the snapshot alone (R16, R19)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from engine.calls.call import Callee, Caller
from engine.calls.causes import GATEWAY_DOWN, INVALID_NUMBER_FORMAT, NORMAL_CIRCUIT_CONGESTION, USER_NOT_REGISTERED
from engine.calls.presence import Registration
from engine.db.secrets import mark
from engine.esl.command import is_destination
from engine.numbering import is_emergency, national
from engine.snapshot import Branch, Did, Ref, Snapshot, Trunk, User


@dataclass(frozen=True, slots=True)
class Route:
    """One way to place a leg. `refusal` is a hangup cause when there is none."""

    dial_string: str = ""
    caller_number: str = ""
    caller_name: str = ""
    trunk: int | None = None
    refusal: str = ""


GATEWAY_PREFIX = "trunk-"
"""Gateways of other names in a FreeSWITCH are not ours."""


def gateway_name(trunk_id: int) -> str:
    """The switch's name of a trunk: `sofia/gateway/<name>/<number>` calls through it.

    A provider we register with calls the Contact we gave him, `gw+<name>@…`, from whatever address he likes. So the name
    is what proves that it is he, and nobody else can know it: it holds a mark of the installation's key.
    Raises SettingsError before the key is set up.
    """
    return f"{GATEWAY_PREFIX}{trunk_id}-{mark(f'gateway {trunk_id}')}"


def outbound_did(snapshot: Snapshot, user: User | None, group: Ref | None) -> Did | None:
    """The number a call shows: the user's own, else his group's, its parents', …, else the oldest one still connected (GRP-2)."""
    wanted: list[Ref | None] = [user.outbound if user else None]
    branch = snapshot.get(group, Branch)
    if branch is not None:
        wanted.extend(b.outbound for b in snapshot.ancestors(branch))
    for ref in wanted:
        did = snapshot.get(ref, Did)
        if did is not None and _usable(snapshot, did):
            return did
    return min((d for d in snapshot.core.dids if _usable(snapshot, d)), key=lambda d: (d.connected, d.id), default=None)


def _usable(snapshot: Snapshot, did: Did) -> bool:
    trunk = snapshot.trunks.get(did.trunk.id)
    return trunk is not None and trunk.active and (trunk.registers or bool(trunk.server))


def shown_to_people(number: str | None) -> str:
    """A caller's number as phones should show and dial it back."""
    return national(number) if number and number.startswith("+") else number or "anonymous"


def to_sip(
    snapshot: Snapshot, callee: Callee, caller: Caller, phones: tuple[Registration, ...], shown: str | None
) -> tuple[Route, ...]:
    """A leg to each registered phone of the login: it sees the caller (R19).

    Each is dialled by itself, since a leg has one channel: the engine must know which of them has answered. Only a contact
    that can't stand in a dial string leaves it to the switch to find the phones.
    """
    if callee.contact is None or not phones:
        return (Route(refusal=USER_NOT_REGISTERED),)
    group = snapshot.element(callee.group) if callee.group else None
    # FreeSWITCH puts the name between quotes as it is: one more of them, and no phone can be reached
    name = " · ".join(part for part in (group.title if group else "", caller.name) if part).replace('"', "”")
    places = [f"sofia/internal/{phone.contact}" for phone in phones]
    if len(phones) == 1 or not all(is_destination(place) for place in places):
        places = [f"user/{callee.contact.address}@{phones[-1].host}"]
    return tuple(Route(place, shown or shown_to_people(caller.number), name) for place in places)


def to_number(
    snapshot: Snapshot, callee: Callee, caller: Caller, dialled_did: str, in_use: Callable[[int], int], shown: str | None,
    without: Collection[int] = (),
) -> Route:  # fmt: skip
    """A leg through a trunk that has a channel free. A forwarded outsider keeps his number only where the trunk passes foreign ones (R19).

    `without`: trunks that have just failed.
    """
    found = line_for(snapshot, callee, caller, dialled_did, in_use, without)
    if isinstance(found, str):
        return Route(refusal=found)
    trunk, did = found
    number = number_of(callee)
    # nobody is shown his own number: who has ordered the call is also the one called
    foreign = caller.number if _as_outsider(callee, caller) and trunk.passes_foreign and caller.number != number else None
    digits = number.removeprefix("+")
    return Route(f"sofia/gateway/{gateway_name(trunk.id)}/{digits}", (shown or foreign or did.number).removeprefix("+"), "", trunk.id)


def number_of(callee: Callee) -> str:
    """The outside number a leg is dialled to; "" when there is none."""
    return callee.number or (callee.contact.address if callee.contact else "")


def _as_outsider(callee: Callee, caller: Caller) -> bool:
    """R23: in CallOut he is an employee, whose own number is shown."""
    return caller.external and callee.reason != "callout"


def line_for(
    snapshot: Snapshot, callee: Callee, caller: Caller, dialled_did: str, in_use: Callable[[int], int], without: Collection[int] = ()
) -> tuple[Trunk, Did] | str:
    """The trunk that takes a leg and the number of ours it goes by, or the hangup cause when there is none (R16)."""
    number = number_of(callee)
    if not number:
        return INVALID_NUMBER_FORMAT
    wanted = snapshot.did(dialled_did) if _as_outsider(callee, caller) else None
    did = wanted if wanted and _usable(snapshot, wanted) else outbound_did(snapshot, callee.user, callee.group)
    if did is None:
        return GATEWAY_DOWN
    for trunk in _trunks_for(snapshot, did):
        full = trunk.channels and in_use(trunk.id) >= trunk.channels and not is_emergency(number)
        if not full and trunk.id not in without:
            return trunk, did
    return NORMAL_CIRCUIT_CONGESTION


def _trunks_for(snapshot: Snapshot, did: Did) -> list[Trunk]:
    """The DID's own trunk first, then those allowed to show it (R16)."""
    own = snapshot.trunks.get(did.trunk.id)
    others = [t for t in snapshot.core.trunks if did.ref in t.may_show and t.id != did.trunk.id]
    return [t for t in ([own] if own else []) + others if t.active and (t.registers or t.server)]
