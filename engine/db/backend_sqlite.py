# SPDX-License-Identifier: Apache-2.0
"""SQLite for Tortoise as VATS needs it: transactions that take the write lock at once, WAL, and UTC in every comparison.

Tortoise begins deferred transactions: two processes that read and then write get "database is locked" at once, however long
the busy timeout. Its own context also keeps its lock for good when a transaction can't begin. Both are mended here.
"""

from __future__ import annotations

import sqlite3
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


class Client(SqliteClient):
    """Named by its module in the connection settings."""

    def __init__(self, file_path: str, **kwargs: Any) -> None:
        super().__init__(file_path, **kwargs)
        self.pragmas.setdefault("busy_timeout", 10_000)
        self.pragmas.setdefault("synchronous", "NORMAL")
        # busy_timeout first: switching to WAL needs the lock itself
        self.pragmas = {"busy_timeout": self.pragmas.pop("busy_timeout"), **self.pragmas}

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
