# SPDX-License-Identifier: Apache-2.0
"""CallOut: employees call at the company's cost from any telephone, by ringing the PBX first."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from engine.sdk import N_, Context, FactSubscriber, Page, PartStore, Plugin, PluginMeta, RoutingAction, Sentence, is_away
from plugins.callout.actions import SENTENCES, ToCallOut
from plugins.callout.facts import PinGuard, WrongPin
from plugins.callout.part import CallOutPart
from plugins.callout.service import recent_wrong_pins, store
from plugins.callout.web import PAGES

log = logging.getLogger(__name__)


class CallOut(Plugin):
    meta = PluginMeta("callout", N_("CallOut"), after=("voicefiles",))

    def __init__(self) -> None:
        self.guard = PinGuard()

    def routing_actions(self) -> Sequence[RoutingAction]:
        return (ToCallOut(self.guard),)

    def sentences(self) -> Mapping[str, Sentence]:
        return SENTENCES

    def part(self) -> PartStore[CallOutPart]:
        return store

    def models(self) -> str:
        return "plugins.callout.models"

    def facts(self) -> Sequence[FactSubscriber[Any]]:
        return (FactSubscriber(WrongPin, self.guard.write),)

    def pages(self) -> Sequence[Page]:
        return PAGES

    async def start(self, ctx: Context) -> None:
        ctx.gates.hear(WrongPin, self.guard.learn)
        try:
            for fact in await recent_wrong_pins():
                self.guard.learn(fact)
        except Exception as error:
            if not is_away(error):
                raise
            log.warning("database away: wrong PINs of the last hours are not known yet: %s", error)
