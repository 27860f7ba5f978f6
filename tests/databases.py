# SPDX-License-Identifier: Apache-2.0
"""Fixtures that give a test a fresh database: a SQLite file, and a PostgreSQL database of a server started for the run.

Registered by tests/conftest.py; a test takes `database`, or `database_settings` to open it itself.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from engine.db import Database, secrets
from engine.settings import Core, Settings
from engine.settings import Database as DatabaseSettings

PluginModels = tuple[tuple[str, str], ...]


@dataclass
class Postgres:
    """A PostgreSQL server of our own; `stop` and `start` let a test take it away for a while."""

    folder: Path
    bin: Path
    port: int
    user: str | None

    def url(self, name: str = "postgres") -> str:
        return f"postgres://vats@127.0.0.1:{self.port}/{name}"

    def _run(self, program: str, *arguments: str) -> None:
        demote = ["setpriv", f"--reuid={self.user}", "--regid=65534", "--clear-groups"] if self.user else []
        command = [*demote, str(self.bin / program), "-D", str(self.folder / "data"), *arguments]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"})
        assert done.returncode == 0, done.stdout + done.stderr

    def init(self) -> None:
        self._run("initdb", "-U", "vats", "-A", "trust", "-E", "UTF8", "--no-sync")

    def start(self) -> None:
        options = f"-p {self.port} -h 127.0.0.1 -k '' -c fsync=off -c full_page_writes=off -c max_connections=100"
        self._run("pg_ctl", "-l", str(self.folder / "log"), "-w", "-t", "60", "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "-w", "-m", mode, "stop")


def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4].split(".")[0]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running server, one per test process; skipped where PostgreSQL is not installed."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed (no initdb)")
    user = None
    if os.geteuid() == 0:  # initdb refuses root
        if not shutil.which("setpriv"):
            pytest.skip("PostgreSQL can't be started by root without setpriv")
        user = pwd.getpwnam("nobody").pw_name
    folder = Path(tempfile.mkdtemp(prefix="vats-postgres-"))
    if user:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = Postgres(folder, binaries, port, user)
    try:
        server.init()
        server.start()
        yield server
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgres"])
async def database_settings(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Settings]:
    """Settings of a fresh, empty database of either kind."""
    core = Core(state=str(tmp_path / "state"))
    if request.param == "sqlite":
        yield Settings(core=core)
        return
    server: Postgres = request.getfixturevalue("postgres")
    name = f"t{uuid.uuid4().hex}"
    control = await asyncpg.connect(server.url())
    await control.execute(f"CREATE DATABASE {name}")
    await control.close()
    yield Settings(core=core, database=DatabaseSettings(url=server.url(name)))
    control = await asyncpg.connect(server.url())
    await control.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await control.close()


_sqlite_templates: dict[PluginModels, bytes] = {}
_postgres_templates: dict[tuple[str, PluginModels], str] = {}


async def migrated(settings: Settings, plugin_models: PluginModels = ()) -> Database:
    """Open the fresh database of `database_settings` with all tables; they are migrated once per run and then copied."""
    secrets.setup(settings)
    if settings.database.url == "sqlite://":
        file = settings.state / "vats.sqlite3"
        if plugin_models in _sqlite_templates:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(_sqlite_templates[plugin_models])
            return await Database.open(settings, plugin_models)
        await _migrate(settings, plugin_models)
        _sqlite_templates[plugin_models] = file.read_bytes()  # closing has emptied the write-ahead log into it
        return await Database.open(settings, plugin_models)
    server, _, name = settings.database.url.rpartition("/")
    control = await asyncpg.connect(f"{server}/postgres")
    template = _postgres_templates.get((server, plugin_models))
    if template is None:
        await _migrate(settings, plugin_models)
        template = _postgres_templates[server, plugin_models] = f"template_{name}"
        await control.execute(f"CREATE DATABASE {template} TEMPLATE {name}")
    else:
        await control.execute(f"DROP DATABASE {name}")
        await control.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    await control.close()
    return await Database.open(settings, plugin_models)


async def _migrate(settings: Settings, plugin_models: PluginModels) -> None:
    database = await Database.open(settings, plugin_models)
    await database.migrate()
    await database.close()


@pytest.fixture
async def database(database_settings: Settings) -> AsyncIterator[Database]:
    """A migrated database with the core's tables."""
    opened = await migrated(database_settings)
    yield opened
    await opened.close()


def may_write(settings: Settings) -> None:
    """Raises sqlite3.OperationalError while somebody else is writing to the SQLite file."""
    with closing(sqlite3.connect(settings.state / "vats.sqlite3", timeout=0)) as other:
        other.execute("BEGIN IMMEDIATE")
