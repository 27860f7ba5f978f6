# SPDX-License-Identifier: Apache-2.0
"""A PBX whose engine is a process of its own: killed, stopped and started again by tests while calls go on in the switch."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from engine.cli.accounts import ACTOR, open_account
from engine.db import models
from engine.runtime import Runtime
from engine.settings import Settings
from tests.calls.installation import REAL, Installation, beside_freeswitch, furnish_database, own_address, test_settings
from tests.calls.pbx import DID, DOMAIN, Pbx
from tests.embedded.esl import Esl
from tests.switches.freeswitch import FreeSwitch, free_ports

ROOT = Path(__file__).parents[2]


def alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Apart(Installation):
    """`runtime` has no roles: it edits the configuration and reads the rows, in this process."""

    def __init__(self, settings: Settings, runtime: Runtime, address: str, freeswitch: FreeSwitch | None) -> None:
        super().__init__(runtime, address, freeswitch)
        self.settings = settings
        self.engine: asyncio.subprocess.Process | None = None
        self.log = settings.state / "engine.log"
        self._file = settings.state / "engine-settings.json"
        self._file.write_bytes(msgspec.json.encode(settings))

    async def start(self, within: float = 60.0) -> None:
        """Start an engine; it serves calls when this returns."""
        with self.log.open("ab") as output:
            self.engine = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.calls.engine_process", str(self._file),
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=output, cwd=ROOT,
            )  # fmt: skip
        assert self.engine.stdout is not None
        async with asyncio.timeout(within):
            said = await self.engine.stdout.readline()
        assert said == b"serving\n", self.log.read_text()[-3000:]

    async def end(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End the engine in this way and wait until it is gone."""
        engine, self.engine = self.engine, None
        if engine is None:
            return
        if engine.returncode is None:
            engine.send_signal(how)
        async with asyncio.timeout(20):
            await engine.wait()

    @property
    def _ready(self) -> Any:
        said = json.loads((self.settings.state / "switch" / "ready.json").read_bytes())

        class Ready:
            pid, ports = int(said["pid"]), said["ready"]
            internal_port, trunk_port, event_socket_port = int(ports["internal"]), int(ports["trunk"]), int(ports["event_socket"])

        return Ready

    @property
    def switch_pid(self) -> int:
        """The process of the switch that runs now."""
        return self.freeswitch.pid if self.freeswitch else int(self._ready.pid)

    @asynccontextmanager
    async def event_socket(self) -> AsyncIterator[Esl]:
        """A connection of the test's own to the switch."""
        port = self.freeswitch.esl_port if self.freeswitch else self._ready.event_socket_port
        secret = self.freeswitch.esl_password if self.freeswitch else (self.settings.state / "esl.password").read_text().strip()
        async with Esl(self.address, port, secret) as esl:
            yield esl

    async def ask(self, command: str) -> str:
        async with self.event_socket() as esl:
            return await esl.api(command)

    async def channels(self) -> list[dict[str, str]]:
        """What the switch carries."""
        return list(json.loads(await self.ask("show channels as json")).get("rows", []))

    async def stop_switch(self) -> None:
        """End the embedded switch that the engine has left running."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it never ran, or has gone
            pid = self.switch_pid
            os.kill(pid, signal.SIGTERM)
            for _ in range(200):
                if not alive(pid):
                    return
                await asyncio.sleep(0.05)


class ApartPbx(Pbx):
    """The account on it."""

    house: Apart

    async def live(self) -> list[dict[str, Any]]:
        """The calls in progress as the engine shows them to other processes."""
        return [r.state for r in await models.LiveCallRow.of(self.account).order_by("id")]

    async def until(self, look: Callable[[Sequence[dict[str, Any]]], bool], within: float = 15.0) -> list[dict[str, Any]]:
        """Wait until the calls in progress look like this."""
        seen: list[dict[str, Any]] = []
        try:
            async with asyncio.timeout(within), self.runtime.ctx.doorbell.listen("live", self.account) as bell:
                while not look(seen := await self.live()):
                    await bell.wait(0.1)  # rows of another process: nobody rings
        except TimeoutError:
            raise AssertionError(f"not within {within} s; the live view shows {seen}") from None
        return seen

    async def registered(self, *logins: str, within: float = 10.0) -> None:
        """The engine hears of registrations before it hears of calls made later: nothing to wait for."""


@asynccontextmanager
async def apart(folder: Path, **settings: Any) -> AsyncIterator[ApartPbx]:
    """One account; the engine is not started yet. Engine and switch end with the block."""
    address = own_address()
    chosen = msgspec.structs.replace(test_settings(folder / "state", address), **settings)
    # a switch asks the directory where it was, phones and providers come back to where the switch was
    directory, sip, trunks = free_ports(address, 3)
    chosen = msgspec.structs.replace(
        chosen,
        directory=msgspec.structs.replace(chosen.directory, port=directory),
        switch=msgspec.structs.replace(chosen.switch, sip_port=sip, trunk_port=trunks),
    )
    freeswitch: FreeSwitch | None = None
    async with AsyncExitStack() as stack:
        if REAL:
            chosen, freeswitch = beside_freeswitch(chosen, folder)
            await freeswitch.start()
            stack.push_async_callback(freeswitch.kill)
        await furnish_database(chosen)
        watching = Runtime(chosen, ())
        stack.push_async_callback(watching.close)
        await watching.open()
        account, _, _ = await open_account(watching, "100", "Office", DOMAIN, "owner", area_code="495")
        async with watching.ctx.edit(account, ACTOR) as edit:
            trunk = await models.Trunk.create(account_id=account, title="Provider", registers=False, sources=[address], using_db=edit.tx)
            await models.Did.create(account_id=account, number=DID, title="Main", trunk_id=trunk.id, connected=1, using_db=edit.tx)
        house = Apart(chosen, watching, address, freeswitch)
        if freeswitch is None:
            stack.push_async_callback(house.stop_switch)
        stack.push_async_callback(house.end)
        yield ApartPbx(house, account, folder)
