# SPDX-License-Identifier: Apache-2.0
"""Notices of missed calls and of lines by e-mail and Telegram, and the channels that carry them and other plugins' messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.sdk import N_, BotCommand, CallEnded, Context, Delivery, Edit, FactSubscriber, Job, Page, Plugin, PluginMeta
from plugins.notifications.bot import COMMANDS
from plugins.notifications.facts import MissedCalls
from plugins.notifications.lines import EVERY, LineWatch
from plugins.notifications.mail import Mailer
from plugins.notifications.telegram import Telegram
from plugins.notifications.web import PAGES


class Notifications(Plugin):
    meta = PluginMeta("notifications", N_("Notifications"), requires=("stats",), after=("groups",))

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
        return PAGES

    async def erase(self, edit: Edit, number: str) -> None:
        self._mailer.erase(edit.account_id, number)
