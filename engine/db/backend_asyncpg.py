# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL for Tortoise as VATS needs it: "the database is away" is one error, and a failed begin gives its connection back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import (
    ConnectionWrapper,
    PoolConnectionWrapper,
    TransactionalDBClient,
    TransactionContext,
    TransactionContextPooled,
)
from tortoise.connection import get_connections
from tortoise.exceptions import BaseORMException, DBConnectionError, TransactionManagementError

from engine.db.transaction import AfterCommit, Savepoint
from engine.db.trouble import is_away

AWAY = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InternalClientError,
)
"""What asyncpg raises when the server is down, starting, stopping, full, or has cut the line."""


class Client(AsyncpgDBClient):
    """Named by its module in the connection settings."""

    async def create_connection(self, with_db: bool) -> None:
        try:
            await super().create_connection(with_db)
        except AWAY as error:
            raise DBConnectionError(f"PostgreSQL at {self.host}:{self.port} can't be reached: {error}") from error

    async def _translate_exceptions(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await _translated(super()._translate_exceptions, func, *args, **kwargs)

    def _in_transaction(self) -> TransactionContext:
        return _Context(_Wrapper(self), self._pool_init_lock)


class _Wrapper(AfterCommit, TransactionWrapper):
    def __init__(self, connection: AsyncpgDBClient) -> None:
        super().__init__(connection)
        self._after_commit = []

    async def _translate_exceptions(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await _translated(super()._translate_exceptions, func, *args, **kwargs)

    def _in_transaction(self) -> TransactionContext:
        return Savepoint(_Wrapper(self))

    def acquire_connection(self) -> ConnectionWrapper[Any] | PoolConnectionWrapper[Any]:  # type: ignore[override]  # after the end: the pool
        if self._finalized:
            # a task started inside the transaction inherited it and lives on: it gets the ordinary connections
            return self._parent.acquire_connection()
        return ConnectionWrapper(self._lock, self)

    async def commit(self) -> None:
        await _translated(super().commit)


class _Context(TransactionContextPooled):
    client: Any

    async def __aenter__(self) -> TransactionalDBClient:
        await self.ensure_connection()
        pool = self.client._parent._pool
        try:
            self.client._connection = await pool.acquire()
        except AWAY as error:
            raise DBConnectionError(f"PostgreSQL can't be reached: {error}") from error
        try:
            await _translated(self.client.begin)
        except BaseException:
            await pool.release(self.client._connection)
            raise
        self.token = get_connections().set(self.connection_name, self.client)
        client: TransactionalDBClient = self.client
        return client

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        try:
            if not self.client._finalized:
                if exc_type is None:
                    await self.client.commit()
                elif exc_type is not TransactionManagementError:
                    await self._roll_back()
        finally:
            self.client._finalized = True
            get_connections().reset(self.token)
            if self.client._parent._pool:
                await self.client._parent._pool.release(self.client._connection)
        if exc_type is None:
            self.client.run_after_commit()

    async def _roll_back(self) -> None:
        try:
            await self.client.rollback()
        except AWAY:
            pass  # the line is cut: the server rolls back by itself, and the first error is the one to tell


async def _translated(func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return await func(*args, **kwargs)
    except AWAY as error:
        raise DBConnectionError(f"PostgreSQL is away: {error}") from error
    except (asyncpg.PostgresError, BaseORMException) as error:
        if isinstance(error, DBConnectionError) or not is_away(error):
            raise
        raise DBConnectionError(f"PostgreSQL can't work now: {error}") from error


client_class = Client
