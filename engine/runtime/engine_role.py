# SPDX-License-Identifier: Apache-2.0
"""The engine of one process: directory, node, front desk, orders, journal, live view; started and stopped by the runtime."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any

import msgspec

from engine.calls.live import LiveCall
from engine.calls.node import Node
from engine.calls.resync import Resync
from engine.calls.trunks import gateway_name
from engine.db import is_away, models
from engine.directory import DirectoryListener
from engine.errors import SwitchError, VatsError
from engine.esl.switch import Switch
from engine.routing.inbound import FrontDesk
from engine.routing.orders import CallBack, call_back, caller_of
from engine.runtime.context import RuntimeContext
from engine.runtime.directory import SnapshotDirectory
from engine.runtime.journal import SpoolJournal
from engine.runtime.live_rows import PRESENCE_TOPIC, LiveRows
from engine.snapshot import Snapshot

log = logging.getLogger(__name__)

ORDERS_POLL_SECONDS = 1.0
SWEEP_AGAIN_SECONDS = 0.5


class EngineRole:
    """`directory_url` exists after `open_directory`, `node` after `connect`."""

    node: Node

    def __init__(self, ctx: RuntimeContext) -> None:
        self.ctx = ctx
        self.connected = asyncio.Event()
        """Set after the first sweep: calls are served."""
        settings = ctx.settings
        self.lookup = SnapshotDirectory(self._snapshots, settings.core.default_account)
        self.listener = DirectoryListener(
            self.lookup, host=settings.directory.host, port=settings.directory.port, secret=settings.directory.secret,
            allowed=settings.directory.allowed,
        )  # fmt: skip
        self.desk = FrontDesk(self._snapshots, ctx.snapshot, self.lookup.account_for_realm, ctx.registry.actions)
        self.journal = SpoolJournal(ctx.db, settings, [s for _, s in ctx.registry.subscribers()], ctx.doorbell.ring)
        self.rows = LiveRows(ctx.db, ctx.doorbell, "node")
        self._tasks: list[asyncio.Task[None]] = []
        ctx.revisions.on_change(self._configuration_changed)

    def _snapshots(self) -> Iterator[Snapshot]:
        return (self.ctx.snapshot(a) for a in self.ctx.accounts())

    @property
    def directory_url(self) -> str:
        return self.listener.url

    async def open_directory(self) -> None:
        """Listen for the switch's questions; first, because the switch asks as soon as it starts."""
        await self.listener.start()

    def connect(self, port: int) -> None:
        """Make the node; it connects in `start`."""
        settings = self.ctx.settings

        def make_switch(node: Node) -> Switch:
            return Switch(
                settings.switch.esl_host, port, settings.switch.esl_password,
                on_event=node.on_event, on_connected=self._on_connected, on_lost=self._on_lost,
                on_refused=node.on_refused, call_of=node.call_of,
            )  # fmt: skip

        self.node = Node(
            make_switch, self.desk, self.journal, self.ctx.gates,
            media_root_on_switch=settings.media_root_on_switch,
            early_media=settings.switch.early_media,
            unanswered_limit_seconds=settings.switch.unanswered_limit_seconds,
            account_of_domain=self.lookup.account_for_realm,
            on_changed=self.rows.changed,
            on_presence=lambda account, login, registered: self.ctx.doorbell.ring(PRESENCE_TOPIC, account),
        )  # fmt: skip
        self.ctx.presences.node = self.node
        self.resync = Resync(
            self.node, self.desk, self.journal, self.ctx.snapshot, settings.media_root / "cdr-csv" / "Master.csv",
            settings.state / "switch.core",
        )

    async def start(self) -> None:
        self.journal.open()
        self.node.switch.start()
        self._spawn("dead-man timers", self.node.guards.keep())
        self._spawn("live view", self.rows.run())
        self._spawn("journal", self.journal.run())
        self._spawn("orders", self._take_orders())
        self._spawn("sweeps", self.resync.keep_sweeping())

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(_report)
        self._tasks.append(task)

    def _on_connected(self) -> None:
        self.resync.connected()
        self._spawn("sweep", self._sweep())

    def _on_lost(self, error: SwitchError) -> None:
        log.warning("the switch is away: %s", error)
        self.resync.lost()

    async def _sweep(self) -> None:
        while not await self.resync.sweep():
            await asyncio.sleep(SWEEP_AGAIN_SECONDS)
            if not self.node.switch.connected:
                return  # the next connection sweeps
        try:
            strangers = await self._strange_gateways()
        except SwitchError as error:
            log.warning("the switch has not said which lines it serves: %s", error)
            return  # the next connection sweeps
        self._rescan_trunks(strangers)
        self.connected.set()

    # -- configuration ---------------------------------------------------------------------------------------------------------

    def _configuration_changed(self, account_id: int, snapshot: Snapshot | None) -> None:
        self.desk.forget()
        if hasattr(self, "node") and self.node.switch.connected:
            self._rescan_trunks()

    async def _strange_gateways(self) -> list[str]:
        """Gateways of a switch that an earlier engine has left running, of lines that are gone or named otherwise by now."""
        ours = {gateway_name(t.id) for t in self.lookup.trunks()}
        there = re.findall(r"<name>(trunk-\d+[^<]*)</name>", await self.node.switch.gateway_status())
        return [name for name in there if name not in ours]

    def _rescan_trunks(self, strangers: Sequence[str] = ()) -> None:
        """Tell the switch of changed lines: it only ever adds, so a changed or removed one is killed first."""
        wanted = {t.id: t for t in self.lookup.trunks()}
        known = getattr(self, "_trunks_told", None)
        if known == wanted and not strangers:
            return
        switch = self.node.switch
        changed = {*strangers, *(gateway_name(t) for t in (known or {}) if wanted.get(t) != (known or {}).get(t))}
        for name in changed:
            switch.gateway_kill("trunk", name)
        self._trunks_told = wanted
        loop = asyncio.get_running_loop()
        # the switch takes a moment to forget a killed gateway and would not take it up again meanwhile
        loop.call_later(1.5 if changed else 0.0, switch.gateway_rescan, "trunk")
        loop.call_later(1.5 if changed else 0.0, switch.reload_acl)

    # -- orders ------------------------------------------------------------------------------------------------------------------

    async def _take_orders(self) -> None:
        await self.connected.wait()
        async with self.ctx.doorbell.listen("orders") as bell:
            while True:
                try:
                    for order in await self.ctx.orders.claim():
                        await self._carry_out(order)
                except Exception as error:
                    if not is_away(error):
                        raise
                    log.warning("orders wait, the database is away: %s", error)
                await bell.wait(ORDERS_POLL_SECONDS)

    async def _carry_out(self, order: models.CallOrder) -> None:
        if order.kind != "callback":
            await self.ctx.orders.finish(order, {"error": f"unknown order {order.kind}"}, failed=True)
            return
        try:
            wish = msgspec.convert(order.arguments, CallBack)
            call = self.node.order(f"order-{order.id}", self.ctx.snapshot(order.account_id), caller_of(wish))
        except (msgspec.ValidationError, KeyError, VatsError) as error:  # its own fault: the orders of others go on
            await self.ctx.orders.finish(order, {"error": str(error)}, failed=True)
            return
        self.node.run(call, lambda c: call_back(c, wish, self.ctx.registry.actions()))
        await self.ctx.orders.finish(order, {"call": call.id})

    # -- the end -------------------------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Stop deciding; calls go on in the switch, their journal is on disk."""
        if hasattr(self, "node"):
            await self.node.close_down()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(OSError):
            self.journal.close()
        await self.listener.stop()

    def call(self, call_id: str) -> LiveCall | None:
        return self.node.calls.get(call_id)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("the task %s has failed", task.get_name(), exc_info=error)
