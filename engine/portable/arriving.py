# SPDX-License-Identifier: Apache-2.0
"""A configuration file into an account that holds nothing yet; all of it, or nothing."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from engine.db import models
from engine.db.keys import reserve
from engine.db.row import AccountRow
from engine.db.secrets import encrypt
from engine.errors import Invalid, Problem, Refused
from engine.i18n import N_
from engine.numbering import pretty
from engine.portable.document import Document, part_of, read
from engine.portable.names import identities, in_order, naming
from engine.portable.sounds import discard, unpacked, with_paths
from engine.revisions import Actor, CoreStore, Edit, Revisions
from engine.revisions.rollback import restore_parts
from engine.revisions.saving import Store, findings
from engine.snapshot import Account, Branch, CorePart, Element, Part, Ref, Snapshot, SoundElement, User
from engine.snapshot.pointers import renamed
from engine.snapshot.rows import ElementStore

NOTE = "⇐"
"""How a revision that came from a file is noted."""
NOT_EMPTY = N_("This account has settings already ({what}); a file can only be taken into an empty one.")
TAKEN = N_(
    "Another PBX of this installation has these numbers already: {numbers}. Disconnect them there, or take them out of the file, "
    "and take it over again."
)
ABSENT = N_("The file has settings of plugins that do not run here: {plugins}.")
_TABLES: Mapping[str, type[AccountRow]] = {
    "core.user": models.User, "core.contact": models.Contact, "core.sip_account": models.SipAccount, "core.trunk": models.Trunk,
    "core.did": models.Did,
}  # fmt: skip


async def take_in(revisions: Revisions, account_id: int, actor: Actor, data: bytes, media: Path) -> Snapshot:
    """Fill an empty account from a file. Its number and SIP domain stay, and so does its owner's way into the cabinet.

    Raises Refused, Invalid, InUse; then neither rows nor sounds are kept.
    """
    document = await asyncio.to_thread(read, data)
    there = await asyncio.to_thread(_brought, document, revisions.snapshot(account_id).account, dict(revisions.stores))
    elements = [element for element in there.elements() if isinstance(element, SoundElement)]
    _refuse_used(revisions.snapshot(account_id), await _owner(account_id))  # before anything is written; asked again inside
    folder = media / "voice" / str(account_id)
    paths = await asyncio.to_thread(unpacked, elements, document.sounds, folder, f"voice/{account_id}")
    try:
        async with revisions.edit(account_id, actor) as edit:
            await _fill(edit, there, document, paths, revisions)
            edit.note(NOTE)
    except BaseException:
        await asyncio.to_thread(discard, folder, paths)
        raise
    return revisions.snapshot(account_id)


def _brought(document: Document, account: Account, stores: Mapping[str, Store]) -> Snapshot:
    """The file's configuration, with its own ids. Raises Refused."""
    known: dict[str, type[Part]] = {name: store.part for name, store in stores.items()}
    absent = [name for name, data in document.parts.items() if name not in (*known, "core") and _holds_something(data)]
    if absent:
        raise Refused(ABSENT, plugins=", ".join(sorted(absent)))
    data = document.parts.get("core")
    if not isinstance(data, dict) or not isinstance(data.get("account"), dict):
        raise Refused(N_("The file has no main settings."))
    own = {"id": account.id, "number": account.number, "domain": account.domain}
    if taken := [name for name in own if name in data["account"]]:
        raise Refused(N_("The file says something this version does not know: {field}."), field=f"core.account.{taken[0]}")
    core = part_of("core", {**data, "account": {**data["account"], **own}}, CorePart)
    parts = {name: part_of(name, data, known[name]) for name, data in document.parts.items() if name in known}
    whole = Snapshot(0, msgspec.structs.replace(core, users=tuple(msgspec.structs.replace(u, role="user") for u in core.users)), parts)
    _refuse_doubles(whole)
    found = findings(whole, CoreStore(), {name: store for name, store in stores.items() if name in parts})
    if wrong := [Problem("", finding.message, **finding.params) for finding in found if finding.severity == "error"]:
        raise Invalid(wrong)
    return whole


def _holds_something(data: Any) -> bool:
    return not isinstance(data, dict) or any(value for key, value in data.items() if key != "version")


def _refuse_doubles(whole: Snapshot) -> None:
    """Ids are one of a kind and above zero."""
    listed = [e for part in (whole.core, *whole.parts.values()) for name in part.__struct_fields__ for e in _elements(getattr(part, name))]
    refs = [e.ref for e in listed] + [ref for ref in identities(whole) if whole.element(ref) is None]
    for ref, times in Counter(refs).items():
        if ref.id < 1 or times > 1:
            raise Refused(N_("The file names “{ref}” twice, or with an id below 1."), ref=str(ref))


def _elements(value: object) -> list[Element]:
    return [item for item in value if isinstance(item, Element)] if isinstance(value, tuple) else []


async def _owner(account_id: int, tx: Any = None) -> int | None:
    row = await models.User.of(account_id, tx).filter(is_owner=True).first()
    return row.id if row else None


def _refuse_used(whole: Snapshot, owner: int | None) -> None:
    """Empty is what `vats account create` makes: the owner without phones, and the PBX itself."""
    root = whole.root
    own = {Ref(User.kind, owner) if owner is not None else None, root.ref if root else None}
    there = [e.title for e in whole.elements() if e.ref not in own] + [c.address for u in whole.core.users for c in u.contacts]
    if there:
        raise Refused(NOT_EMPTY, what=", ".join(there[:5]) + (" …" if len(there) > 5 else ""))


async def _refuse_taken(numbers: Sequence[str], tx: Any) -> None:
    """An outside number belongs to one account of an installation; this one has none yet."""
    rows = await models.Did.filter(number__in=numbers).using_db(tx).order_by("number")
    if rows:
        raise Refused(TAKEN, numbers=", ".join(pretty(row.number) for row in rows))


async def _fill(edit: Edit, there: Snapshot, document: Document, paths: Mapping[str, str], revisions: Revisions) -> None:
    owner = await _owner(edit.account_id, edit.tx)
    _refuse_used(edit.before, owner)
    names = await _names(edit, there, document.owner, owner, revisions.stores)
    name = naming(there, names)
    parts: dict[str, Part] = {}
    for plugin, part in {"core": there.core, **there.parts}.items():
        parts[plugin] = renamed(_placed(part, paths), name)
    core = _locked(parts["core"])
    himself = edit.before.get(Ref(User.kind, owner), User) if owner is not None else None
    if himself is not None and all(user.id != owner for user in core.users):  # the file names no owner: he stays beside its users
        core = msgspec.structs.replace(core, users=(himself, *core.users))
    parts["core"] = core
    await _refuse_taken([did.number for did in there.core.dids], edit.tx)
    await restore_parts(edit.account_id, parts, revisions.core, revisions.stores, edit.tx)


async def _names(edit: Edit, there: Snapshot, their_owner: int | None, owner: int | None, stores: Mapping[str, Store]) -> dict[Ref, int]:
    """New ids, the owner's and the PBX's being those they have here already."""
    kept: dict[Ref, int] = {}
    if their_owner is not None and owner is not None and there.element(Ref(User.kind, their_owner)) is not None:
        kept[Ref(User.kind, their_owner)] = owner
    root, here = there.root, edit.before.root
    if isinstance(root, Branch) and isinstance(here, Branch) and root.kind == here.kind:
        kept[root.ref] = here.id
    tables = dict(_TABLES)
    for store in stores.values():
        if isinstance(store, ElementStore):
            tables |= store.tables
    names = dict(kept)
    for kind, refs in in_order(there, their_owner).items():
        fresh = [ref for ref in refs if ref not in kept]
        if kind not in tables:
            raise Refused(N_("Settings of the kind “{kind}” can’t be taken in."), kind=kind)
        names |= zip(fresh, await reserve(tables[kind], len(fresh), edit.tx), strict=True)
    return names


def _placed(part: Part, paths: Mapping[str, str]) -> Part:
    changes = {}
    for field in part.__struct_fields__:
        value = getattr(part, field)
        if isinstance(value, tuple) and any(isinstance(item, SoundElement) for item in value):
            changes[field] = tuple(with_paths(item, paths) if isinstance(item, SoundElement) else item for item in value)
    return msgspec.structs.replace(part, **changes) if changes else part


def _locked(core: Part) -> CorePart:
    """Passwords encrypted with this installation's key; a phone without one gets a new one, which nobody knows before it is set anew."""
    if not isinstance(core, CorePart):
        raise Invalid([])
    return msgspec.structs.replace(
        core,
        sip_accounts=tuple(msgspec.structs.replace(a, secret=encrypt(a.secret or secrets.token_urlsafe(16))) for a in core.sip_accounts),
        trunks=tuple(msgspec.structs.replace(t, secret=encrypt(t.secret) if t.secret else "") for t in core.trunks),
    )
