# SPDX-License-Identifier: Apache-2.0
"""What the settings of every mailbox ask for: to whom its notices go (VM-3). The fields are drawn by `notices.html`."""

from __future__ import annotations

import msgspec

from engine.sdk import NOTICES, Notice, Noticed, models
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


async def chat_choices(visit: Visit, box: Noticed) -> list[tuple[int, str, bool]]:
    """The account's chats and those that stand there already: id, title, whether ticked."""
    links = await models.TelegramLink.of(visit.account_id).order_by("id")
    titles = {link.chat_id: link.title or str(link.chat_id) for link in links}
    titles |= {chat: str(chat) for chat in box.chats if chat not in titles}
    return [(chat, title, chat in box.chats) for chat, title in titles.items()]
