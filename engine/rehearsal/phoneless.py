# SPDX-License-Identifier: Apache-2.0
"""Users who can never be rung, and whatever leads calls to them; for the check of the settings."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Set
from typing import Final

from engine.i18n import N_
from engine.numbering import pretty
from engine.rehearsal.reach import leads
from engine.routing.action import RoutingAction
from engine.routing.basic import HANGUP, NOTHING, REPEAT
from engine.snapshot import EXTENSION, Branch, Did, Finding, Ref, Snapshot, Target, User

NO_CONTACTS: Final = N_(
    "“{title}” leads calls to “{user}”, who has no contacts: no phone rings, and the call ends there. "
    "Add a contact to the user, or choose another action."
)
SWITCHED_OFF: Final = N_(
    "“{title}” leads calls to “{user}”, whose contacts are switched off: no phone rings, and the call ends there. "
    "Switch a contact on, or choose another action."
)
NO_ACCOUNT: Final = N_(
    "“{title}” leads calls to “{user}”, whose contact has no SIP account: no phone can register, and the call ends there. "
    "Set a SIP password for it, or choose another action."
)
INACTIVE: Final = N_(
    "“{title}” leads calls to “{user}”, who is switched off: no phone rings, and the call ends there. "
    "Switch the user on, or choose another action."
)
SILENT: Final = N_(
    "No phone rings when these internal numbers are dialled, since their users have none: {users}. "
    "That is as it should be if they only use the cabinet; otherwise give them a phone or a voicemail."
)
_MOST: Final = 10
"""Users who are named in one line."""


def led_to_nobody(snapshot: Snapshot, actions: Mapping[str, RoutingAction], reach: Set[Ref]) -> list[Finding]:
    """Numbers, menus and no-answer actions that calls come to and that lead to such a user, while nothing follows him."""
    deaf = {user.ref: user for user in snapshot.core.users if not snapshot.can_ring(user)}
    if not deaf:
        return []
    found: dict[tuple[Ref, Ref], Finding] = {}
    for ref in sorted(reach):
        if ref.kind == EXTENSION:
            continue  # what leads there is looked at itself
        for target in leads(snapshot, actions, ref):
            user = deaf.get(_whose(snapshot, target))
            holder = _holder(snapshot, ref) if user is not None else None
            if user is not None and holder is not None and not _taken_over(snapshot, holder, user):
                title = _title(snapshot, holder)
                found[holder, user.ref] = Finding("warning", user.ref, _reason(user), {"title": title, "user": user.title})
    return list(found.values())


def silent_numbers(snapshot: Snapshot, told: Collection[Ref | None]) -> Iterator[Finding]:
    """The internal numbers of users without a phone, in one hint; users of whom something worse is `told` are left out."""
    silent = [
        f"{user.title} ({user.extension})"
        for user in snapshot.core.users
        if user.active and user.extension and user.ref not in told and not snapshot.can_ring(user) and not snapshot.stand_in(user.ref)
    ]
    if silent:
        yield Finding("hint", None, SILENT, {"users": ", ".join(_brief(silent))})


def _brief(names: list[str]) -> Iterable[str]:
    return names if len(names) <= _MOST else [*names[:_MOST], "…"]


def _whose(snapshot: Snapshot, target: Target) -> Ref:
    """The target itself, or whoever has the internal number that it is."""
    return snapshot.owner(target) if target.kind == EXTENSION else target


def _holder(snapshot: Snapshot, ref: Ref) -> Ref | None:
    """Whose setting it is: what follows a user is the no-answer action of his first group (R8)."""
    if ref.kind != User.kind:
        return ref
    own = snapshot.first_group(ref.id) or snapshot.root
    return own.ref if own is not None else None


def _taken_over(snapshot: Snapshot, holder: Ref, user: User) -> bool:
    """Whether the call goes on after him (R8). Whom a group falls back on is the last one."""
    led_by = snapshot.get(holder, Branch)
    if led_by is not None and led_by.falls_back:
        return False
    own = snapshot.first_group(user.id) or snapshot.root
    after = own.fallback() if own is not None else None
    return after == REPEAT or (after not in (None, NOTHING, HANGUP) and _whose(snapshot, after) != user.ref)


def _reason(user: User) -> str:
    if not user.active:
        return INACTIVE
    if not user.contacts:
        return NO_CONTACTS
    return NO_ACCOUNT if any(contact.active for contact in user.contacts) else SWITCHED_OFF


def _title(snapshot: Snapshot, ref: Ref) -> str:
    element = snapshot.element(ref)
    if isinstance(element, Did):
        return pretty(element.number)
    return element.title if element is not None else str(ref)
