# SPDX-License-Identifier: Apache-2.0
"""Voice files: greetings, menus, phrases, music."""

from __future__ import annotations

from engine.sdk import N_, PartStore, Plugin, PluginMeta
from plugins.voicefiles.part import VoicefilesPart
from plugins.voicefiles.service import store


class VoiceFiles(Plugin):
    meta = PluginMeta("voicefiles", N_("Voice files"))

    def part(self) -> PartStore[VoicefilesPart]:
        return store

    def models(self) -> str:
        return "plugins.voicefiles.models"
