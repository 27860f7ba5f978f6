# SPDX-License-Identifier: Apache-2.0
"""Voice files: greetings, menus, phrases, music."""

from __future__ import annotations

from collections.abc import Sequence

from engine.sdk import N_, Edit, Page, PartStore, Plugin, PluginMeta, RoutingAction
from plugins.voicefiles.actions import PlayPhrase
from plugins.voicefiles.demo import fill
from plugins.voicefiles.part import VoicefilesPart
from plugins.voicefiles.service import store
from plugins.voicefiles.web import PAGES


class VoiceFiles(Plugin):
    meta = PluginMeta("voicefiles", N_("Voice files"))

    def routing_actions(self) -> Sequence[RoutingAction]:
        return (PlayPhrase(),)

    def part(self) -> PartStore[VoicefilesPart]:
        return store

    def models(self) -> str:
        return "plugins.voicefiles.models"

    async def demo(self, edit: Edit) -> None:
        await fill(edit)

    def pages(self) -> Sequence[Page]:
        return PAGES
