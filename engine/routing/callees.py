# SPDX-License-Identifier: Apache-2.0
"""Whom ring plans ring: an employee's contacts, and for how long those of a transfer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Final

from engine.calls.call import Call, Callee, Leg, Step
from engine.snapshot import Account, Branch, Contact, Ref, User

TRANSFER_RINGS: Final = timedelta(seconds=20)
"""How long a transfer, or a consultation, is tried (R20), and then whoever the call comes back to (R14, R20)."""


def called_alone(call: Call, user: User, *, group: Branch | None = None) -> tuple[tuple[int, Callee], ...]:
    """The contacts of a user who is called by himself; the trace says so when he has none."""
    if not user.contacts:
        call.note(Step("skipped", {"who": user.title, "why": "no_contacts"}))
    return callees(user, call.snapshot.account, group=group)


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


def again(call: Call, leg: Leg, group: Ref | None) -> Callee | None:
    """How the employee of a leg is reached once more."""
    user, contact = call.snapshot.contacts.get(leg.contact or 0, (None, None))
    if user is None or contact is None:
        return None
    return replace(callee_of(user, contact, call.snapshot.account), group=group, timeout=TRANSFER_RINGS)
