# SPDX-License-Identifier: Apache-2.0
"""The process: its ready line, its end on SIGTERM with calls up, what a restart remembers, a switch that outlives its engine."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.directory import DirectoryListener
from tests.embedded.conftest import configuration, own_address, parked, tone_file
from tests.embedded.esl import Esl
from tests.embedded.telephone import Telephone


class Process:
    def __init__(self, folder: Path, directory_url: str) -> None:
        self.folder, self.address = folder, own_address()
        self.url = directory_url
        self.ports: dict[str, int] = {}
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> dict[str, Any]:
        config = configuration(self.folder, self.address, self.url)
        config = msgspec.structs.replace(config, ready_file=str(self.folder / "ready.json"))
        if self.ports:  # a restarted switch stands where its phones know it
            config = msgspec.structs.replace(
                config,
                internal=msgspec.structs.replace(config.internal, port=self.ports["internal"]),
                event_socket=msgspec.structs.replace(config.event_socket, port=self.ports["event_socket"]),
            )
        path = self.folder / "switch.json"
        path.write_bytes(msgspec.json.encode(config))
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "engine.embedded", "--config", str(path),
            stdout=asyncio.subprocess.PIPE, stderr=(self.folder / "log").open("ab"),
        )  # fmt: skip
        assert self._process.stdout is not None
        async with asyncio.timeout(20):
            ready: dict[str, Any] = json.loads(await self._process.stdout.readline())
        self.ports = ready["ready"]
        assert json.loads((self.folder / "ready.json").read_text()) == ready
        return ready

    def esl(self) -> Esl:
        return Esl(self.address, self.ports["event_socket"])

    async def phone(self, user: str, *, register: bool = False) -> Telephone:
        phone = await Telephone((self.address, self.ports["internal"]), user).open(self.address)
        if register:
            assert (await phone.register()).code == 200
        return phone

    def signal(self, number: int) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            os.kill(self._process.pid, number)

    async def over(self) -> int:
        assert self._process is not None
        async with asyncio.timeout(10):
            return await self._process.wait()

    @property
    def errors(self) -> list[str]:
        return [line for line in (self.folder / "log").read_text().splitlines() if " ERROR " in line or "Traceback" in line]

    @property
    def cdr(self) -> list[list[str]]:
        return list(csv.reader((self.folder / "state/cdr-csv/Master.csv").read_text().splitlines()))


@pytest.fixture
async def process(tmp_path: Path, directory: DirectoryListener) -> AsyncIterator[Process]:
    tone_file(tmp_path / "sounds/moh/music.wav", 300, 3)
    tone_file(tmp_path / "sounds/prompts/unavailable.wav", 620, 0.6)
    found = Process(tmp_path, directory.url)
    await found.start()
    yield found
    found.signal(signal.SIGKILL)
    await found.over()


async def test_sigterm_ends_the_calls_politely_and_a_second_one_changes_nothing(process: Process) -> None:
    phone = await process.phone("101")
    async with process.esl() as esl:
        talk, uuid = await parked(esl, phone)
        waiting = await (await process.phone("102")).call("800")
        await esl.event("CHANNEL_PARK", **{"Caller-Destination-Number": "800"})
        process.signal(signal.SIGTERM)
        process.signal(signal.SIGTERM)
        await talk.ended()
        assert await waiting.refused() == 480
        assert (await esl.find("CHANNEL_HANGUP_COMPLETE", uuid))["Hangup-Cause"] == "SYSTEM_SHUTDOWN"
        await esl.event("SHUTDOWN")
        async with asyncio.timeout(5):
            await esl.closed.wait()
    assert await process.over() == 0
    assert len(process.cdr) == 2
    assert process.errors == []


async def test_sighup_reads_the_configuration_again_and_a_bad_one_changes_nothing(process: Process) -> None:
    phone = await process.phone("101")
    path = process.folder / "switch.json"
    async with process.esl() as esl:
        talk, uuid = await parked(esl, phone)
        good = path.read_bytes()
        path.write_text("{")
        process.signal(signal.SIGHUP)
        changed = msgspec.json.decode(good)
        changed["max_sessions"], changed["internal"]["port"] = 1, 9
        async with asyncio.timeout(10):
            while "going on with the former configuration" not in (process.folder / "log").read_text():
                await asyncio.sleep(0.02)
        assert "1000 session(s) max" in await esl.api("status")
        path.write_bytes(msgspec.json.encode(changed))
        process.signal(signal.SIGHUP)
        async with asyncio.timeout(10):
            while "\n1 session(s) max" not in await esl.api("status"):
                pass
        refused = await (await process.phone("102")).call("800")  # at the former port
        assert await refused.refused() == 503
        assert await esl.api(f"uuid_exists {uuid}") == "true"
        await talk.hang_up()
    (error,) = process.errors
    assert "switch.json" in error


async def test_the_switch_outlives_its_engine(process: Process) -> None:
    phone = await process.phone("101")
    async with process.esl() as esl:
        talk, uuid = await parked(esl, phone)
        await esl.api(f"uuid_setvar {uuid} vats_call 7")
        await esl.execute(uuid, "playback", "local_stream://moh")
        await phone.hears(300)
        esl.writer.transport.abort()  # kill -9
    await phone.listen(0.5)
    async with process.esl() as esl:
        rows = msgspec.json.decode(await esl.api("show channels as json"))["rows"]
        assert (rows[0]["uuid"], rows[0]["application"], rows[0]["application_data"]) == (uuid, "playback", "local_stream://moh")
        dump = json.loads(await esl.api(f"uuid_dump {uuid} json"))
        assert dump["variable_vats_call"] == "7"
        assert dump["Answer-State"] == "answered"
        assert await esl.api(f"uuid_break {uuid} all") == "+OK\n"
        await esl.execute(uuid, "hangup", "NORMAL_CLEARING")
        await talk.ended()
    assert process.errors == []


async def test_legs_that_end_while_nobody_listens_are_in_the_file(process: Process) -> None:
    phone = await process.phone("101")
    async with process.esl() as esl:
        talk, uuid = await parked(esl, phone)
        await esl.api(f"uuid_setvar_multi {uuid} vats_call=7;vats_account=1;vats_role=a")
    await talk.hang_up()
    async with process.esl() as esl:
        async with asyncio.timeout(5):
            while await esl.api(f"uuid_exists {uuid}") == "true":
                pass
        assert await esl.api("cdr_csv rotate") == "+OK\n"
    path = next((process.folder / "state/cdr-csv").glob("Master.csv.*"))
    (row,) = csv.reader(path.read_text().splitlines())
    assert row[:5] == [uuid, "7", "1", "a", "inbound"]
    created, answered, ended = int(row[5]), int(row[8]), int(row[10])
    assert created < answered < ended
    assert (row[11], row[13]) == ("NORMAL_CLEARING", "recv_bye")
    assert abs(int(row[14]) - (ended - answered) // 1000) <= 1


async def test_registrations_survive_kill_9(process: Process) -> None:
    phone = await process.phone("101", register=True)
    async with process.esl() as esl:
        core = (await esl.event("HEARTBEAT"))["Core-UUID"]
    process.signal(signal.SIGKILL)
    await process.over()
    ready = await process.start()
    assert ready["core_uuid"] != core
    async with process.esl() as esl:
        job = await esl.bgapi("originate user/101@t1.test &park")
        call = await phone.incoming()
        await call.answer()
        assert (await esl.job(job)).startswith("+OK")


async def test_a_second_switch_on_the_same_ports_says_so(process: Process, tmp_path: Path) -> None:
    config = msgspec.json.decode((tmp_path / "switch.json").read_bytes())
    config["event_socket"]["port"] = process.ports["event_socket"]
    path = tmp_path / "second.json"
    path.write_bytes(msgspec.json.encode(config))
    second = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "engine.embedded", "--config", str(path), stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
    )
    async with asyncio.timeout(20):
        _, said = await second.communicate()
    assert second.returncode == 1
    assert b"The switch can't start" in said


async def test_a_bad_configuration_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "switch.json"
    path.write_text("{}")
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "engine.embedded", "--config", str(path), stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(20):
        _, said = await started.communicate()
    assert started.returncode == 2
    assert said.decode().count("\n") == 1
    assert "event_socket" in said.decode()
