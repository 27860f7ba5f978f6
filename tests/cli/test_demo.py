# SPDX-License-Identifier: Apache-2.0
"""`vats demo` in a process of its own: closed terminals, kills, and phones that find it again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from engine.cli.demo import Card, box
from engine.cli.demo_call import run
from engine.i18n import Language
from tests.calls.apart import alive
from tests.calls.installation import own_address
from tests.embedded.telephone import Telephone
from tests.switches.freeswitch import free_ports

ROOT = Path(__file__).parents[2]


class Demo:
    def __init__(self, folder: Path) -> None:
        self.state, self.address = folder / "demo", own_address()
        self.sip, self.trunk, self.web = free_ports(self.address, 3)
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> dict[str, Any]:
        """The card, once the box is printed."""
        environment = {
            **os.environ, "VATS_SWITCH__SIP_HOST": self.address, "VATS_SWITCH__SIP_PORT": str(self.sip),
            "VATS_SWITCH__TRUNK_PORT": str(self.trunk), "VATS_WEB__HOST": self.address, "VATS_WEB__PORT": str(self.web),
        }  # fmt: skip
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "engine.cli", "demo", "--state", str(self.state),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, env=environment, cwd=ROOT,
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # tests under nohup would pass its deafness on
        )  # fmt: skip
        assert self.process.stdout is not None
        async with asyncio.timeout(120):
            await self.process.stdout.readuntil("└".encode())
        card: dict[str, Any] = json.loads((self.state / "demo.json").read_bytes())
        return card

    async def end(self, how: signal.Signals) -> int:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(how)
        async with asyncio.timeout(60):
            return await self.process.wait()

    async def calls(self, *options: str) -> list[str]:
        """What `vats demo-call` prints; it ends well."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "engine.cli", "demo-call", "--state", str(self.state), *options,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd=ROOT,
            env={**os.environ, "VATS_SWITCH__SIP_HOST": self.address, "VATS_WEB__HOST": self.address},
        )  # fmt: skip
        async with asyncio.timeout(90):
            said, complaints = await process.communicate()
        assert process.returncode == 0, said.decode() + complaints.decode()
        return said.decode().splitlines()

    @property
    def switch(self) -> int:
        """Its process; `start` has told us that there is one."""
        return int(json.loads((self.state / "switch" / "ready.json").read_bytes())["pid"])

    @property
    def directory(self) -> tuple[str, int]:
        url: str = json.loads((self.state / "switch" / "switch.json").read_bytes())["directory"]["url"]
        host, _, port = url.removeprefix("http://").removesuffix("/fs").rpartition(":")
        return host, int(port)

    async def registers(self, card: dict[str, Any]) -> int:
        login, password, _ = card["phones"][0]
        phone = await Telephone((self.address, card["sip_port"]), login, card["domain"], password).open(self.address)
        try:
            return (await phone.register()).code
        finally:
            phone.close()


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[Demo]:
    found = Demo(tmp_path)
    yield found
    await found.end(signal.SIGKILL)
    if (found.state / "switch" / "ready.json").exists() and alive(found.switch):
        os.kill(found.switch, signal.SIGKILL)


async def test_phones_find_the_demonstration_that_was_killed(demo: Demo) -> None:
    """The switch has survived, and the directory that it asks stands elsewhere by now."""
    first = await demo.start()
    assert await demo.registers(first) == 200
    assert (first["sip_port"], first["trunk_port"]) == (demo.sip, demo.trunk)
    switch, directory = demo.switch, demo.directory
    await demo.end(signal.SIGKILL)
    stranger = await asyncio.start_server(lambda reader, writer: writer.close(), *directory)
    again = await demo.start()
    assert demo.switch == switch
    assert demo.directory != directory
    assert again["sip_port"] == first["sip_port"]
    assert await demo.registers(again) == 200
    stranger.close()


async def test_a_closed_terminal_ends_it_in_order_and_the_next_one_has_the_same_ports(demo: Demo) -> None:
    """Also those that were found instead of the usual ones: phones were told them."""
    taken = await Telephone(("127.0.0.1", 9)).open(demo.address)
    demo.sip = taken.port
    first = await demo.start()
    assert first["sip_port"] != demo.sip
    switch, directory = demo.switch, demo.directory
    assert await demo.end(signal.SIGHUP) == 0
    assert not alive(switch)
    taken.close()
    again = await demo.start()
    assert again["sip_port"] == first["sip_port"]
    assert demo.directory == directory
    assert await demo.registers(again) == 200


async def test_a_second_one_in_the_same_folder_leaves_the_first_alone(demo: Demo) -> None:
    card = await demo.start()
    first, switch = demo.process, demo.switch
    environment = {**os.environ, "VATS_SWITCH__SIP_HOST": demo.address, "VATS_WEB__HOST": demo.address}
    second = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "engine.cli", "demo", "--state", str(demo.state),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=environment, cwd=ROOT,
    )  # fmt: skip
    async with asyncio.timeout(60):
        _, told = await second.communicate()
    assert second.returncode not in (0, None)
    assert "Another engine already runs with this state folder" in told.decode()
    assert "Traceback" not in told.decode()
    assert first is not None
    assert first.returncode is None
    assert demo.switch == switch
    assert alive(switch)
    assert await demo.registers(card) == 200


@pytest.mark.parametrize(("language", "words"), [("ru", "Переход: «Главное меню»"), ("en", "Goes to “Главное меню”")])
async def test_its_call_is_told_in_words(demo: Demo, tmp_path: Path, language: Language, words: str) -> None:
    await demo.start()
    steps = [line for line in await demo.calls("--language", language, "--wav", str(tmp_path / "heard.wav")) if "·" in line]
    assert any(words in line for line in steps)
    assert any("Анна Иванова (201)" in line for line in steps)
    for line in steps:
        assert not re.search(r"[a-z]+\.[a-z_]+:\d|\.wav|· (enters|plays?|rings|rule|talk)\b", line), line


async def test_its_call_is_not_taken_for_another_one(demo: Demo, tmp_path: Path) -> None:
    """The same phone has called the same number in vain, and that record, which is no older, is written down first."""
    card = await demo.start()
    server, passwords = f"{demo.address}:{card['sip_port']}", {login: password for login, password, _ in card["phones"]}
    missed = await run(
        server, "203", passwords["203"], card["domain"], card["number"], [], 440, tmp_path / "missed.wav", lambda event: None,
        talk_seconds=0.5, host=demo.address,
    )  # fmt: skip
    assert missed.answered
    with contextlib.closing(sqlite3.connect(demo.state / "vats.sqlite3", timeout=10, isolation_level=None)) as database:
        newest = "id = (SELECT max(id) FROM call_record) AND started_at > datetime('now', '-1 minute')"
        async with asyncio.timeout(20):
            while database.execute(f"UPDATE call_record SET ended_at = datetime('now', '+1 hour') WHERE {newest}").rowcount != 1:
                await asyncio.sleep(0.1)
    said = await demo.calls("--language", "en", "--wav", str(tmp_path / "heard.wav"))
    assert "ok    the call is written down (CDR)" in said


@pytest.mark.parametrize(
    ("language", "words"), [("ru", ("Кабинет:    http", "пароль secret", "84951234567")), ("en", ("Cabinet:    http", "password secret"))]
)
def test_the_box_speaks_the_readers_language(language: Language, words: tuple[str, ...]) -> None:
    phones = [("201", "p", "Анна")]
    card = Card("http://127.0.0.1:8080/", "romashka", "secret", "192.0.2.1", 5060, "x", phones, "84951234567", 5080)
    said = box(card, language)
    assert all(word in said for word in words)
    assert len({len(line) for line in said.splitlines()}) == 1
