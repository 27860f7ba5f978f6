# SPDX-License-Identifier: Apache-2.0
"""Groups of users and the distribution of calls among them."""

from __future__ import annotations

from collections.abc import Sequence

from engine.sdk import N_, PartStore, Plugin, PluginMeta, RoutingAction
from plugins.groups.actions import ToGroup, ToUser
from plugins.groups.part import GroupsPart
from plugins.groups.service import store


class Groups(Plugin):
    meta = PluginMeta("groups", N_("Groups"))

    def routing_actions(self) -> Sequence[RoutingAction]:
        return (ToGroup(), ToUser())

    def part(self) -> PartStore[GroupsPart]:
        return store

    def models(self) -> str:
        return "plugins.groups.models"
