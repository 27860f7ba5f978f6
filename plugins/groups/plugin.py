# SPDX-License-Identifier: Apache-2.0
"""Groups of users and the distribution of calls among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.sdk import N_, Edit, Page, PartStore, Plugin, PluginMeta, RoutingAction, Sentence
from plugins.groups.actions import SENTENCES, ToGroup, ToUser
from plugins.groups.demo import fill
from plugins.groups.part import GroupsPart
from plugins.groups.service import add_root, store
from plugins.groups.web import PAGES


class Groups(Plugin):
    meta = PluginMeta("groups", N_("Groups"), after=("schedules", "voicefiles"))

    def routing_actions(self) -> Sequence[RoutingAction]:
        return (ToGroup(), ToUser())

    def sentences(self) -> Mapping[str, Sentence]:
        return SENTENCES

    def part(self) -> PartStore[GroupsPart]:
        return store

    def models(self) -> str:
        return "plugins.groups.models"

    async def new_account(self, edit: Edit) -> None:
        await add_root(edit)

    async def demo(self, edit: Edit) -> None:
        await fill(edit)

    def pages(self) -> Sequence[Page]:
        return PAGES
