# SPDX-License-Identifier: Apache-2.0
"""Voicemail of users, groups and the PBX itself."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from engine.sdk import (
    N_,
    Context,
    Delivery,
    Edit,
    FactSubscriber,
    Page,
    PartStore,
    Plugin,
    PluginMeta,
    RoutingAction,
    Sentence,
    speech_trouble,
)
from plugins.voicemail import service
from plugins.voicemail.actions import SENTENCES, ToGroupVoicemail, ToUserVoicemail
from plugins.voicemail.facts import MessageDropped, MessageLeft
from plugins.voicemail.keeping import TRANSCRIPTS, Keeper
from plugins.voicemail.part import VoicemailPart
from plugins.voicemail.web import PAGES

log = logging.getLogger(__name__)


class Voicemail(Plugin):
    meta = PluginMeta("voicemail", N_("Voicemail"), requires=("groups",), after=("voicefiles", "notifications", "stats"))

    def routing_actions(self) -> Sequence[RoutingAction]:
        return (ToUserVoicemail(), ToGroupVoicemail())

    def sentences(self) -> Mapping[str, Sentence]:
        return SENTENCES

    def part(self) -> PartStore[VoicemailPart]:
        return service.store

    def models(self) -> str:
        return "plugins.voicemail.models"

    async def start(self, ctx: Context) -> None:
        self._ctx, self._keeper = ctx, Keeper(ctx)
        model = ctx.settings.speech.model
        if model and (wrong := speech_trouble(model)):
            log.error("no transcripts of voicemail: %s", wrong)

    def facts(self) -> Sequence[FactSubscriber[Any]]:
        return FactSubscriber(MessageLeft, self._keeper.left), FactSubscriber(MessageDropped, self._keeper.dropped)

    def deliveries(self) -> Sequence[Delivery]:
        return (Delivery(TRANSCRIPTS, self._keeper.transcribe),)

    def pages(self) -> Sequence[Page]:
        return PAGES

    async def erase(self, edit: Edit, number: str) -> None:
        await service.erase(self._ctx, edit, number)
