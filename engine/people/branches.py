# SPDX-License-Identifier: Apache-2.0
"""Users in groups and menus (USR-1), and deleting a branch of the tree with all that goes with it (GRP-1); inside an edit."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from engine.errors import InUse, NotFound, Problem, Refused
from engine.i18n import N_
from engine.people.users import remove_user
from engine.revisions import Edit
from engine.snapshot import Branch, Membership, Ref, Snapshot, User


def branches_of(snapshot: Snapshot, user_id: int) -> list[Branch]:
    """The groups and menus a user stands in."""
    return [e for e in snapshot.elements() if isinstance(e, Branch) and any(m.user == user_id for m in e.members)]


async def set_membership(edit: Edit, ref: Ref, user_id: int, priority: int | None) -> None:
    """Put a user into a group or menu with this priority, or take him out (None). One change of a branch per edit."""
    branch = edit.before.get(ref, Branch)
    if branch is None:
        raise NotFound
    if priority is not None and not 1 <= priority <= 99:
        raise Problem("priority", N_("From {first} to {last}."), first=1, last=99)
    rest = tuple(m for m in branch.members if m.user != user_id)
    places = {b.ref: m.place for b in branches_of(edit.before, user_id) for m in b.members if m.user == user_id}
    place = places.get(ref, max(places.values(), default=0) + 1)
    members = rest if priority is None else (*rest, Membership(user=user_id, priority=priority, place=place))
    await edit.store_of(branch).save(edit.account_id, msgspec.structs.replace(branch, members=members), edit.tx)


async def set_first_group(edit: Edit, user_id: int, ref: Ref) -> None:
    """R15: the group that gives a user of several groups his outgoing number, mailbox and no-answer action."""
    branch = edit.before.get(ref, Branch)
    if branch is None or branch.place_of(user_id) is None:
        raise NotFound
    first = min(m.place for b in branches_of(edit.before, user_id) for m in b.members if m.user == user_id)
    members = tuple(msgspec.structs.replace(m, place=first - 1) if m.user == user_id else m for m in branch.members)
    await edit.store_of(branch).save(edit.account_id, msgspec.structs.replace(branch, members=members), edit.tx)
    edit.note(f"“{branch.title}” is the first group of “{edit.before.users[user_id].title}”")


async def move_user(edit: Edit, user_id: int, source: Ref | None, target: Ref) -> None:
    """Out of one group, into another (2.1.3.3), last among its users there."""
    if user_id not in edit.before.users:
        raise NotFound
    branch = edit.before.get(target, Branch)
    if branch is None:
        raise NotFound
    if source == target:
        return
    if source is not None:
        await set_membership(edit, source, user_id, None)
    if all(m.user != user_id for m in branch.members):
        last = max((m.priority for m in branch.members), default=0)
        await set_membership(edit, target, user_id, min(last + 1, 99))
    edit.note(f"user “{edit.before.users[user_id].title}” moved to “{branch.title}”")


async def leave_branch(edit: Edit, ref: Ref, user_id: int) -> bool:
    """Take a user out of a group; wholly deleted when it was his last one (2.1.3.2). Returns whether he was deleted."""
    if all(b.ref != ref for b in branches_of(edit.before, user_id)):
        raise NotFound
    await set_membership(edit, ref, user_id, None)
    if len(branches_of(edit.before, user_id)) > 1:
        return False
    await remove_user(edit, user_id)
    return True


async def delete_user(edit: Edit, user_id: int) -> None:
    """Wholly, out of every group, with contacts, phones, login and sessions. InUse while a rule, key or action leads to him."""
    for branch in branches_of(edit.before, user_id):
        await set_membership(edit, branch.ref, user_id, None)
    await remove_user(edit, user_id)


@dataclass(frozen=True, slots=True)
class Doomed:
    """What goes with a branch: nested branches (deepest first, itself last) and users that stand nowhere else; `places` forbid it."""

    branches: tuple[Branch, ...]
    users: tuple[User, ...]
    places: tuple[str, ...]


def doomed_with(snapshot: Snapshot, branch: Branch) -> Doomed:
    gone = (*_below(snapshot, branch), branch)
    refs = {b.ref for b in gone}
    inside = {m.user for b in gone for m in b.members}
    outside = {m.user for e in snapshot.elements() if isinstance(e, Branch) and e.ref not in refs for m in e.members}
    users = tuple(snapshot.users[u] for u in sorted(inside - outside) if u in snapshot.users)
    everything = refs | {u.ref for u in users}
    places = {e.title for ref in everything for e in snapshot.referers(ref) if e.ref not in everything}
    return Doomed(gone, users, tuple(sorted(places)))


def _below(snapshot: Snapshot, branch: Branch) -> Iterable[Branch]:
    for child in snapshot.branches(branch.ref):
        yield from _below(snapshot, child)
        yield child


async def delete_branch(edit: Edit, ref: Ref) -> None:
    """A group or menu with everything in it. Refused for the PBX itself, InUse while something outside points inside."""
    branch = edit.before.get(ref, Branch)
    if branch is None:
        raise NotFound
    if branch.parent is None:
        raise Refused(N_("The PBX itself can't be deleted."))
    doomed = doomed_with(edit.before, branch)
    if doomed.places:
        raise InUse(branch.title, doomed.places)
    for user in doomed.users:
        await remove_user(edit, user.id, frozenset(b.ref for b in doomed.branches))
    for one in doomed.branches:
        await edit.store_of(one).remove(edit.account_id, one, edit.tx)
    edit.note(f"“{branch.title}” deleted")
