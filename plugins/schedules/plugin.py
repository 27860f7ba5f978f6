# SPDX-License-Identifier: Apache-2.0
"""Working hours, shared by groups, users, contacts and routing rules."""

from __future__ import annotations

from collections.abc import Sequence

from engine.sdk import N_, Edit, Page, PartStore, Plugin, PluginMeta
from plugins.schedules.demo import fill
from plugins.schedules.part import SchedulesPart
from plugins.schedules.service import store
from plugins.schedules.web import PAGES


class Schedules(Plugin):
    meta = PluginMeta("schedules", N_("Schedules"))

    def part(self) -> PartStore[SchedulesPart]:
        return store

    def models(self) -> str:
        return "plugins.schedules.models"

    async def demo(self, edit: Edit) -> None:
        await fill(edit)

    def pages(self) -> Sequence[Page]:
        return PAGES
