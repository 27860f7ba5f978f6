# SPDX-License-Identifier: Apache-2.0
"""The present configuration of every account: in memory for whoever asks, on disk for a start without the database, kept up to date
with what other processes save. The half of Revisions that changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from engine.db import Database, Tx, is_away, models
from engine.errors import NotFound
from engine.revisions.core_store import CoreStore
from engine.revisions.disk import SnapshotFiles
from engine.revisions.saving import Store
from engine.snapshot import Part, Snapshot

log = logging.getLogger(__name__)

Changed = Callable[[int, Snapshot | None], object]


class Waiting(Protocol):
    async def wait(self, seconds: float, /) -> bool: ...


class Present:
    """`stores`: plugin id → its PartStore, looked at whenever it is needed; `folder`: where the last snapshots lie."""

    def __init__(self, db: Database, stores: Mapping[str, Store], core: CoreStore, folder: Path) -> None:
        self.db = db
        self.stores = stores
        self.core = core
        self._files = SnapshotFiles(folder)
        self._snapshots: dict[int, Snapshot] = {}
        self._domains: dict[str, int] = {}
        self._numbers: dict[str, int] = {}
        self._listeners: list[Changed] = []

    # -- asking ----------------------------------------------------------------------------------------------------------

    def snapshot(self, account_id: int) -> Snapshot:
        """The present configuration, from memory. NotFound when there is no such account."""
        try:
            return self._snapshots[account_id]
        except KeyError:
            raise NotFound from None

    def accounts(self) -> list[int]:
        return sorted(self._snapshots)

    def account_for_domain(self, domain: str) -> int | None:
        """Whose SIP domain this is (R27)."""
        return self._domains.get(domain.lower())

    def account_for_number(self, number: str) -> int | None:
        """The account with this customer number (`core.default_account`)."""
        return self._numbers.get(number)

    def on_change(self, listener: Changed) -> None:
        """Call `listener(account, snapshot)` after every new revision seen by this process; None = the account is gone."""
        self._listeners.append(listener)

    # -- reading ---------------------------------------------------------------------------------------------------------

    async def load(self, account_id: int, tx: Tx) -> Snapshot:
        """The configuration as the rows say inside a transaction. NotFound when there is no such account."""
        row = await models.Account.filter(id=account_id).using_db(tx).first()
        if row is None:
            raise NotFound
        core = await self.core.load(account_id, tx)
        parts = {name: await store.load(account_id, tx) for name, store in self.stores.items()}
        return Snapshot(row.revision, core, parts)

    async def load_all(self) -> None:
        """Take every account into memory at start; from the files of the last run when the database is away."""
        try:
            await self.refresh()
        except Exception as error:
            if not is_away(error):
                raise
            self._load_files(error)

    def _load_files(self, error: Exception) -> None:
        for account_id, snapshot in self._files.read_all({name: store.part for name, store in self.stores.items()}).items():
            self._publish(account_id, snapshot)
        log.error("database away at start (%s): going on with the last known configuration of %d accounts", error, len(self._snapshots))

    async def refresh(self) -> None:
        """Take over what other processes have saved since; called at a ring and now and then."""
        rows = dict(await models.Account.all().using_db(self.db.connection).values_list("id", "revision"))
        for account_id in set(self._snapshots) - set(rows):
            self._publish(account_id, None)
            await asyncio.to_thread(self._files.remove, account_id)
        for account_id, revision in rows.items():
            known = self._snapshots.get(account_id)
            if known is None or known.revision != revision or set(known.parts) != set(self.stores):
                await self._refresh_one(account_id)

    async def _refresh_one(self, account_id: int) -> None:
        async with self.db.transaction() as tx:
            if self.db.dialect == "postgres":
                # several tables must be read as of one moment
                await tx.execute_query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            try:
                snapshot = await self._load_tolerant(account_id, tx)
            except NotFound:
                return  # removed since the list was read
        self._publish(account_id, snapshot)
        await self._keep(account_id, snapshot)

    async def _load_tolerant(self, account_id: int, tx: Tx) -> Snapshot:
        """Like `load`, but a plugin whose part can't be read is left out: its targets follow R26, everybody else works."""
        row = await models.Account.filter(id=account_id).using_db(tx).first()
        if row is None:
            raise NotFound
        core = await self.core.load(account_id, tx)
        parts: dict[str, Part] = {}
        for name, store in self.stores.items():
            try:
                async with self.db.savepoint(tx) as inner:
                    parts[name] = await store.load(account_id, inner)
            except Exception as error:
                if is_away(error):
                    raise
                log.exception("the part %s of account %d can't be loaded; it is left out", name, account_id)
        return Snapshot(row.revision, core, parts)

    async def follow(self, bell: Waiting, every: float = 5.0) -> None:
        """Run for ever: refresh at each ring, and every few seconds in case one was missed. Survives an absent database."""
        away = False
        while True:
            await bell.wait(every)
            try:
                await self.refresh()
            except Exception as error:
                if not is_away(error):
                    log.exception("the configuration could not be refreshed")
                elif not away:
                    log.warning("database away: going on with the known configuration: %s", error)
                away = is_away(error)
            else:
                if away:
                    log.info("database back: the configuration is up to date")
                away = False

    def _publish(self, account_id: int, snapshot: Snapshot | None) -> None:
        known = self._snapshots.get(account_id)
        if snapshot is None:
            self._snapshots.pop(account_id, None)
        elif known is None or known.revision <= snapshot.revision:
            self._snapshots[account_id] = snapshot
        else:
            return
        self._index(account_id, known, snapshot)
        for listener in self._listeners:
            listener(account_id, snapshot)

    def _index(self, account_id: int, before: Snapshot | None, after: Snapshot | None) -> None:
        """Only this account's entries: a name may have gone from one account to another in the meantime."""
        for account, gone in ((before, True), (after, False)):
            if account is None:
                continue
            for index, name in ((self._domains, account.account.domain.lower()), (self._numbers, account.account.number)):
                if not gone:
                    index[name] = account_id
                elif index.get(name) == account_id:
                    del index[name]

    async def _keep(self, account_id: int, snapshot: Snapshot) -> None:
        """On disk, for a start without the database. What was saved is saved, also when the disk is full."""
        try:
            await asyncio.to_thread(self._files.write, account_id, snapshot)
        except OSError as error:
            log.error("the snapshot of account %d can't be kept on disk: %s", account_id, error)
