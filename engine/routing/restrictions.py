# SPDX-License-Identifier: Apache-2.0
"""Which outside numbers may be called, and by whom (RST-1, R15–R18)."""

from __future__ import annotations

from collections.abc import Iterable

from engine.numbering import is_emergency, national, to_e164
from engine.snapshot import Snapshot, User


def is_forbidden(snapshot: Snapshot, user: User | None, number: str) -> bool:
    """RST-1, R15, R18: by a prefix of the user's own, of one of his groups or a group around it, or of the PBX."""
    groups = snapshot.groups_of(user.id) if user is not None else ()
    branches = {b.ref: b for group in groups for b in snapshot.ancestors(group)}
    prefixes = [p for b in branches.values() for p in b.forbidden_prefixes]
    if snapshot.root is not None and snapshot.root.ref not in branches:
        prefixes += snapshot.root.forbidden_prefixes
    return starts_with(number, (*prefixes, *(user.forbidden_prefixes if user is not None else ())))


def client_forbidden(snapshot: Snapshot, number: str) -> bool:
    """R18: whether a client who has asked for it may not be called (CallBack, widget); the restrictions of employees are not for him."""
    return starts_with(number, snapshot.account.client_prefixes)


def starts_with(number: str, prefixes: Iterable[str]) -> bool:
    """R18: a prefix in the national or the international form works; emergency calls are never stopped (R17)."""
    if is_emergency(number):
        return False
    forms = (number, number.removeprefix("+"), national(number))
    return any(form.startswith(prefix) for prefix in prefixes if prefix for form in forms)


def outside_number(snapshot: Snapshot, dialled: str) -> str | None:
    """What to dial for these digits, in E.164 or an emergency number; None when they are no number (R16)."""
    return dialled if is_emergency(dialled) else to_e164(dialled, snapshot.account.area_code)
