# SPDX-License-Identifier: Apache-2.0
"""A switch that an earlier engine has left running: kept, told what is new, or started again, as the settings demand."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from engine.directory import DirectoryListener
from engine.errors import SwitchError
from engine.runtime.secrets import completed
from engine.runtime.switch_process import Ready, SwitchProcess
from engine.settings import Settings
from tests.calls.installation import own_address, test_settings
from tests.embedded.conftest import Office
from tests.embedded.esl import Esl
from tests.embedded.telephone import Telephone
from tests.switches.freeswitch import free_ports


class Site:
    """One installation's state folder; each `engine` is a new supervisor with its own settings."""

    def __init__(self, folder: Path) -> None:
        self.address = own_address()
        self.settings = completed(test_settings(folder / "state", self.address))
        self.listeners: list[DirectoryListener] = []
        self.last: SwitchProcess | None = None

    async def directory(self) -> DirectoryListener:
        listener = DirectoryListener(
            Office(), host=self.address, port=0, secret=self.settings.directory.secret, allowed=["127.0.0.0/8"]
        )
        await listener.start()
        self.listeners.append(listener)
        return listener

    async def engine(self, settings: Settings, directory: DirectoryListener) -> Ready:
        """What the supervisor of the next engine has found or started."""
        if self.last is not None:
            await self.last.leave()
        self.last = SwitchProcess(settings, directory.url)
        return await self.last.start()

    def on(self, **fields: object) -> Settings:
        return msgspec.structs.replace(self.settings, switch=msgspec.structs.replace(self.settings.switch, **fields))

    async def registers(self, ready: Ready) -> int:
        """The answer to a phone's REGISTER."""
        phone = await Telephone((self.address, ready.internal_port)).open(self.address)
        try:
            return (await phone.register()).code
        finally:
            phone.close()

    def esl(self, ready: Ready) -> Esl:
        return Esl(self.address, ready.event_socket_port, self.settings.switch.esl_password)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    found = Site(tmp_path)
    yield found
    if found.last is not None:
        await found.last.stop()
    for listener in found.listeners:
        await listener.stop()


@pytest.mark.feature("R1")
async def test_a_running_switch_is_told_where_the_directory_is_now(site: Site) -> None:
    old = await site.directory()
    first = await site.engine(site.settings, old)
    assert await site.registers(first) == 200
    assert await site.engine(site.settings, old) == first
    await old.stop()
    assert await site.registers(first) == 503  # nobody to ask
    second = await site.engine(site.settings, await site.directory())
    assert second == first
    async with asyncio.timeout(10):
        while await site.registers(second) != 200:
            pass


@pytest.mark.feature("R1")
async def test_other_ports_need_another_switch_but_not_while_there_are_calls(site: Site) -> None:
    directory = await site.directory()
    first = await site.engine(site.settings, directory)
    (port,) = free_ports(site.address, 1)
    moved = site.on(sip_port=port)
    phone = await Telephone((site.address, first.internal_port)).open(site.address)
    async with site.esl(first) as esl:
        talk = await phone.call("700")
        uuid = (await esl.event("CHANNEL_PARK"))["Unique-ID"]
        assert await esl.api(f"sched_del {uuid}") == "+OK Deleted: 1\n"
        assert await esl.api(f"uuid_answer {uuid}") == "+OK\n"
        await talk.answered()
        assert await site.engine(moved, directory) == first
        await talk.hang_up()
        await esl.event("CHANNEL_DESTROY")
    second = await site.engine(moved, directory)
    assert second.pid != first.pid
    assert (second.internal_port, second.trunk_port) == (port, first.trunk_port)  # any free port is the former one
    assert await site.registers(second) == 200
    phone.close()


@pytest.mark.feature("R1")
async def test_a_switch_with_another_password_is_no_use(site: Site) -> None:
    directory = await site.directory()
    first = await site.engine(site.settings, directory)
    second = await site.engine(site.on(esl_password="another"), directory)
    assert second.pid != first.pid
    async with Esl(site.address, second.event_socket_port, "another") as esl:
        assert await esl.api("show channels count") == "\n0 total.\n"


async def test_a_taken_port_is_named_by_its_setting(site: Site) -> None:
    (port,) = free_ports(site.address, 1)
    taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with taken:
        taken.bind((site.address, port))
        with pytest.raises(SwitchError, match=rf"{site.address}:{port} \(switch\.sip_port\): .*already in use"):
            await site.engine(site.on(sip_port=port), await site.directory())
    site.last = None
