# SPDX-License-Identifier: Apache-2.0
"""Rules of fax machines (inside an edit) and of the faxes in them: who may see which, seen, deleted, erased."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from tortoise.queryset import QuerySet

from engine.sdk import N_, Context, Edit, ElementStore, Finding, Invalid, NotFound, Ref, Snapshot, as_findings, people
from plugins.fax.models import FaxRow, MachineRow
from plugins.fax.part import OWNERS, FaxPart, Machine


def check(part: FaxPart, whole: Snapshot) -> Iterable[Finding]:
    owners = [machine.parent for machine in part.machines]
    for machine in part.machines:
        yield from as_findings(machine.ref, people.mailbox_problems(machine))
        if machine.parent is None or machine.parent.kind not in OWNERS or owners.count(machine.parent) > 1:
            yield Finding("error", machine.ref, N_("A fax belongs to one user or one group, and each has one at most."))


store: ElementStore[FaxPart] = ElementStore(FaxPart, {"machines": MachineRow}, check)


async def set_machine(edit: Edit, owner: Ref, **fields: Any) -> None:
    """Change what is set for the fax of a user or group. Raises Invalid, NotFound."""
    if owner.kind not in OWNERS or edit.before.element(owner) is None:
        raise NotFound
    before = edit.before.attached(owner, Machine)
    machine = msgspec.structs.replace(before or Machine(id=0, title="", parent=owner), **fields)
    found = people.mailbox_problems(machine)
    found.extend(await people.chat_problems(edit, "chats", machine.chats, before.chats if before else ()))
    if found:
        raise Invalid(found)
    if before is None:
        await store.insert(edit.account_id, machine, edit.tx)
    else:
        await store.save(edit.account_id, machine, edit.tx)


# faxes ------------------------------------------------------------------------------------------------------------------


def readable(snapshot: Snapshot, user_id: int, everything: bool) -> QuerySet[FaxRow]:
    """The faxes somebody may see. `everything`: managers and administrators; an employee sees his own and those of his groups (R25)."""
    return people.visible_mail(FaxRow.of(snapshot.account.id).all(), snapshot, user_id, everything)


async def fax(snapshot: Snapshot, user_id: int, everything: bool, id: int) -> FaxRow:
    """Raises NotFound, also for one that he may not see."""
    found = await readable(snapshot, user_id, everything).filter(id=id).first()
    if found is None:
        raise NotFound
    return found


async def mark_seen(row: FaxRow, seen: bool) -> None:
    if row.seen != seen:
        row.seen = seen
        await row.save(update_fields=["seen"])


async def delete_fax(ctx: Context, row: FaxRow) -> None:
    """The fax with its files."""
    await row.delete()
    _remove_files(ctx, row)


async def erase(ctx: Context, edit: Edit, number: str) -> None:
    """A fax is what the person sent: it goes wholly."""
    for row in await FaxRow.of(edit.account_id, edit.tx).filter(caller_number=number):
        await row.delete(using_db=edit.tx)
        _remove_files(ctx, row)


def _remove_files(ctx: Context, row: FaxRow) -> None:
    for path in (row.path, row.pdf_path):
        people.remove_file(ctx.settings.media_root, path)
