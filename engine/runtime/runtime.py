# SPDX-License-Identifier: Apache-2.0
"""Builds the parts of one process, starts them in order of dependency, stops them in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
from aiohttp import web as http

from engine import heavy
from engine.db import Database, secrets
from engine.directory import directory_url
from engine.errors import SettingsError
from engine.jobs import Doorbell, OrderBook, Ticker
from engine.outbox import Outbox
from engine.plugin import loader
from engine.plugin.contract import Job
from engine.plugin.registry import Registry
from engine.revisions import Revisions
from engine.runtime import ports
from engine.runtime.context import RuntimeContext
from engine.runtime.engine_role import EngineRole
from engine.runtime.secrets import completed
from engine.runtime.switch_process import Ready, SwitchProcess
from engine.settings import ALL_ROLES, Role, Settings
from engine.sound import prompts

log = logging.getLogger(__name__)

WEB_APP = "web.app:make_app"
BOT_RUN = "bot.app:run"
COLLECT_EVERY = 5_000
"""New objects between two looks of the garbage collector: a burst of calls is not one of looks."""


class Runtime:
    """One process of the PBX. `ctx` exists after `open`."""

    ctx: RuntimeContext

    def __init__(self, settings: Settings, roles: Sequence[Role], *, skip_plugins: Sequence[str] = ()) -> None:
        self.settings = completed(settings)
        self.roles = tuple(roles)
        self.migrated: list[str] = []
        self.web_port = 0
        self.switch: SwitchProcess | None = None
        self.engine: EngineRole | None = None
        self._skip = skip_plugins
        self._stack = AsyncExitStack()
        self._check_roles()

    def _check_roles(self) -> None:
        """Raises SettingsError for a combination that can't work."""
        switch, alone = self.settings.switch, self.roles == ("switch",)
        missing = [r for r in ALL_ROLES if r not in self.roles]
        if self.settings.database.url.startswith("sqlite") and self.roles and not alone and missing not in ([], ["switch"]):
            raise SettingsError(
                f"SQLite serves one process with all roles; {', '.join(missing)} would be missing. Use PostgreSQL to split roles."
            )
        if alone and switch.kind != "embedded":
            raise SettingsError("Only the embedded switch is started by VATS; switch.kind is another one.")
        apart = alone or ("engine" in self.roles and "switch" not in self.roles)
        if apart and switch.kind == "embedded" and not (switch.esl_port and self.settings.directory.port):
            raise SettingsError("Settings: switch.esl_port and directory.port can't be 0 when switch and engine are processes apart.")

    # -- the parts every command needs ---------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Settings, plugins, database, configuration; no listening socket yet."""
        settings = self.settings
        settings.state.mkdir(0o750, parents=True, exist_ok=True)
        secrets.setup(settings)
        registry = Registry(loader.find(skip=self._skip))
        db = await Database.open(settings, registry.models())
        self._stack.push_async_callback(db.close)
        if await db.reachable():
            self.migrated = await db.migrate()
        else:
            log.error("the database is away; going on with what is known on disk")
        doorbell = Doorbell(db)
        revisions = Revisions(db, registry.parts(), settings.state, doorbell.ring, settings.media_root)
        await revisions.load_all()
        self.ctx = RuntimeContext(settings, registry, db, revisions, OrderBook(db, doorbell.ring), Outbox(db, (), doorbell.ring), doorbell)

    async def close(self) -> None:
        await self._stack.aclose()

    # -- the roles -------------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Everything this process is for. Raises VatsError with one sentence when it can't be."""
        if self.roles == ("switch",):
            await self._start_switch(directory_url(self.settings.directory.host, self.settings.directory.port))
            return
        await self.open()
        ctx = self.ctx
        await self._stack.enter_async_context(heavy.opened())
        await ctx.doorbell.start(ctx.loops.spawn)
        self._stack.push_async_callback(ctx.doorbell.stop)
        await self._start_plugins()
        prompts.install(self.settings.media_root)
        self._spawn("configuration", self._follow_configuration)
        if "engine" in self.roles:
            self.engine = EngineRole(ctx)
            self._stack.push_async_callback(self.engine.close)
            await self.engine.open_directory()
        if "switch" in self.roles and self.settings.switch.kind == "embedded" and self.engine is not None:
            ready = await self._start_switch(self.engine.directory_url)
            switch = msgspec.structs.replace(self.settings.switch, sip_port=ready.internal_port, trunk_port=ready.trunk_port)
            ctx.settings = msgspec.structs.replace(self.settings, switch=switch)  # which were any free ones where 0 was asked
            self.engine.connect(port=ready.event_socket_port)
        elif self.engine is not None:
            self.engine.connect(port=self.settings.switch.esl_port)
        if self.engine is not None:
            await self.engine.start()
        if "jobs" in self.roles:
            await self._start_jobs()
        if "web" in self.roles:
            await self._start_web()
        if "bot" in self.roles:
            module, _, name = BOT_RUN.partition(":")
            run = getattr(importlib.import_module(module), name)
            self._spawn("bot", lambda: run(ctx))

    async def _start_plugins(self) -> None:
        self._stack.push_async_callback(self.ctx.registry.stop)  # first: a start that fails in the middle leaves some of them running
        await self.ctx.registry.start(self.ctx, self.settings.plugins)

    @asynccontextmanager
    async def tooling(self) -> AsyncIterator[RuntimeContext]:
        """What a command of the command line needs: everything opened and the plugins started, but no role."""
        try:
            await self.open()
            await self._start_plugins()
            yield self.ctx
        finally:
            await self.close()

    async def _start_switch(self, directory: str) -> Ready:
        """Start or adopt the embedded switch, which asks at this address who may register; alone it needs no database."""
        prompts.install(self.settings.media_root)
        self.switch = SwitchProcess(self.settings, directory, self._switch_started)
        ready = await self.switch.start()
        self._stack.push_async_callback(self.switch.leave)
        return ready

    def _switch_started(self, ready: Ready) -> None:
        log.warning("the switch runs again; phones and trunks find it at the same ports")

    async def _follow_configuration(self) -> None:
        async with self.ctx.doorbell.listen("config") as bell:
            await self.ctx.revisions.follow(bell)

    async def _start_jobs(self) -> None:
        ctx = self.ctx
        for _, delivery in ctx.registry.deliveries():
            ctx.outbox.add(delivery)
        self._spawn("outbox", ctx.outbox.run)
        core = [Job("core.forget_deliveries", timedelta(days=1), self._forget_deliveries)]
        if self.engine is not None:
            core.append(Job("core.retry_facts", timedelta(hours=1), self.engine.journal.retry_failed))
        ours = [(plugin, job) for plugin, job in ctx.registry.jobs() if self.engine is not None or not job.beside_engine]
        plugins = [replace(job, name=f"{plugin.meta.id}.{job.name}") for plugin, job in ours]
        ticker = Ticker(ctx.db, [*core, *plugins])
        ticker.start()
        self._stack.push_async_callback(ticker.stop)

    async def _forget_deliveries(self) -> None:
        await self.ctx.outbox.forget()

    async def _start_web(self) -> None:
        module, _, name = WEB_APP.partition(":")
        make: Callable[..., Coroutine[Any, Any, http.Application]] = getattr(importlib.import_module(module), name)
        runner = http.AppRunner(await make(self.ctx), access_log=None, shutdown_timeout=2.0)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        site = http.TCPSite(runner, self.settings.web.host, self.settings.web.port)
        try:
            await site.start()
        except OSError as error:
            web = self.settings.web
            raise SettingsError(ports.refusal(ports.Place("web.port", web.host, web.port, ()), error)) from error
        self.web_port = int(runner.addresses[0][1])
        log.info("cabinet at http://%s:%d", self.settings.web.host, self.web_port)

    def _spawn(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        task = self.ctx.loops.spawn(name, work)
        self._stack.push_async_callback(_cancel, task)

    async def stop(self, *, stop_switch: bool = False) -> None:
        """End this process's work; calls live on in the switch unless it is stopped too."""
        switch = self.switch
        await self._stack.aclose()
        if stop_switch and switch is not None:
            await switch.stop()

    @asynccontextmanager
    async def running(self, *, stop_switch: bool = True) -> AsyncIterator[Runtime]:
        """Started inside the block, stopped after it."""
        try:
            await self.start()
            yield self
        finally:
            await self.stop(stop_switch=stop_switch)

    async def run_until_stopped(self, *, stop_switch: bool = False, started: Callable[[Runtime], None] = lambda runtime: None) -> None:
        """Run until SIGTERM or SIGINT, or until the terminal is closed (SIGHUP, unless it is ignored as nohup does)."""
        told = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, told.set)
        async with self.running(stop_switch=stop_switch):
            started(self)
            settle()
            await told.wait()
            log.info("stopping")


def settle() -> None:
    """Before the first call: what exists now lives as long as the process, so the collector need not look at it again.

    Looking at it takes 200 ms, in which every call would wait; what calls leave behind is looked at in batches.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_EVERY, 10, 10)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
