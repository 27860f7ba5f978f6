# SPDX-License-Identifier: Apache-2.0
"""To whom notices go: what the settings of every mailbox ask for (VM-3), drawn by `notices.html`, and the chats to choose from."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from engine.sdk import NOTICES, Notice, models
from web.visit import Visit


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
