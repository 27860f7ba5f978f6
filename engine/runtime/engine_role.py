# SPDX-License-Identifier: Apache-2.0
"""The engine of one process: directory, node, front desk, orders, journal, live view; started and stopped by the runtime."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta

import msgspec

from engine import clock
from engine.calls.live import LiveCall
from engine.calls.node import Node
from engine.calls.ordered import Ordered
from engine.calls.resync import Resync
from engine.db import is_away, models
from engine.directory import DirectoryListener
from engine.errors import SettingsError, SwitchError, VatsError
from engine.esl.switch import Switch
from engine.routing.carry_out import carry_out
from engine.routing.inbound import FrontDesk
from engine.runtime import ports
from engine.runtime.context import RuntimeContext
from engine.runtime.directory import SnapshotDirectory
from engine.runtime.gateways import Gateways
from engine.runtime.journal import SpoolJournal
from engine.runtime.live_rows import PRESENCE_TOPIC, LiveRows
from engine.snapshot import Snapshot

log = logging.getLogger(__name__)

ORDERS_POLL_SECONDS = 1.0
ORDER_LIVES = timedelta(minutes=5)
"""Whoever has asked for a call is not rung any later: he has given it up by then."""


class EngineRole:
    """`directory_url` exists after `open_directory`, `node` after `connect`."""

    node: Node
    gateways: Gateways

    def __init__(self, ctx: RuntimeContext) -> None:
        self.ctx = ctx
        self.connected = asyncio.Event()
        """Set after the first sweep: calls are served."""
        settings = ctx.settings
        self.lookup = SnapshotDirectory(ctx.revisions, settings.core.default_account)
        self.listener = DirectoryListener(
            self.lookup, host=settings.directory.host, port=settings.directory.port, secret=settings.directory.secret,
            allowed=settings.directory.allowed,
        )  # fmt: skip
        self.desk = FrontDesk(self._snapshots, ctx.snapshot, self.lookup.account_for_realm, ctx.registry.actions, ctx.registry.orders)
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
        """Listen for the switch's questions; first, because the switch asks as soon as it starts.

        Raises SettingsError when another engine has this state folder, before its switch is touched, or when the port is taken.
        """
        self.journal.open()
        try:
            await self.listener.start()
        except OSError as error:
            raise SettingsError(ports.refusal(ports.Place("directory.port", self.listener.host, self.listener.port, ()), error)) from error

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
            takes_faxes=settings.switch.takes_faxes,
            unanswered_limit_seconds=settings.switch.unanswered_limit_seconds,
            account_of_domain=self.lookup.account_for_realm,
            on_changed=self.rows.changed,
            on_presence=lambda account, login, registered: self.ctx.doorbell.ring(PRESENCE_TOPIC, account),
        )  # fmt: skip
        self.ctx.presences.node = self.node
        self.ctx.serving = self.connected.is_set
        self.gateways = Gateways(self.node.switch, settings.state / "lines.told")
        for snapshot in self._snapshots():
            self.gateways.changed(snapshot.account.id, snapshot)
        self.resync = Resync(
            self.node, self.desk, self.journal, self.ctx.snapshot, settings.media_root / "cdr-csv" / "Master.csv",
            settings.state / "switch.core",
        )

    async def start(self) -> None:
        self.node.switch.start()
        self._spawn("dead-man timers", self.node.guards.keep)
        self._spawn("live view", self.rows.run)
        self._spawn("journal", self.journal.run)
        self._spawn("signs of life", self.journal.stay_alive)
        self._spawn("orders", self._take_orders)
        self._spawn("sweeps", lambda: self.resync.keep_sweeping(self._swept))

    def _spawn(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        self._tasks.append(self.ctx.loops.spawn(name, work))

    def _on_connected(self) -> None:
        self.resync.connected()

    def _on_lost(self, error: SwitchError) -> None:
        log.warning("the switch is away: %s", error)
        self.resync.lost()

    async def _swept(self) -> None:
        self.connected.set()
        await self.gateways.connected(self.resync.core_uuid)

    # -- configuration ---------------------------------------------------------------------------------------------------------

    def _configuration_changed(self, account_id: int, snapshot: Snapshot | None) -> None:
        self.desk.forget()
        if hasattr(self, "node"):
            self.gateways.changed(account_id, snapshot)

    # -- orders ------------------------------------------------------------------------------------------------------------------

    async def _take_orders(self) -> None:
        await self.connected.wait()
        async with self.ctx.doorbell.listen("orders") as bell:
            while True:
                try:
                    if self.node.switch.connected:  # else nobody would be rung and the order gone: it waits
                        for order in await self.ctx.orders.claim():
                            await self._carry_out(order)
                except Exception as error:
                    if not is_away(error):
                        raise
                    log.warning("orders wait, the database is away: %s", error)
                await bell.wait(ORDERS_POLL_SECONDS)

    async def _carry_out(self, order: models.CallOrder) -> None:
        """Begin the call once its row says so: whatever dies or is away afterwards, nobody is rung a second time."""
        call_id = f"order-{order.id}"
        if clock.now() - order.created_at > ORDER_LIVES:
            log.warning("order %d of %s is too old, nobody is rung", order.id, order.created_at.isoformat())
            await self.ctx.orders.finish(order, {"error": "too old"}, failed=True)
            return
        try:
            action = self.ctx.registry.orders().get(order.kind)
            if action is None:
                raise VatsError(f"unknown order {order.kind}")
            beginning = action.begin(order.arguments)
            snapshot = self.ctx.snapshot(order.account_id)
        except (msgspec.ValidationError, VatsError) as error:  # its own fault: the orders of others go on
            await self.ctx.orders.finish(order, {"error": str(error)}, failed=True)
            return
        except Exception as error:  # the edge of a plugin: its fault is no fault of the orders behind this one
            if is_away(error):
                raise
            log.exception("order %d (%s) can't be begun", order.id, order.kind)
            await self.ctx.orders.finish(order, {"error": repr(error)}, failed=True)
            return
        if not await self.ctx.orders.finish(order, {"call": call_id}):
            log.warning("order %d was taken by somebody else meanwhile", order.id)
            return
        ordered = Ordered(order.kind, dict(order.arguments))
        call = self.node.order(call_id, snapshot, beginning.caller, ordered, beginning.direction)
        self.node.run(call, lambda c: carry_out(c, ordered, self.ctx.registry.actions(), self.ctx.registry.orders()))

    # -- the end -------------------------------------------------------------------------------------------------------------------

    async def close(self) -> None:
        """Stop deciding; calls go on in the switch, their journal is on disk."""
        if hasattr(self, "node"):
            self.gateways.close()
            await self.node.close_down()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(OSError):
            self.journal.close()
        await self.listener.stop()

    def call(self, call_id: str) -> LiveCall | None:
        return self.node.calls.get(call_id)
