# SPDX-License-Identifier: Apache-2.0
"""Working hours, shared by groups, users, contacts and routing rules."""

from __future__ import annotations

from engine.sdk import Edit, N_, PartStore, Plugin, PluginMeta
from plugins.schedules.demo import fill
from plugins.schedules.part import SchedulesPart
from plugins.schedules.service import store


class Schedules(Plugin):
    meta = PluginMeta("schedules", N_("Schedules"))

    def part(self) -> PartStore[SchedulesPart]:
        return store

    def models(self) -> str:
        return "plugins.schedules.models"

    async def demo(self, edit: Edit) -> None:
        await fill(edit)
