# SPDX-License-Identifier: Apache-2.0
"""Faxes for users, groups and the PBX itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.sdk import N_, Context, Delivery, Edit, FactSubscriber, LetterKind, Page, PartStore, Plugin, PluginMeta, RoutingAction, Sentence
from plugins.fax import service
from plugins.fax.actions import SENTENCES, ToGroupFax, ToUserFax
from plugins.fax.facts import FaxDropped, FaxReceived
from plugins.fax.keeping import DOCUMENTS, Keeper
from plugins.fax.part import FaxPart
from plugins.fax.texts import LETTER
from plugins.fax.web import PAGES


class Faxes(Plugin):
    meta = PluginMeta("fax", N_("Fax"), requires=("groups",), after=("voicefiles", "notifications", "stats", "voicemail"))

    def routing_actions(self) -> Sequence[RoutingAction]:
        return (ToUserFax(), ToGroupFax())

    def sentences(self) -> Mapping[str, Sentence]:
        return SENTENCES

    def part(self) -> PartStore[FaxPart]:
        return service.store

    def models(self) -> str:
        return "plugins.fax.models"

    async def start(self, ctx: Context) -> None:
        self._ctx, self._keeper = ctx, Keeper(ctx)

    def facts(self) -> Sequence[FactSubscriber[Any]]:
        return FactSubscriber(FaxReceived, self._keeper.received), FactSubscriber(FaxDropped, self._keeper.dropped)

    def deliveries(self) -> Sequence[Delivery]:
        return (Delivery(DOCUMENTS, self._keeper.document),)

    def letters(self) -> Sequence[LetterKind]:
        return (LETTER,)

    def pages(self) -> Sequence[Page]:
        return PAGES

    async def erase(self, edit: Edit, number: str) -> None:
        await service.erase(self._ctx, edit, number)
