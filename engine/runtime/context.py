# SPDX-License-Identifier: Apache-2.0
"""The Context that plugins and hosts hold, over the services of this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

from engine.calls.trunks import gateway_name
from engine.db import Database
from engine.errors import NotFound
from engine.gates import Gates
from engine.jobs import Doorbell, OrderBook
from engine.outbox import Outbox, Undelivered
from engine.plugin.registry import Registry
from engine.portable import export, take_in
from engine.revisions import Actor, Edit, Revised, Revisions
from engine.runtime.live_rows import PresenceRows
from engine.runtime.loops import Loops
from engine.settings import Settings
from engine.snapshot import Ref, Snapshot


@dataclass
class RuntimeContext:
    """Implements engine.plugin.context.Context."""

    settings: Settings
    registry: Registry
    db: Database
    revisions: Revisions
    orders: OrderBook
    outbox: Outbox
    doorbell: Doorbell
    gates: Gates = field(default_factory=Gates)
    presences: PresenceRows = field(default_factory=PresenceRows)
    loops: Loops = field(default_factory=Loops)
    serving: Callable[[], bool] | None = None
    """Whether the engine of this process has met the switch and serves calls; None without an engine."""

    def plugin_settings(self, plugin: str) -> Any:
        state = self.registry.state(plugin)
        if state is None:
            raise NotFound
        return state.settings

    def snapshot(self, account_id: int) -> Snapshot:
        return self.revisions.snapshot(account_id)

    async def snapshot_at(self, account_id: int, revision: int) -> Snapshot:
        return await self.revisions.snapshot_at(account_id, revision)

    async def journal(self, account_id: int, limit: int = 20, below: int | None = None) -> Sequence[Revised]:
        return await self.revisions.journal(account_id, limit, below)

    async def revised(self, account_id: int, revision: int) -> Revised:
        return await self.revisions.revised(account_id, revision)

    async def export_account(self, account_id: int, *, with_secrets: bool) -> bytes:
        return await export(self.snapshot(account_id), self.settings.media_root, with_secrets=with_secrets)

    async def import_account(self, account_id: int, actor: Actor, data: bytes) -> Snapshot:
        return await take_in(self.revisions, account_id, actor, data, self.settings.media_root)

    def accounts(self) -> list[int]:
        return self.revisions.accounts()

    def transaction(self) -> AbstractAsyncContextManager[Any]:
        return self.db.transaction()

    def edit(self, account_id: int, actor: Actor, expected: int | None = None) -> AbstractAsyncContextManager[Edit]:
        return self.revisions.edit(account_id, actor, expected)

    async def enqueue(self, account_id: int, channel: str, lane: str, payload: Mapping[str, Any], *, key: str, tx: Any) -> None:
        await self.outbox.enqueue(account_id, channel, lane, payload, key=key, tx=tx)

    async def undelivered(self, account_id: int) -> Sequence[Undelivered]:
        return await self.outbox.dead(account_id)

    async def deliver_again(self, account_id: int, id: int) -> None:
        await self.outbox.retry(account_id, id)

    def ring(self, topic: str, account_id: int) -> None:
        self.doorbell.ring(topic, account_id)

    def wait_ring(self, topic: str, account_id: int | None = None) -> AbstractAsyncContextManager[Any]:
        return self.doorbell.listen(topic, account_id)

    def presence(self, account_id: int) -> Mapping[Ref, bool]:
        return self.presences.of(self.revisions.snapshot(account_id))

    def phone_addresses(self, account_id: int) -> Mapping[str, Sequence[str]]:
        return self.presences.addresses(self.revisions.snapshot(account_id))

    def trunk_states(self, account_id: int) -> Mapping[int, str]:
        known = self.presences.node.phones.gateways if self.presences.node else {}
        trunks = self.revisions.snapshot(account_id).core.trunks
        return {t.id: known[gateway_name(t.id)] for t in trunks if t.registers and gateway_name(t.id) in known}

    async def health(self) -> Mapping[str, bool]:
        node = self.presences.node
        states = {"database": await self.db.reachable()}
        if node is not None:
            states["switch"] = node.switch.connected
        if self.serving is not None:
            states["calls"] = self.serving()
        states["work"] = not self.loops.down
        return states

    def metrics(self) -> Mapping[str, float]:
        node = self.presences.node
        accounts = self.revisions.accounts()
        figures = {"accounts": float(len(accounts)), "plugins_running": float(sum(1 for _ in self.registry.running()))}
        if node is not None:
            figures["calls"] = float(len(node.calls))
            figures["legs"] = float(sum(len(c.open_legs()) for c in node.calls.values()))
            figures["phones_registered"] = float(sum(len(node.phones.registrations.logins(a)) for a in accounts))
            figures["switch_connected"] = float(node.switch.connected)
        figures["loops_down"] = float(len(self.loops.down))
        return figures
