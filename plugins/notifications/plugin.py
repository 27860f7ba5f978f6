# SPDX-License-Identifier: Apache-2.0
"""Notices of missed calls and of lines by e-mail and Telegram, and the channels that carry them and other plugins' messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.sdk import (
    N_,
    BotCommand,
    CallEnded,
    Context,
    Delivery,
    Edit,
    FactSubscriber,
    Job,
    LetterKind,
    Page,
    PartStore,
    Plugin,
    PluginMeta,
)
from plugins.notifications.bot import COMMANDS
from plugins.notifications.facts import MissedCalls
from plugins.notifications.lines import EVERY, LineWatch
from plugins.notifications.mail import Mailer
from plugins.notifications.part import NotificationsPart
from plugins.notifications.telegram import Telegram
from plugins.notifications.texts import LETTER
from plugins.notifications.web import PAGES
from plugins.notifications.wording import store
from plugins.notifications.wording_web import PAGES as TEMPLATE_PAGES


class Notifications(Plugin):
    meta = PluginMeta("notifications", N_("Notifications"), requires=("stats",), after=("groups",))

    def part(self) -> PartStore[NotificationsPart]:
        return store

    def letters(self) -> Sequence[LetterKind]:
        return (LETTER,)

    def models(self) -> str:
        return "plugins.notifications.models"

    async def start(self, ctx: Context) -> None:
        self._mailer, self._telegram, self._missed = Mailer(ctx.settings), Telegram(ctx), MissedCalls(ctx)
        self._lines = LineWatch(ctx)

    async def stop(self) -> None:
        await self._telegram.close()

    def facts(self) -> Sequence[FactSubscriber[Any]]:
        return (FactSubscriber(CallEnded, self._missed.ended),)

    def deliveries(self) -> Sequence[Delivery]:
        return (Delivery("email", self._mailer.send), Delivery("telegram", self._telegram.send))

    def jobs(self) -> Sequence[Job]:
        return (Job("lines", EVERY, self._lines.run, beside_engine=True),)

    def bot_commands(self) -> Sequence[BotCommand]:
        return COMMANDS

    def pages(self) -> Sequence[Page]:
        return (*PAGES, *TEMPLATE_PAGES)

    async def erase(self, edit: Edit, number: str) -> None:
        self._mailer.erase(edit.account_id, number)
