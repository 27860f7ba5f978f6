# SPDX-License-Identifier: Apache-2.0
"""Rules of mailboxes (inside an edit) and of the messages in them: who may hear which, heard, deleted, erased."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
from tortoise.queryset import QuerySet

from engine.sdk import (
    N_,
    Context,
    Edit,
    ElementStore,
    Finding,
    Invalid,
    NotFound,
    Problem,
    Ref,
    Snapshot,
    SoundElement,
    as_findings,
    people,
)
from plugins.voicemail.models import MailboxRow, MessageRow
from plugins.voicemail.part import OWNERS, Mailbox, VoicemailPart

MOST_SECONDS = 600


@dataclass(frozen=True, slots=True)
class Listener:
    """Who wants to hear. `everything`: managers and administrators; an employee hears his own mailbox and those of his groups (R25)."""

    account_id: int
    user_id: int
    everything: bool


def check(part: VoicemailPart, whole: Snapshot) -> Iterable[Finding]:
    owners = [box.parent for box in part.mailboxes]
    for box in part.mailboxes:
        yield from as_findings(box.ref, problems(box))
        if box.parent is None or box.parent.kind not in OWNERS or owners.count(box.parent) > 1:
            yield Finding("error", box.ref, N_("A mailbox belongs to one user or one group, and each has one at most."))


store: ElementStore[VoicemailPart] = ElementStore(VoicemailPart, {"mailboxes": MailboxRow}, check)


def problems(box: Mailbox) -> list[Problem]:
    found = people.mailbox_problems(box)
    if not 5 <= box.max_seconds <= MOST_SECONDS:
        found.append(Problem("max_seconds", N_("From {first} to {last} seconds."), first=5, last=MOST_SECONDS))
    if not (box.silence_seconds == 0 or 2 <= box.silence_seconds <= 30):
        found.append(Problem("silence_seconds", N_("From 2 to 30 seconds, or 0: silence does not end it.")))
    return found


async def set_mailbox(edit: Edit, owner: Ref, **fields: Any) -> None:
    """Change what is set for the voicemail of a user or group. Raises Invalid, NotFound."""
    if owner.kind not in OWNERS or edit.before.element(owner) is None:
        raise NotFound
    before = edit.before.attached(owner, Mailbox)
    box = msgspec.structs.replace(before or Mailbox(id=0, title="", parent=owner), **fields)
    found = problems(box)
    if box.greeting is not None and edit.before.get(box.greeting, SoundElement) is None:
        found.append(Problem("greeting", N_("Choose one of the list.")))
    found.extend(await people.chat_problems(edit, "chats", box.chats, before.chats if before else ()))
    if found:
        raise Invalid(found)
    if before is None:
        await store.insert(edit.account_id, box, edit.tx)
    else:
        await store.save(edit.account_id, box, edit.tx)


# messages ---------------------------------------------------------------------------------------------------------------


def audible(snapshot: Snapshot, listener: Listener) -> QuerySet[MessageRow]:
    """The messages somebody may hear."""
    return people.visible_mail(MessageRow.of(listener.account_id).all(), snapshot, listener.user_id, listener.everything)


async def message(snapshot: Snapshot, listener: Listener, id: int) -> MessageRow:
    """Raises NotFound, also for one that he may not hear."""
    found = await audible(snapshot, listener).filter(id=id).first()
    if found is None:
        raise NotFound
    return found


async def mark_heard(row: MessageRow, heard: bool) -> None:
    if row.heard != heard:
        row.heard = heard
        await row.save(update_fields=["heard"])


async def delete_message(ctx: Context, row: MessageRow) -> None:
    """The message with its sound."""
    await row.delete()
    people.remove_file(ctx.settings.media_root, row.path)


async def erase(ctx: Context, edit: Edit, number: str) -> None:
    """A message is what the person said: it goes wholly."""
    for row in await MessageRow.of(edit.account_id, edit.tx).filter(caller_number=number):
        await row.delete(using_db=edit.tx)
        people.remove_file(ctx.settings.media_root, row.path)
