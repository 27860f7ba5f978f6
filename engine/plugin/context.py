# SPDX-License-Identifier: Apache-2.0
"""What a running plugin or host holds: the one face of the engine's services, made by the runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Protocol

from engine.gates import Gates
from engine.settings import Settings
from engine.snapshot import Ref, Snapshot

if TYPE_CHECKING:
    from engine.outbox import Undelivered
    from engine.plugin.registry import Registry
    from engine.revisions import Actor, Edit, Revised


class Orders(Protocol):
    """Wishes for calls; rows that the owner of the switch node claims (web, bot and jobs never command the switch)."""

    async def place(self, account_id: int, kind: str, arguments: Mapping[str, Any], *, key: str, tx: Any = None) -> int:
        """Insert an order once per `key` (idempotency); returns its id."""


class Context(Protocol):
    @property
    def settings(self) -> Settings: ...
    @property
    def registry(self) -> Registry: ...
    @property
    def orders(self) -> Orders: ...
    @property
    def gates(self) -> Gates:
        """Questions asked before each leg through a trunk: `add` one in `start`. Asked in the process of the engine."""

    def plugin_settings(self, plugin: str) -> Any:
        """The validated settings struct of a plugin."""
    def snapshot(self, account_id: int) -> Snapshot:
        """The account's configuration now; NotFound when there is no such account."""
    async def snapshot_at(self, account_id: int, revision: int) -> Snapshot:
        """The configuration as it was at a revision; NotFound when there is no such one."""
    async def journal(self, account_id: int, limit: int = 20, below: int | None = None) -> Sequence[Revised]:
        """Revisions with the configuration before and after each, newest first; `below`: the last number seen."""
    async def revised(self, account_id: int, revision: int) -> Revised:
        """One revision; NotFound when there is no such one."""
    async def export_account(self, account_id: int, *, with_secrets: bool) -> bytes:
        """The configuration as one file (docs/configuration-file.md). Refused when a sound is gone."""
    async def import_account(self, account_id: int, actor: Actor, data: bytes) -> Snapshot:
        """Fill an account that holds nothing yet from such a file. Refused, Invalid, InUse; then nothing is kept."""
    def accounts(self) -> list[int]: ...
    def transaction(self) -> AbstractAsyncContextManager[Any]:
        """A database transaction for rows that are no configuration."""
    def edit(self, account_id: int, actor: Actor, expected: int | None = None) -> AbstractAsyncContextManager[Edit]:
        """The one door for changes of configuration. Raises Invalid, Conflict, InUse; then nothing is saved."""
    async def enqueue(
        self, account_id: int, channel: str, lane: str, payload: Mapping[str, Any], *, key: str, tx: Any
    ) -> None:
        """Put a delivery into the outbox, in the caller's transaction, once per `key`."""
    async def undelivered(self, account_id: int) -> Sequence[Undelivered]:
        """Deliveries that were given up, those of last first, at most a hundred."""
    async def deliver_again(self, account_id: int, id: int) -> None:
        """Give such a delivery another chance. NotFound when it is none of this account's."""
    def ring(self, topic: str, account_id: int) -> None:
        """The doorbell: tell whoever waits for `topic` to look at the rows."""
    def wait_ring(self, topic: str, account_id: int | None = None) -> AbstractAsyncContextManager[Any]:
        """A subscription; its `wait(timeout)` returns at a ring or when the time is up."""
    def presence(self, account_id: int) -> Mapping[Ref, bool]:
        """Which SIP contacts are registered, as last heard from the switch."""
    def phone_addresses(self, account_id: int) -> Mapping[str, Sequence[str]]:
        """The addresses, without ports, from which each SIP login is registered, as last heard from the switch."""
    def trunk_states(self, account_id: int) -> Mapping[int, str]:
        """State of registering trunks by id as last heard from the switch: REGED, TRYING, FAIL_WAIT, …; absent = not known."""
    async def health(self) -> Mapping[str, bool]:
        """What calls need, and whether it is there: "database", "work" (no part of the process has failed), and in the process of the
        engine "switch" and "calls" (served since the first meeting with the switch)."""
    def metrics(self) -> Mapping[str, float]:
        """Figures of this process by name, for Prometheus."""
