# SPDX-License-Identifier: Apache-2.0
"""Recorded conversations: the list and the player. The recording itself is made by the engine (R13)."""

from __future__ import annotations

from collections.abc import Sequence

from engine.sdk import N_, Page, Plugin, PluginMeta
from plugins.recording.web import PAGES


class Recordings(Plugin):
    meta = PluginMeta("recording", N_("Call recordings"), after=("stats",))

    def pages(self) -> Sequence[Page]:
        return PAGES
