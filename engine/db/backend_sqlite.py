# SPDX-License-Identifier: Apache-2.0
"""SQLite for Tortoise as VATS needs it: transactions that take the write lock at once, WAL, and UTC in every comparison.

Tortoise begins deferred transactions: two processes that read and then write get "database is locked" at once, however long
the busy timeout. Its own context also keeps its lock for good when a transaction can't begin. Both are mended here.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from datetime import UTC, datetime
from typing import Any, cast

import aiosqlite
from tortoise.backends.base.client import ConnectionWrapper, TransactionalDBClient, TransactionContext
from tortoise.backends.sqlite.client import SqliteClient, SqliteTransactionContext, SqliteTransactionWrapper
from tortoise.connection import get_connections
from tortoise.exceptions import OperationalError

from engine.db.transaction import AfterCommit, Savepoint


def _adapt(moment: datetime) -> str:
    return (moment.astimezone(UTC) if moment.tzinfo else moment).isoformat(" ")


# SQLite compares times as text: one zone and one format for all, whatever zone a query was asked in
sqlite3.register_adapter(datetime, _adapt)

# seconds between two tries to open a file that another process sets up
_PAUSE = 0.02


class Client(SqliteClient):
    """Named by its module in the connection settings."""

    def __init__(self, file_path: str, **kwargs: Any) -> None:
        super().__init__(file_path, **kwargs)
        self.pragmas.setdefault("busy_timeout", 10_000)
        self.pragmas.setdefault("synchronous", "NORMAL")
        # busy_timeout first: what follows may have to wait for another process
        self.pragmas = {"busy_timeout": self.pragmas.pop("busy_timeout"), **self.pragmas}

    async def create_connection(self, with_db: bool) -> None:
        """Connect; a file that another process opens for the first time at this moment is waited for.

        SQLite does not apply the busy timeout to the switch to WAL: of two who do it at once one gets "database is locked" at
        once. A connection that could not be set up is dropped: half of its pragmas (foreign keys!) would be missing for good.
        """
        deadline = time.monotonic() + self.pragmas["busy_timeout"] / 1000
        while True:
            try:
                return await super().create_connection(with_db)
            except sqlite3.OperationalError as error:
                await self.close()
                if "locked" not in str(error) or time.monotonic() > deadline:
                    raise OperationalError(error) from error
            except BaseException:
                await self.close()
                raise
            await asyncio.sleep(_PAUSE)

    def _in_transaction(self) -> TransactionContext:
        return _Context(_Wrapper(self), self._lock)


class _Wrapper(AfterCommit, SqliteTransactionWrapper):
    def __init__(self, connection: SqliteClient) -> None:
        super().__init__(connection)
        self._after_commit = []

    def _in_transaction(self) -> TransactionContext:
        return Savepoint(_Wrapper(self))

    def acquire_connection(self) -> ConnectionWrapper[aiosqlite.Connection]:
        if self._finalized:
            # a task started inside the transaction inherited it and lives on: it gets the ordinary connection
            return cast("ConnectionWrapper[aiosqlite.Connection]", self._parent.acquire_connection())
        return ConnectionWrapper(self._lock, self)

    async def begin(self) -> None:
        try:
            await self._connection.rollback()  # a begin that was cancelled half-way may have left one open
            await self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise OperationalError(error) from error


class _Context(SqliteTransactionContext):
    async def __aenter__(self) -> TransactionalDBClient:
        await self._trxlock.acquire()
        try:
            await self.ensure_connection()
            await self.connection.begin()
        except BaseException:
            self._trxlock.release()
            raise
        self.token = get_connections().set(self.connection_name, self.connection)
        client: TransactionalDBClient = self.connection
        return client

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        await super().__aexit__(exc_type, exc_val, exc_tb)
        if exc_type is None:
            self.connection.run_after_commit()


client_class = Client
