# SPDX-License-Identifier: Apache-2.0
"""A whole embedded switch on addresses of its own, with a real directory listener beside it, telephones on demand."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import wave
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from engine.directory import DirectoryListener, SipCredentials, TrunkConfig
from engine.embedded.config import Cdr, Config, Directory, EventSocket, Listener
from engine.embedded.switch import Switch
from tests.embedded.esl import Esl
from tests.embedded.telephone import Answering, Talk, Telephone

_numbers = itertools.count(1)


def own_address() -> str:
    """127.x.y.z of this process and test alone."""
    process, number = os.getpid(), next(_numbers)
    return f"127.{20 + process % 200}.{process // 200 % 250}.{1 + number % 250}"


class Office:
    """The customers: t1.test and t2.test with 101 … 109 each, passwords `pw-101` …; and the trunks a test adds."""

    def __init__(self) -> None:
        self.accounts = {"t1.test": 1, "t2.test": 2}
        self.networks: dict[int, list[str]] = {}
        self.lines: list[TrunkConfig] = []
        self.asked = 0

    def account_for_domain(self, domain: str) -> int | None:
        return self.accounts.get(domain.lower())

    def default_account(self) -> int | None:
        return 1

    def sip_account(self, account_id: int, login: str) -> SipCredentials | None:
        self.asked += 1
        if not (login.isdigit() and 101 <= int(login) <= 109):
            return None
        password = f"pw-{login}" if account_id == 1 else f"other-{login}"
        return SipCredentials(account_id, account_id * 1000 + int(login), password, user_id=7, contact_id=9)

    def whitelist(self, account_id: int) -> list[str]:
        return self.networks.get(account_id, [])

    def trunks(self) -> list[TrunkConfig]:
        return self.lines


def tone_file(path: Path, hertz: float, seconds: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    t = np.arange(int(8000 * seconds)) / 8000
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((0.4 * 32767 * np.sin(2 * np.pi * hertz * t)).astype("<i2").tobytes())
    return path


@dataclass
class House:
    """The switch and what belongs to it. `esl()` and `phone()` are closed with the test."""

    switch: Switch
    office: Office
    directory: DirectoryListener
    address: str
    folder: Path
    phones: list[Telephone] = field(default_factory=list)

    @property
    def internal(self) -> tuple[str, int]:
        return self.address, self.switch.ports["internal"]

    @property
    def trunk(self) -> tuple[str, int]:
        return self.address, self.switch.ports["trunk"]

    def esl(self, events: str = "json ALL", password: str = "secret") -> Esl:
        return Esl(self.address, self.switch.ports["event_socket"], password, events)

    async def phone(self, user: str = "101", domain: str = "t1.test", *, trunk: bool = False, register: bool = False) -> Telephone:
        phone = await Telephone(self.trunk if trunk else self.internal, user, domain).open(self.address)
        self.phones.append(phone)
        if register:
            assert (await phone.register()).code == 200
        return phone


Configure = Callable[[Config], Config]


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.fixture
def configure() -> Configure:
    """Tests override this to change the configuration."""
    return lambda config: config


@pytest.fixture
async def directory(office: Office) -> AsyncIterator[DirectoryListener]:
    listener = DirectoryListener(office, host="127.0.0.1", port=0, secret="s3cret", allowed=["127.0.0.0/8"])
    await listener.start()
    yield listener
    await listener.stop()


def configuration(folder: Path, address: str, directory_url: str) -> Config:
    return Config(
        event_socket=EventSocket(password="secret", host=address, port=0, heartbeat_seconds=0.3),
        internal=Listener(host=address, port=0),
        trunk=Listener(host=address, port=0),
        directory=Directory(url=directory_url, credentials="vats:s3cret"),
        cdr=Cdr(),
        sounds_dir=str(folder / "sounds"),
        state_dir=str(folder / "state"),
        rtp_first_port=0,
        rtp_last_port=0,
    )


@pytest.fixture
async def house(
    tmp_path: Path, office: Office, directory: DirectoryListener, configure: Configure, caplog: pytest.LogCaptureFixture
) -> AsyncIterator[House]:
    tone_file(tmp_path / "sounds/prompts/unavailable.wav", 620, 0.6)
    tone_file(tmp_path / "sounds/moh/music.wav", 300, 3)
    address = own_address()
    switch = Switch(configure(configuration(tmp_path, address, directory.url)))
    await switch.start()
    async with asyncio.timeout(10):
        await switch.configured.wait()
    found = House(switch, office, directory, address, tmp_path)
    yield found
    for phone in found.phones:
        phone.close()
    await switch.stop()
    errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert errors == []




async def parked(esl: Esl, phone: Telephone, number: str = "700", *, answer: bool = True) -> tuple[Talk, str]:
    """A call of this phone, claimed and (unless told otherwise) answered; the call and its uuid."""
    talk = await phone.call(number)
    park = await esl.event("CHANNEL_PARK", **{"Caller-Destination-Number": number})
    uuid = str(park["Unique-ID"])
    assert await esl.api(f"sched_del {uuid}") == "+OK Deleted: 1\n"
    if answer:
        assert await esl.api(f"uuid_answer {uuid}") == "+OK\n"
        await talk.answered()
    return talk, uuid


async def dialled(esl: Esl, phone: Telephone, uuid: str, variables: str = "") -> Answering:
    """This (registered) phone is called, answers and is parked."""
    more = f",{variables}" if variables else ""
    job = await esl.bgapi(f"originate {{origination_uuid={uuid},ignore_early_media=true{more}}}user/{phone.user}@{phone.domain} &park")
    call = await phone.incoming()
    call.ring()
    await call.answer()
    assert await esl.job(job) == f"+OK {uuid}\n"
    await esl.find("CHANNEL_PARK", uuid)
    return call


async def joined(esl: Esl, a: str, b: str) -> None:
    """Bridge two channels; A parks again afterwards."""
    await esl.api(f"uuid_setvar {a} park_after_bridge true")
    assert (await esl.api(f"uuid_bridge {a} {b}")).startswith("+OK")
    await esl.event("CHANNEL_BRIDGE", **{"Unique-ID": a})


async def open_trunks(house: House, esl: Esl) -> None:
    """A trunk that may call from anywhere."""
    house.office.lines.append(TrunkConfig(id=1, account_id=1))
    assert await esl.api("reloadacl") == "+OK acl reloaded\n"
