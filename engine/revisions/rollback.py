# SPDX-License-Identifier: Apache-2.0
"""Back to an older revision, as a whole or with one element, inside an edit: what can't come back says why, and nothing is saved then."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from engine.db import Tx, models
from engine.errors import Invalid, NotFound, Problem
from engine.i18n import N_
from engine.revisions.checks import kinds_by_field
from engine.revisions.core_store import CoreStore
from engine.revisions.saving import Store, known_kinds
from engine.snapshot import Attached, Branch, CorePart, Element, Part, Ref, Snapshot, SoundElement, User
from engine.snapshot.pointers import pointers
from engine.snapshot.rows import assign_extension

P = TypeVar("P", bound=Part)

NO_SUCH = N_("In revision {number} this did not exist yet, or no longer.")
NEEDS = N_("“{title}” needs “{needed}”, which is no longer there. Bring that back first.")
SOUND_GONE = N_("The sound of “{title}” is no longer there, so it can’t come back.")
TAKEN = N_("The internal number {number} of “{title}” belongs to “{owner}” now.")
LOGIN_GOES = N_(
    "“{title}” did not exist then and can enter the cabinet: the login would be lost for good. Delete this user first if that is meant."
)
NO_ADMINISTRATOR = N_("No administrator was active then: nobody could enter the cabinet and change anything.")
PLACE_GONE = N_("“{title}” stood in “{needed}”, which is no longer there. Bring that back first.")


async def restore_parts(account_id: int, parts: Mapping[str, Part], core: CoreStore, stores: Mapping[str, Store], tx: Tx) -> None:
    """Make the rows equal to these parts; parts that are not named stay."""
    part = parts.get("core")
    if isinstance(part, CorePart):
        await core.restore(account_id, part, tx)
    for name, store in stores.items():
        if name in parts:
            await store.restore(account_id, parts[name], tx)


async def refuse_lost_logins(account_id: int, then: Mapping[str, Part], tx: Tx) -> None:
    """Raise Invalid for every user who would go with his login to the cabinet, since no revision holds it and no way forward brings it
    back; and when no administrator would be left who can enter."""
    core = then.get("core")
    if not isinstance(core, CorePart):
        return
    active = {user.id: user.active for user in core.users}
    with_login = await models.User.of(account_id, tx).filter(login__not_isnull=True).order_by("id")
    problems = [Problem("", LOGIN_GOES, title=row.title) for row in with_login if row.id not in active]
    administrators = [row for row in with_login if row.role == "admin" and row.active]
    if not problems and administrators and not any(active[row.id] for row in administrators):
        problems.append(Problem("", NO_ADMINISTRATOR))
    if problems:
        raise Invalid(problems)


def refuse_silent(before: Snapshot, after: Snapshot, media: Path | None) -> None:
    """Raise Invalid for what would come back without its sound: a file that was deleted since and whose sound is gone."""
    if media is None:
        return
    root, problems = media.resolve(), []
    for element in after.elements():
        if not isinstance(element, SoundElement) or ":" in element.path.partition("/")[0]:  # tone:…, silence:…
            continue
        known = before.get(element.ref, SoundElement)
        if known is not None and known.path == element.path:
            continue
        full = (root / element.path).resolve()
        if not full.is_relative_to(root) or not full.is_file():
            problems.append(Problem("", SOUND_GONE, title=element.title))
    if problems:
        raise Invalid(problems)


async def bring_back(
    account_id: int, now: Snapshot, then: Snapshot, ref: Ref | None, core: CoreStore, stores: Mapping[str, Store], tx: Tx
) -> str:
    """Make one element what it was, with whatever is attached to it, under its old key; `ref` None: the main settings of the PBX.

    A user comes back with his contacts, phones and internal number, and with his memberships when he has none now. Gives its title.
    Raises NotFound when it did not exist then; Invalid when something it needs is gone, or its internal number has another owner.
    """
    if ref is None:
        await core.restore(account_id, msgspec.structs.replace(now.core, account=then.account), tx)
        return then.account.title
    element = then.element(ref)
    if element is None:
        raise NotFound(NO_SUCH, number=then.revision)
    back = [element, *(e for e in then.elements() if isinstance(e, Attached) and e.parent == ref)]
    _refuse_lost(back, now, then, known_kinds(stores))
    parts: dict[str, Part] = {"core": now.core, **now.parts}
    changed = {name: _with(part, back) for name, part in parts.items()}
    if isinstance(element, User):
        changed["core"] = _with_phones(changed["core"], element, now, then)
        for name, part in changed.items():
            changed[name] = _with_memberships(part, element, now, then)
    await restore_parts(account_id, {n: p for n, p in changed.items() if p != parts[n]}, core, stores, tx)
    if isinstance(element, User | Branch):
        await assign_extension(account_id, ref, element.extension, tx)
    return element.title


def _refuse_lost(back: list[Element], now: Snapshot, then: Snapshot, kinds: frozenset[str]) -> None:
    problems = []
    coming = {element.ref for element in back}
    for element in back:
        for pointer in pointers(element):
            target = now.owner(pointer.target)
            if target.kind not in kinds or target in coming or now.element(target) is not None:
                continue
            needed = then.element(target)
            message = PLACE_GONE if pointer.field.name == "parent" else NEEDS
            problems.append(Problem("", message, title=element.title, needed=needed.title if needed else str(target)))
        extension = element.extension if isinstance(element, User | Branch) else None
        holder = now.extension(extension) if extension else None
        if extension and holder is not None and holder != element.ref:
            owner = now.element(now.owner(holder))
            problems.append(Problem("", TAKEN, number=extension, title=element.title, owner=owner.title if owner else str(holder)))
    if problems:
        raise Invalid(list({str(problem): problem for problem in problems}.values()))


def _with(part: P, back: list[Element]) -> P:
    """The part with these elements in place of their present selves, or as new ones at their old place."""
    changes: dict[str, Any] = {}
    holds = kinds_by_field(type(part))
    for element in back:
        for name, kinds in holds.items():
            if element.kind in kinds:
                value = changes.get(name, getattr(part, name))
                others = [e for e in value if e.ref != element.ref]
                changes[name] = tuple(sorted((*others, element), key=lambda e: e.id))
    return msgspec.structs.replace(part, **changes) if changes else part


def _with_phones(core: Part, user: User, now: Snapshot, then: Snapshot) -> CorePart:
    if not isinstance(core, CorePart):
        raise TypeError(type(core).__name__)
    theirs = tuple(a for a in then.core.sip_accounts if a.user == user.id)
    others = tuple(a for a in now.core.sip_accounts if a.user != user.id)
    return msgspec.structs.replace(core, sip_accounts=tuple(sorted((*others, *theirs), key=lambda a: a.id)))


def _with_memberships(part: P, user: User, now: Snapshot, then: Snapshot) -> P:
    """A user who stands in no group or menu any more is put back where he stood."""
    if any(use.goes and isinstance(use.holder, Branch) for use in now.uses(user.ref)):
        return part
    changes: dict[str, Any] = {}
    for name in part.__struct_fields__:
        value = getattr(part, name)
        if isinstance(value, tuple) and any(isinstance(item, Branch) for item in value):
            changes[name] = tuple(_joined(item, user, then) for item in value)
    return msgspec.structs.replace(part, **changes) if changes else part


def _joined(branch: Branch, user: User, then: Snapshot) -> Branch:
    old = then.get(branch.ref, Branch)
    theirs = tuple(m for m in old.members if m.user == user.id) if old is not None else ()
    if not theirs or any(m.user == user.id for m in branch.members):
        return branch
    return msgspec.structs.replace(branch, members=(*branch.members, *theirs))
