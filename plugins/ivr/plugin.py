# SPDX-License-Identifier: Apache-2.0
"""IVR menus: what the caller hears, which keys lead where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from engine.sdk import N_, Edit, Page, PartStore, Plugin, PluginMeta, RoutingAction, Sentence
from plugins.ivr.actions import SENTENCES, ToMenu
from plugins.ivr.demo import fill
from plugins.ivr.part import IvrPart
from plugins.ivr.service import store
from plugins.ivr.web import PAGES


class Ivr(Plugin):
    meta = PluginMeta("ivr", N_("IVR menus"), requires=("groups",))

    def routing_actions(self) -> Sequence[RoutingAction]:
        return (ToMenu(),)

    def sentences(self) -> Mapping[str, Sentence]:
        return SENTENCES

    def part(self) -> PartStore[IvrPart]:
        return store

    def models(self) -> str:
        return "plugins.ivr.models"

    async def demo(self, edit: Edit) -> None:
        await fill(edit)

    def pages(self) -> Sequence[Page]:
        return PAGES
