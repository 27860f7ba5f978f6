# SPDX-License-Identifier: Apache-2.0
"""Ids of a file: 1, 2, 3 … of each kind, so that the same configuration has the same file wherever its rows lie."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from engine.errors import Refused
from engine.i18n import N_
from engine.snapshot import EXTENSION, Ref, Snapshot, User
from engine.snapshot.pointers import Renamed, pointers


def identities(whole: Snapshot) -> Iterator[Ref]:
    """Everything that has an id of its own."""
    for element in whole.elements():
        yield element.ref
    for user in whole.core.users:
        yield from (Ref("core.contact", contact.id) for contact in user.contacts)
    yield from (Ref("core.sip_account", account.id) for account in whole.core.sip_accounts)


def in_order(whole: Snapshot, owner: int | None) -> Mapping[str, Sequence[Ref]]:
    """The things of each kind by age; what every account has from its beginning, its owner and the PBX itself, comes first."""
    first = {Ref(User.kind, owner) if owner is not None else None, whole.root.ref if whole.root else None}
    found: dict[str, list[Ref]] = {}
    for ref in identities(whole):
        found.setdefault(ref.kind, []).append(ref)
    return {kind: sorted(refs, key=lambda ref: (ref not in first, ref.id)) for kind, refs in found.items()}


def naming(whole: Snapshot, names: Mapping[Ref, int]) -> Renamed:
    """References by their new ids. What lies outside the configuration (Telegram's chats) is left out.

    Raises Refused for something that is pointed at and has no name.
    """
    outside = {p.target.kind for e in whole.elements() for p in pointers(e) if p.field.by_id is not None} - {ref.kind for ref in names}

    def name(ref: Ref) -> Ref | None:
        if ref.id == 0 or ref.kind == EXTENSION:
            return ref  # what has no id of its own, or a number that people dial
        owner = whole.owner(ref)
        if owner in names:
            return Ref(ref.kind, names[owner])
        if ref.kind in outside and not ref.kind.startswith("core."):
            return None
        raise Refused(N_("Something points at “{ref}”, which is not there."), ref=str(ref))

    return name
