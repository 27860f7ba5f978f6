# SPDX-License-Identifier: Apache-2.0
"""CallBack: clients are called back by the user or group they could not reach."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from engine.sdk import (
    N_,
    CallEnded,
    Context,
    Edit,
    FactSubscriber,
    Job,
    OrderAction,
    Page,
    PartStore,
    Plugin,
    PluginMeta,
    RoutingAction,
    Sentence,
)
from plugins.callback import tasks
from plugins.callback.actions import SENTENCES, GroupCallBack, UserCallBack
from plugins.callback.attempt import CallBackAttempt
from plugins.callback.facts import CallBackRequested
from plugins.callback.part import CallBackPart
from plugins.callback.service import store
from plugins.callback.web import PAGES

EVERY = timedelta(seconds=2)


class CallBack(Plugin):
    meta = PluginMeta("callback", N_("CallBack"), requires=("groups",), after=("voicefiles",))

    def routing_actions(self) -> Sequence[RoutingAction]:
        return (UserCallBack(), GroupCallBack())

    def orders(self) -> Sequence[OrderAction]:
        return (CallBackAttempt(),)

    def sentences(self) -> Mapping[str, Sentence]:
        return SENTENCES

    def part(self) -> PartStore[CallBackPart]:
        return store

    def models(self) -> str:
        return "plugins.callback.models"

    def facts(self) -> Sequence[FactSubscriber[Any]]:
        return (FactSubscriber(CallBackRequested, tasks.requested), FactSubscriber(CallEnded, tasks.ended))

    def jobs(self) -> Sequence[Job]:
        return (Job("attempts", EVERY, self.caretaker.run),)

    def pages(self) -> Sequence[Page]:
        return PAGES

    async def start(self, ctx: Context) -> None:
        self.caretaker = tasks.Caretaker(ctx)

    async def erase(self, edit: Edit, number: str) -> None:
        await tasks.forget(edit.account_id, number, edit.tx)
