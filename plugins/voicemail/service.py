# SPDX-License-Identifier: Apache-2.0
"""Rules of mailboxes (inside an edit) and of the messages in them: who may hear which, heard, deleted, erased."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
from tortoise.expressions import Q
from tortoise.queryset import QuerySet

from engine.sdk import (
    N_,
    Branch,
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
    User,
    models,
)
from plugins.voicemail.models import MailboxRow, MessageRow
from plugins.voicemail.part import OWNERS, Mailbox, VoicemailPart

MOST_SECONDS = 600
_EMAIL = re.compile(r"[^@\s;,<>\"]+@[^@\s;,<>\"]+\.[^@\s;,<>\"]+")


@dataclass(frozen=True, slots=True)
class Listener:
    """Who wants to hear. `everything`: managers and administrators; an employee hears his own mailbox and those of his groups (R25)."""

    account_id: int
    user_id: int
    everything: bool


def check(part: VoicemailPart, whole: Snapshot) -> Iterable[Finding]:
    owners = [box.parent for box in part.mailboxes]
    for box in part.mailboxes:
        if box.parent is None or box.parent.kind not in OWNERS or owners.count(box.parent) > 1:
            yield Finding("error", box.ref, N_("A mailbox belongs to one user or one group, and each has one at most."))


store: ElementStore[VoicemailPart] = ElementStore(VoicemailPart, {"mailboxes": MailboxRow}, check)


def problems(box: Mailbox) -> list[Problem]:
    found = []
    if not 5 <= box.max_seconds <= MOST_SECONDS:
        found.append(Problem("max_seconds", N_("From {first} to {last} seconds."), first=5, last=MOST_SECONDS))
    if not (box.silence_seconds == 0 or 2 <= box.silence_seconds <= 30):
        found.append(Problem("silence_seconds", N_("From 2 to 30 seconds, or 0: silence does not end it.")))
    found.extend(
        Problem(field, N_("“{address}” is not an e-mail address."), address=address)
        for field in ("emails", "hidden_emails") for address in getattr(box, field) if not _EMAIL.fullmatch(address)
    )  # fmt: skip
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
    ours = set(await models.TelegramLink.of(edit.account_id, edit.tx).values_list("chat_id", flat=True))
    if set(box.chats) - ours - set(before.chats if before else ()):
        found.append(Problem("chats", N_("Choose one of the list.")))
    if found:
        raise Invalid(found)
    if before is None:
        await store.insert(edit.account_id, box, edit.tx)
    else:
        await store.save(edit.account_id, box, edit.tx)


# messages ---------------------------------------------------------------------------------------------------------------


def audible(snapshot: Snapshot, listener: Listener) -> QuerySet[MessageRow]:
    """The messages somebody may hear."""
    rows = MessageRow.of(listener.account_id)
    if listener.everything:
        return rows
    own = Q(owner_kind=User.kind, owner_id=listener.user_id)
    for element in snapshot.elements():
        if isinstance(element, Branch) and element.place_of(listener.user_id) is not None:
            own |= Q(owner_kind=element.kind, owner_id=element.id)
    return rows.filter(own)


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
    remove_sound(ctx, row.path)


async def erase(ctx: Context, edit: Edit, number: str) -> None:
    """A message is what the person said: it goes wholly."""
    for row in await MessageRow.of(edit.account_id, edit.tx).filter(caller_number=number):
        await row.delete(using_db=edit.tx)
        remove_sound(ctx, row.path)


def remove_sound(ctx: Context, path: str) -> None:
    root = ctx.settings.media_root.resolve()
    file = (root / path).resolve()
    if file.is_relative_to(root):
        file.unlink(missing_ok=True)
