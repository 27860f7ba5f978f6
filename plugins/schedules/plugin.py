# SPDX-License-Identifier: Apache-2.0
"""Working hours, shared by groups, users, contacts and routing rules."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from engine.sdk import N_, Context, Edit, Page, PartStore, Plugin, PluginMeta, clock
from plugins.schedules import federal
from plugins.schedules.demo import fill
from plugins.schedules.part import Schedule, SchedulesPart
from plugins.schedules.service import store
from plugins.schedules.web import PAGES


class Schedules(Plugin):
    meta = PluginMeta("schedules", N_("Schedules"))

    def part(self) -> PartStore[SchedulesPart]:
        return store

    def models(self) -> str:
        return "plugins.schedules.models"

    async def start(self, ctx: Context) -> None:
        """The calendar is read before the first call asks it, where a schedule uses it."""
        everything = (e for account in ctx.accounts() for e in ctx.snapshot(account).elements())
        if any(isinstance(e, Schedule) and e.holidays for e in everything):
            await asyncio.to_thread(federal.load, clock.now().year)

    async def demo(self, edit: Edit) -> None:
        await fill(edit)

    def pages(self) -> Sequence[Page]:
        return PAGES
