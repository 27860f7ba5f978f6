# SPDX-License-Identifier: Apache-2.0
"""What all mailboxes share in the cabinet: to whom notices go (VM-3, drawn by `notices.html`), and for whom things of a list came."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

import msgspec
from tortoise.queryset import QuerySet

from engine.sdk import NOTICES, MailRow, Notice, Ref, models, people
from web.visit import Visit

R = TypeVar("R", bound=MailRow)


class MailForm(msgspec.Struct, frozen=True, kw_only=True):
    """What an employee may set himself."""

    emails: tuple[str, ...] = ()
    hidden_emails: tuple[str, ...] = ()
    notice: Notice = "attachment"


class NoticeForm(MailForm, frozen=True, kw_only=True):
    chats: tuple[int, ...] = ()


def notice_choices(visit: Visit) -> list[tuple[str, str]]:
    return [(value, visit.t(title)) for value, title in NOTICES.items()]


async def chat_choices(visit: Visit, ticked: Collection[int]) -> list[tuple[int, str, bool]]:
    """The account's linked chats and those that are `ticked` already, also after their unlinking: id, title, whether ticked."""
    links = await models.TelegramLink.of(visit.account_id).order_by("id")
    titles = {link.chat_id: link.title or str(link.chat_id) for link in links}
    titles |= {chat: str(chat) for chat in ticked if chat not in titles}
    return [(chat, title, chat in ticked) for chat, title in titles.items()]


async def owner_choices(visit: Visit, rows: QuerySet[R]) -> list[tuple[str, str]]:
    """For whom these came: (reference, title), by title; for the filter of a list."""
    owners = await rows.distinct().values_list("owner_kind", "owner_id", "owner_title")
    titles = {f"{kind}:{id}": people.mailbox_title(visit.snapshot, Ref(str(kind), int(id))) or str(title) for kind, id, title in owners}
    return sorted(titles.items(), key=lambda owner: owner[1].casefold())


def by_owner(rows: QuerySet[R], wish: str) -> QuerySet[R]:
    """Those for one of `owner_choices`; a wish that means nothing is ignored, so that an old bookmark still works."""
    try:
        owner = Ref.parse(wish)
    except ValueError:
        return rows
    return rows.filter(owner_kind=owner.kind, owner_id=min(owner.id, 2**31 - 1))
