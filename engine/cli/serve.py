# SPDX-License-Identifier: Apache-2.0
"""`vats run` and `vats migrate`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from engine import log, settings
from engine.errors import SettingsError
from engine.runtime import Runtime
from engine.runtime.journal import engine_runs
from engine.settings import ALL_ROLES, Role, Settings

T = TypeVar("T")
DEMO_STATE = "var/demo"
"""Where `vats demo` lives, unless told otherwise."""


def add_commands(commands: Any) -> None:
    run = commands.add_parser("run", help="run the PBX until it is told to stop")
    run.add_argument("--roles", default=",".join(ALL_ROLES), help=f"comma-separated, of {', '.join(ALL_ROLES)}")
    run.add_argument("--stop-switch", action="store_true", help="end the embedded switch and its calls when this process ends")
    run.set_defaults(run=_run)
    migrate = commands.add_parser("migrate", help="bring the database to this version")
    migrate.set_defaults(run=_migrate)


def loaded(options: argparse.Namespace) -> Settings:
    """The settings the command line names; logging is set up by them."""
    found = settings.load(Path(options.config) if options.config else None)
    log.setup(found.core.log_level, found.core.log_format)
    if demonstration(found) is not None:
        print(f"(this is about the PBX in {found.state}; the demonstration that runs: VATS_CORE__STATE={DEMO_STATE})", file=sys.stderr)
    return found


def demonstration(settings: Settings) -> Settings | None:
    """The demonstration that runs here beside the installation of these settings; None without one."""
    demo = msgspec.structs.replace(settings, core=msgspec.structs.replace(settings.core, state=DEMO_STATE))
    return demo if settings.state != demo.state and engine_runs(demo) else None


def working(settings: Settings, work: Callable[[Runtime], Awaitable[T]]) -> T:
    """Do this with an opened installation that has no role, and close it."""

    async def opened() -> T:
        runtime = Runtime(settings, ())
        try:
            await runtime.open()
            return await work(runtime)
        finally:
            await runtime.close()

    return asyncio.run(opened())


def roles_of(text: str) -> tuple[Role, ...]:
    """Raises SettingsError for a word that is no role."""
    wanted = [word.strip() for word in text.split(",") if word.strip()]
    unknown = [word for word in wanted if word not in ALL_ROLES]
    if unknown or not wanted:
        raise SettingsError(f"--roles takes words of {', '.join(ALL_ROLES)}, not {', '.join(unknown) or 'nothing'}.")
    return tuple(role for role in ALL_ROLES if role in wanted)


def _run(options: argparse.Namespace) -> int:
    runtime = Runtime(loaded(options), roles_of(options.roles))
    asyncio.run(runtime.run_until_stopped(stop_switch=options.stop_switch))
    return 0


def _migrate(options: argparse.Namespace) -> int:
    async def work(runtime: Runtime) -> list[str]:
        return runtime.migrated

    for name in working(loaded(options), work):
        print(f"applied {name}")
    return 0
