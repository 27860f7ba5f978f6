# SPDX-License-Identifier: Apache-2.0
"""Lists of calls: last, missed, current, with their recordings."""

from __future__ import annotations

from collections.abc import Sequence

from engine.sdk import N_, BotCommand, Edit, Page, Plugin, PluginMeta
from plugins.stats.bot import COMMANDS
from plugins.stats.demo import fill
from plugins.stats.web import PAGES


class Stats(Plugin):
    meta = PluginMeta("stats", N_("Statistics"), after=("groups", "numbers"))

    def bot_commands(self) -> Sequence[BotCommand]:
        return COMMANDS

    def pages(self) -> Sequence[Page]:
        return PAGES

    async def demo(self, edit: Edit) -> None:
        await fill(edit)
