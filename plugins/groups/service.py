# SPDX-License-Identifier: Apache-2.0
"""Creating, changing and deleting groups (GRP-1). Every function works inside an edit; nothing is saved when it raises."""

from __future__ import annotations

from collections.abc import Iterable

from engine.sdk import (
    HANGUP,
    N_,
    NOTHING,
    Edit,
    ElementStore,
    Finding,
    Invalid,
    NotFound,
    Problem,
    Snapshot,
    as_findings,
    models,
    people,
)
from plugins.groups.models import GroupRow
from plugins.groups.part import Group, GroupsPart


def check(part: GroupsPart, whole: Snapshot) -> Iterable[Finding]:
    roots = [g for g in part.groups if g.parent is None]
    if len(roots) != 1:
        yield Finding("error", None, N_("The PBX must have exactly one root group."))
    for group in part.groups:
        yield from as_findings(group.ref, problems(group))
        if group.parent is not None and not any(g.parent is None for g in whole.ancestors(group)):
            yield Finding("error", group.ref, N_("The group “{title}” is inside itself."), {"title": group.title})
        elif group.active and group.no_answer in (None, NOTHING) and not _may_answer(group, whole):
            text = N_(
                "Nobody can ever answer in the group “{title}”, and it has no no-answer action. "
                "Add users with active contacts, or choose a no-answer action."
            )
            yield Finding("warning", group.ref, text, {"title": group.title})


def _may_answer(group: Group, whole: Snapshot) -> bool:
    """Whether anybody is there to be rung: a user whom a call can ring, or a group or menu below that calls are tried in."""
    if group.method == "NONE":
        return False
    users = (whole.users.get(m.user) for m in group.members)
    if any(user is not None and whole.can_ring(user) for user in users):
        return True
    children = (child for child in whole.branches(group.ref) if child.active)
    return any(not isinstance(child, Group) or _may_answer(child, whole) or child.no_answer not in (None, NOTHING) for child in children)


store: ElementStore[GroupsPart] = ElementStore(GroupsPart, {"groups": GroupRow}, check)


def problems(group: Group) -> list[Problem]:
    """What is wrong with the fields themselves."""
    found = []
    if not group.title.strip():
        found.append(Problem("title", N_("Enter a name.")))
    if not 1 <= group.attempts <= 20:
        found.append(Problem("attempts", N_("From 1 to 20.")))
    if not 0 <= group.pause_seconds <= 600:
        found.append(Problem("pause_seconds", N_("From 0 to 600 seconds.")))
    if not 1 <= group.priority <= 1000:
        found.append(Problem("priority", N_("From 1 to 1000.")))
    found.extend(people.prefix_problems("forbidden_prefixes", group.forbidden_prefixes))
    found.extend(people.address_problems("missed_emails", group.missed_emails))
    return found


async def add_root(edit: Edit) -> Group:
    """The PBX itself, called like it, in the edit that creates the account (PBX-1: hang up when nobody answers)."""
    account = await models.Account.get(id=edit.account_id, using_db=edit.tx)
    return await store.insert(edit.account_id, Group(id=0, title=account.title, recording=False, no_answer=HANGUP), edit.tx)


async def create_group(edit: Edit, group: Group) -> Group:
    """Store a new group below `group.parent`. Raises Invalid, NotFound."""
    await _validate(edit, group, None)
    if group.parent is None:
        raise Invalid([Problem("parent", N_("Choose where the group goes."))])
    return await store.insert(edit.account_id, group, edit.tx)


async def save_group(edit: Edit, group: Group) -> None:
    """Overwrite a group. Raises Invalid, NotFound."""
    await _validate(edit, group, edit.before.get(group.ref, Group))
    await store.save(edit.account_id, group, edit.tx)


async def _validate(edit: Edit, group: Group, before: Group | None) -> None:
    found = problems(group)
    found.extend(await people.chat_problems(edit, "missed_chats", group.missed_chats, before.missed_chats if before else ()))
    if found:
        raise Invalid(found)
    parent = edit.before.element(group.parent) if group.parent else None
    if group.parent is not None and not isinstance(parent, Group):
        raise NotFound
    unknown = [m.user for m in group.members if m.user not in edit.before.users]
    if unknown:
        raise NotFound
