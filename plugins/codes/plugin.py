# SPDX-License-Identifier: Apache-2.0
"""Feature codes: what employees type to transfer, consult, pick up. The engine obeys them; this plugin says which they are."""

from __future__ import annotations

from collections.abc import Sequence

from engine.sdk import N_, Page, PartStore, Plugin, PluginMeta
from plugins.codes.part import FeatureCodesPart
from plugins.codes.service import store
from plugins.codes.web import PAGES


class Codes(Plugin):
    meta = PluginMeta("codes", N_("Feature codes"), after=("groups", "voicemail", "fax"))

    def part(self) -> PartStore[FeatureCodesPart]:
        return store

    def models(self) -> str:
        return "plugins.codes.models"

    def pages(self) -> Sequence[Page]:
        return PAGES
