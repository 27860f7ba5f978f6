# SPDX-License-Identifier: Apache-2.0
"""IVR menus: what the caller hears, which keys lead where."""

from __future__ import annotations

from collections.abc import Sequence

from engine.sdk import N_, PartStore, Plugin, PluginMeta, RoutingAction
from plugins.ivr.actions import ToMenu
from plugins.ivr.part import IvrPart
from plugins.ivr.service import store


class Ivr(Plugin):
    meta = PluginMeta("ivr", N_("IVR menus"), requires=("groups",))

    def routing_actions(self) -> Sequence[RoutingAction]:
        return (ToMenu(),)

    def part(self) -> PartStore[IvrPart]:
        return store

    def models(self) -> str:
        return "plugins.ivr.models"
