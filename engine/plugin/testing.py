# SPDX-License-Identifier: Apache-2.0
"""Test doubles for plugin authors: a small office as a snapshot, and rehearsals in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from engine.calls.call import Caller
from engine.rehearsal import Rehearsal, Script, rehearse, rehearse_order
from engine.routing.action import Entry, RoutingAction
from engine.routing.basic import BASIC_ACTIONS
from engine.routing.order_action import OrderAction
from engine.snapshot import Account, Branch, Contact, CorePart, Did, Part, Ref, SipAccount, Snapshot, Trunk, User

AT = datetime(2026, 1, 14, 9, 0, tzinfo=UTC)
"""A Wednesday, 12:00 in Moscow."""
OUTSIDER = Caller("+79271234567", "", True, None, 1, "+74951234567")


def sip_user(number: int, *logins: str, **fields: object) -> User:
    """A user with extension and id `number` and one SIP contact per login (his extension by default)."""
    contacts = tuple(
        Contact(id=number * 10 + i, kind="sip", address=login, priority=1) for i, login in enumerate(logins or (str(number),))
    )
    values: dict[str, object] = {"extension": str(number), "contacts": contacts, **fields}
    return User(id=number, title=f"User {number}", **values)  # type: ignore[arg-type]  # a test double takes any field


def office(users: Sequence[User], parts: Mapping[str, Part], **account: object) -> Snapshot:
    """An account with one trunk, one DID (+7 495 123-45-67) and these users; extensions are taken from users and branches."""
    branches = [e for p in parts.values() for e in _branches(p)]
    extensions = [(u.extension, u.ref) for u in users if u.extension]
    extensions += [(b.extension, b.ref) for b in branches if b.extension]
    trunk = Trunk(id=1, title="Provider", registers=False, server="127.0.0.1", sources=("127.0.0.1/32",))
    core = CorePart(
        account=Account(id=1, number="100", title="Office", domain="office.test", **account),  # type: ignore[arg-type]  # as above
        users=tuple(users),
        sip_accounts=tuple(
            SipAccount(id=c.id, login=c.address, secret="", user=u.id, contact=c.id) for u in users for c in u.contacts if c.kind == "sip"
        ),
        trunks=(trunk,),
        dids=(Did(id=1, title="Main", number="+74951234567", trunk=trunk.ref, connected=1),),
        extensions=tuple(extensions),
    )
    return Snapshot(1, core, dict(parts))


def _branches(part: Part) -> list[Branch]:
    found: list[Branch] = []
    for name in part.__struct_fields__:
        value = getattr(part, name)
        if isinstance(value, tuple):
            found.extend(e for e in value if isinstance(e, Branch))
    return found


def try_call(
    snapshot: Snapshot,
    actions: Sequence[RoutingAction],
    target: Ref,
    script: Script | None = None,
    *,
    caller: Caller = OUTSIDER,
    seed: int = 1,
) -> Rehearsal:
    """Rehearse a call to `target` as a rule would send it there."""
    return rehearse(snapshot, _known(actions), Entry(target, "rule"), caller, script or Script(), AT, seed=seed)


def try_order(
    snapshot: Snapshot, actions: Sequence[RoutingAction], order: OrderAction, arguments: Mapping[str, Any], script: Script | None = None
) -> Rehearsal:
    """Rehearse an ordered call."""
    return rehearse_order(snapshot, _known(actions), order, arguments, script or Script(), AT)


def _known(actions: Sequence[RoutingAction]) -> dict[str, RoutingAction]:
    everything: list[RoutingAction] = [*BASIC_ACTIONS, *actions]
    return {a.kind: a for a in everything}


def steps(rehearsal: Rehearsal, *kinds: str) -> list[tuple[float, str, object]]:
    """(seconds, what, who or title) of the steps, or of those of some kinds."""
    wanted = [(at, s) for at, s in rehearsal.steps if not kinds or s.what in kinds]
    return [(at, s.what, s.facts.get("who") or s.facts.get("title") or s.facts.get("sound")) for at, s in wanted]
