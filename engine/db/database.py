# SPDX-License-Identifier: Apache-2.0
"""The database of one installation: opened by the runtime and the command line, handed to everything that reads or writes rows."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from tortoise import context as tortoise_context
from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.backends.base.config_generator import expand_db_url
from tortoise.context import TortoiseContext
from tortoise.exceptions import BaseORMException, DBConnectionError, OperationalError
from tortoise.migrations.executor import MigrationTarget

from engine.db.migrating import Executor
from engine.db.transaction import Tx
from engine.db.trouble import is_away
from engine.errors import SettingsError
from engine.settings import Settings

log = logging.getLogger(__name__)

FILE = "vats.sqlite3"
"""Of SQLite, in the state folder."""
Dialect = Literal["sqlite", "postgres"]

_MIGRATION_LOCK = 0x56415453  # "VATS": any number, the same in every process


def sqlite_file(settings: Settings) -> Path | None:
    """Where the database lies; None when a server keeps it."""
    if not settings.database.url.startswith("sqlite"):
        return None
    return Path(settings.database.url.removeprefix("sqlite://") or settings.state / FILE)


class Database:
    """One Tortoise context with its connections. Open it once per process; the last one opened answers bare model calls."""

    def __init__(self, settings: Settings, plugin_models: Sequence[tuple[str, str]]) -> None:
        self.dialect: Dialect = "sqlite" if settings.database.url.startswith("sqlite") else "postgres"
        self.url = settings.database.url
        self._settings = settings
        self._apps = {"core": ("engine.db.models", "engine.db.migrations")}
        for app, module in plugin_models:
            package = module.rpartition(".")[0]
            self._apps[app] = (module, f"{package}.migrations")
        self._context = TortoiseContext()
        self._before: TortoiseContext | None = None

    @classmethod
    async def open(cls, settings: Settings, plugin_models: Sequence[tuple[str, str]] = ()) -> Database:
        """Load the models of core and plugins and prepare connections (made when first used, so this works with the server away).

        `plugin_models`: (app label = plugin id, dotted module of its models; its migrations lie in `migrations/` beside it).
        Raises SettingsError when the address can't be understood.
        """
        database = cls(settings, plugin_models)
        await database._init()
        return database

    async def _init(self) -> None:
        with self.active():
            await self._context.init(config=self.config(), use_tz=True, timezone="UTC")
        # Tasks of web server, bot and jobs are born in various contexts: the process-wide fallback serves them all.
        self._before = tortoise_context._global_context
        tortoise_context._global_context = self._context

    def config(self) -> dict[str, Any]:
        """Tortoise's configuration, also used by `tortoise makemigrations`."""
        if self.dialect == "sqlite":
            state = self._settings.state
            state.mkdir(0o750, parents=True, exist_ok=True)
            path = str(sqlite_file(self._settings))
            _make_for_us_alone(path)
            connection: dict[str, Any] = {"engine": "engine.db.backend_sqlite", "credentials": {"file_path": path}}
        else:
            try:
                connection = expand_db_url(self.url)
            except (BaseORMException, ValueError) as error:
                raise SettingsError(f"Settings: database.url can't be understood: {error}.") from error
            connection["engine"] = "engine.db.backend_asyncpg"
            connection["credentials"].setdefault("maxsize", 10)
        return {
            # named so because Tortoise caches statements by this name
            "connections": {self.dialect: connection},
            "apps": {
                app: {"models": [models], "migrations": migrations, "default_connection": self.dialect}
                for app, (models, migrations) in self._apps.items()
            },
        }

    @property
    def connection(self) -> BaseDBAsyncClient:
        """The current connection: the transaction's inside one, else the ordinary one."""
        return self._context.db(self.dialect)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        """One transaction; what it yields goes into `using_db=` and `Model.of(account, tx)`. Do not wait for a network inside.

        Inside another transaction of the same task it is a savepoint of that one (on SQLite a second one would wait for ever).
        """
        with self.active():
            current: Any = self.connection
            if getattr(current, "_finalized", False):
                current = _ordinary(current)  # inherited from a transaction that is over
            async with current._in_transaction() as tx:
                yield tx

    @asynccontextmanager
    async def savepoint(self, tx: Tx) -> AsyncIterator[Tx]:
        """A part of a transaction that can fail alone: an exception undoes only what was done inside by the connection it yields."""
        async with tx._in_transaction() as inner:
            yield inner

    @contextmanager
    def active(self) -> Iterator[None]:
        """Let bare model calls inside the block use this database (only needed where several are open in one process)."""
        token = tortoise_context._current_context.set(self._context)
        try:
            yield
        finally:
            tortoise_context._current_context.reset(token)

    async def reachable(self) -> bool:
        try:
            await self.connection.execute_query("SELECT 1")
        except (DBConnectionError, OperationalError) as error:
            if not is_away(error):
                raise
            log.warning("database away: %s", error)
            return False
        return True

    async def migrate(self) -> list[str]:
        """Bring every table to the present models: all missing migrations of core and plugins in one transaction.

        Returns the names applied ("core.0001_initial"). Safe to call from several processes at once.
        """
        applied: list[str] = []
        with self.active():
            async with self.transaction() as tx:
                if self.dialect == "postgres":
                    await tx.execute_query("SELECT pg_advisory_xact_lock($1)", [_MIGRATION_LOCK])
                apps = {app: config for app, config in self.config()["apps"].items() if _has_package(config["migrations"])}
                executor = Executor(tx, apps)
                await executor.prepare()
                await executor.migrate(
                    [MigrationTarget(app_label=app, name="__latest__") for app in apps],
                    direction="forward",
                    progress=lambda event, app, name: applied.append(f"{app}.{name}") if event == "apply_done" else None,
                )
        for name in applied:
            log.info("migration applied: %s", name)
        return applied

    async def close(self) -> None:
        if tortoise_context._global_context is self._context:
            tortoise_context._global_context = self._before
        with self.active():
            await self._context.close_connections()

    def __repr__(self) -> str:
        return f"<Database {self.dialect} {urlsplit(self.url).hostname or self.url}>"


def _ordinary(connection: Any) -> Any:
    """The connection below any transaction."""
    while hasattr(connection, "_finalized"):
        connection = connection._parent
    return connection


def _has_package(name: str) -> bool:
    """A plugin with models but no migrations yet is a mistake that must not pass silently."""
    try:
        return bool(importlib.import_module(name))
    except ModuleNotFoundError as error:
        raise SettingsError(f"The migrations {name} are missing.") from error


def _make_for_us_alone(path: str) -> None:
    """Calls, names, password hashes: nobody else reads them. SQLite gives its other files the mode of this one.

    A file that is there is never opened by us: to close it would end SQLite's own locks on it in this process (POSIX), and the next
    process to leave would take the write-ahead log with it.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return
