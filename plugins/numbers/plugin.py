# SPDX-License-Identifier: Apache-2.0
"""Outside numbers, the lines they come by, and the rules that say where their calls go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.sdk import N_, Edit, Page, PartStore, Plugin, PluginMeta, RoutingAction, Sentence
from plugins.numbers import lists_web
from plugins.numbers.actions import SENTENCES, ByRules
from plugins.numbers.demo import fill
from plugins.numbers.part import NumbersPart
from plugins.numbers.service import forget_number, store
from plugins.numbers.web import PAGES


class Numbers(Plugin):
    meta = PluginMeta("numbers", N_("Number management"), after=("groups", "ivr", "schedules"))

    def routing_actions(self) -> Sequence[RoutingAction]:
        return (ByRules(),)

    def sentences(self) -> Mapping[str, Sentence]:
        return SENTENCES

    def part(self) -> PartStore[NumbersPart]:
        return store

    def models(self) -> str:
        return "plugins.numbers.models"

    async def demo(self, edit: Edit) -> None:
        await fill(edit)

    def pages(self) -> Sequence[Page]:
        return (*PAGES, *lists_web.PAGES)

    async def erase(self, edit: Edit, number: str) -> None:
        await forget_number(edit, number)
