# SPDX-License-Identifier: Apache-2.0
"""One running installation for call tests: the real runtime in this process and beside it a switch, the embedded one or a real FreeSWITCH.

`SWITCH=freeswitch FREESWITCH=/path/to/bin/freeswitch` chooses the real one, with the production configuration.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from engine.runtime import Runtime
from engine.settings import ALL_ROLES, Core, Directory, Mail, Settings, Switch, Web
from engine.sound import prompts
from tests.switches.freeswitch import FreeSwitch, free_ports

REAL = os.environ.get("SWITCH") == "freeswitch"
BINARY = Path(os.environ.get("FREESWITCH", ""))
_hosts = itertools.count(random.randrange(1, 200))


def own_address() -> str:
    """A loopback address that no other test of this run uses."""
    worker = int("".join(c for c in os.environ.get("PYTEST_XDIST_WORKER", "0") if c.isdigit()) or 0)
    return f"127.{10 + worker}.{random.randrange(1, 250)}.{next(_hosts) % 250 + 1}"


def test_settings(state: Path, address: str) -> Settings:
    """Everything on `address` and free ports; what only this machine uses stays on loopback."""
    local = address if address.startswith("127.") else "127.0.0.1"
    return Settings(
        core=Core(state=str(state), default_account="100"),
        switch=Switch(
            sip_host=address, sip_port=0, trunk_port=0, esl_host=local, esl_port=0, rtp_first_port=0, rtp_last_port=0,
            unanswered_limit_seconds=50.0,
        ),
        directory=Directory(host=local, port=0),
        web=Web(host=local, port=0),
        mail=Mail(),
    )  # fmt: skip


test_settings.__test__ = False  # type: ignore[attr-defined]


@cache
def _certificates() -> tempfile.TemporaryDirectory[str]:
    """Shared by every FreeSWITCH of this process: making them takes most of its first start."""
    return tempfile.TemporaryDirectory(prefix="vats-certificates-")


def certificates() -> Path:
    """See above."""
    return Path(_certificates().name)


def beside_freeswitch(settings: Settings, folder: Path) -> tuple[Settings, FreeSwitch]:
    """The same settings for a FreeSWITCH that runs beside, and that FreeSWITCH, not started yet."""
    if not BINARY.is_file():
        raise RuntimeError("SWITCH=freeswitch needs FREESWITCH=/path/to/bin/freeswitch")
    address, local = settings.switch.sip_host, settings.directory.host
    port, secret = free_ports(local, 1)[0], secrets.token_urlsafe(12)
    prompts.install(settings.media_root)  # it looks for its music when it starts
    switch = FreeSwitch(
        BINARY, folder / "freeswitch", settings.media_root,
        address=address, directory_url=f"http://{local}:{port}/fs", directory_secret=secret, certificates=certificates(),
        rtp_timeout_seconds=settings.switch.rtp_timeout_seconds, rtp_hold_timeout_seconds=settings.switch.rtp_hold_timeout_seconds,
    )  # fmt: skip
    with_ports = msgspec.structs.replace(
        settings.switch, kind="freeswitch", esl_host=switch.esl_host, esl_port=switch.esl_port, esl_password=switch.esl_password,
        sip_port=switch.sip_port, trunk_port=switch.trunk_port,
    )  # fmt: skip
    directory = msgspec.structs.replace(settings.directory, port=port, secret=secret)
    return msgspec.structs.replace(settings, switch=with_ports, directory=directory), switch


async def furnish_database(settings: Settings) -> None:
    """Put a migrated database into an empty state folder. Making one takes two seconds of a processor; the first is kept for the rest."""
    name = "vats.sqlite3"
    if not _migrated:
        with tempfile.TemporaryDirectory(prefix="vats-migrated-") as folder:
            runtime = Runtime(test_settings(Path(folder), "127.0.0.1"), ())
            await runtime.open()
            await runtime.close()
            _migrated.append((Path(folder) / name).read_bytes())
    settings.state.mkdir(parents=True, exist_ok=True)
    if not (settings.state / name).exists():
        (settings.state / name).write_bytes(_migrated[0])


_migrated: list[bytes] = []


class Installation:
    """`address` is where everything listens; `freeswitch` is None with the embedded switch."""

    def __init__(self, runtime: Runtime, address: str, freeswitch: FreeSwitch | None) -> None:
        self.runtime, self.address, self.freeswitch = runtime, address, freeswitch

    @property
    def internal(self) -> tuple[str, int]:
        """Where phones register and call."""
        return self.address, self.freeswitch.sip_port if self.freeswitch else self._ready.internal_port

    @property
    def trunk(self) -> tuple[str, int]:
        """Where providers call in."""
        return self.address, self.freeswitch.trunk_port if self.freeswitch else self._ready.trunk_port

    @property
    def _ready(self) -> Any:
        assert self.runtime.switch is not None
        assert self.runtime.switch.ready is not None
        return self.runtime.switch.ready

    async def ask(self, command: str) -> str:
        """An api command, by the engine's own connection."""
        assert self.runtime.engine is not None
        return await self.runtime.engine.node.switch.ask(command, 15.0)

    def kill(self, uuid: str) -> None:
        assert self.runtime.engine is not None
        self.runtime.engine.node.switch.kill(uuid)

    async def channels(self) -> list[dict[str, str]]:
        """What the switch says it carries."""
        assert self.runtime.engine is not None
        return await self.runtime.engine.node.switch.show_channels()


@asynccontextmanager
async def installation(folder: Path, address: str = "", **settings: Any) -> AsyncIterator[Installation]:
    """Everything runs inside the block, without any account; the switch ends with it. `settings`: whole sections."""
    address = address or own_address()
    chosen = msgspec.structs.replace(test_settings(folder / "state", address), **settings)
    freeswitch: FreeSwitch | None = None
    async with AsyncExitStack() as stack:
        if REAL:
            chosen, freeswitch = beside_freeswitch(chosen, folder)
            await freeswitch.start()
            stack.push_async_callback(freeswitch.kill)
        await furnish_database(chosen)
        runtime = Runtime(chosen, ALL_ROLES)
        await stack.enter_async_context(runtime.running())
        assert runtime.engine is not None
        async with asyncio.timeout(30):
            await runtime.engine.connected.wait()
        yield Installation(runtime, address, freeswitch)
