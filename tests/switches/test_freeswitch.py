# SPDX-License-Identifier: Apache-2.0
"""The production configuration on a real FreeSWITCH: accounts and trunks from the directory, parking, the guard, the CDR file.

Runs with FREESWITCH=/path/to/bin/freeswitch in the environment (`make test SWITCH=freeswitch FREESWITCH=...`).
"""

from __future__ import annotations

import asyncio
import os
import secrets
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.calls.trunks import gateway_name
from engine.directory import DirectoryListener, SipCredentials, TrunkConfig
from tests.switches.eventsocket import EventSocket
from tests.switches.freeswitch import FreeSwitch
from tests.switches.sip import RawPhone

BINARY = os.environ.get("FREESWITCH", "")
pytestmark = pytest.mark.skipif(not BINARY, reason="FREESWITCH names no FreeSWITCH")


class Office:
    """Two customers with the same logins."""

    def __init__(self) -> None:
        self.accounts = {"t1.test": 1, "t2.test": 2}
        self.whitelists: dict[int, list[str]] = {}
        self.lines: list[TrunkConfig] = []

    def account_for_domain(self, domain: str) -> int | None:
        return self.accounts.get(domain.lower())

    def default_account(self) -> int | None:
        return 1

    def sip_account(self, account_id: int, login: str) -> SipCredentials | None:
        if login not in ("101", "102"):
            return None
        return SipCredentials(account_id, account_id * 1000 + int(login), f"pw-{account_id}-{login}", user_id=7, contact_id=9)

    def whitelist(self, account_id: int) -> list[str]:
        return self.whitelists.get(account_id, [])

    def trunks(self) -> list[TrunkConfig]:
        return self.lines


class House:
    def __init__(self, office: Office, listener: DirectoryListener, switch: FreeSwitch) -> None:
        self.office, self.listener, self.switch = office, listener, switch

    def phone(self, login: str, domain: str, password: str = "", address: str = "") -> RawPhone:
        account = self.office.accounts.get(domain, 1)
        where = (self.switch.address, self.switch.sip_port)
        return RawPhone(login, domain, password or f"pw-{account}-{login}", where, address or self.switch.address)

    def provider(self, address: str = "") -> RawPhone:
        where = (self.switch.address, self.switch.trunk_port)
        return RawPhone("74951234567", "provider.test", "", where, address or self.switch.address)

    def events(self) -> EventSocket:
        return EventSocket(self.switch.esl_host, self.switch.esl_port, self.switch.esl_password)


@pytest.fixture(scope="module")
def binary() -> Path:
    return Path(BINARY)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture
async def house(binary: Path, certificates: Path, tmp_path: Path) -> AsyncIterator[House]:
    office = Office()
    address = f"127.{secrets.randbelow(200) + 20}.{secrets.randbelow(250) + 1}.1"
    office.lines = [
        TrunkConfig(5, 1, "127.0.0.1:9", addresses=(address,)),
        TrunkConfig(6, 2, "127.0.0.1:9", username="$${vats_media}", addresses=(address,)),
    ]
    listener = DirectoryListener(office, host="127.0.0.1", port=0, secret="s3cret", allowed=["127.0.0.0/8"])
    await listener.start()
    switch = FreeSwitch(
        binary, tmp_path / "fs", tmp_path / "media", address=address, directory_url=listener.url,
        directory_secret="s3cret", unclaimed_seconds=2, certificates=certificates,
    )  # fmt: skip
    try:
        await switch.start()
        yield House(office, listener, switch)
    finally:
        await switch.kill()
        await listener.stop()


def parked(event: dict[str, object]) -> bool:
    return event["Event-Name"] == "CHANNEL_PARK"


@pytest.mark.feature("R27", "PBX-5", "ACC-1")
async def test_who_may_register(house: House) -> None:
    async with house.events() as events, house.phone("101", "t1.test") as one, house.phone("101", "t2.test") as two:
        assert "200" in await one.register()
        event = await events.event(lambda e: e.get("Event-Subclass") == "sofia::register")
        assert (event["vats_account"], event["vats_sip_account"], event["vats_user"], event["vats_contact"]) == ("1", "1101", "7", "9")
        assert "200" in await two.register()
        assert (await events.api("sofia_contact internal/101@t1.test")) != (await events.api("sofia_contact internal/101@t2.test"))
        assert "200" in await one.register(expires=0)
        assert "user_not_registered" in await events.api("sofia_contact internal/101@t1.test")
    async with house.phone("101", "t2.test", "pw-1-101") as wrong_password, house.phone("999", "t1.test") as unknown:
        assert "403" in await wrong_password.register()
        assert "403" in await unknown.register()
    async with house.phone("101", house.switch.address) as bare:
        assert "200" in await bare.register()
    house.office.whitelists[1] = ["10.0.0.0/8", "192.168.7.1"]
    async with house.phone("101", "t1.test") as outsider:
        assert "403" in await outsider.register()
    house.office.whitelists[1] = ["10.0.0.0/8", house.switch.address]
    async with house.phone("101", "t1.test") as insider:
        assert "200" in await insider.register()


@pytest.mark.feature("ACC-1")
async def test_a_neighbours_address_cannot_be_registered(house: House) -> None:
    """FreeSWITCH alone accepts this: it checks the password for the realm and stores the binding under To."""
    async with house.events() as events, house.phone("101", "t1.test") as thief:
        assert "403" in await thief.register(to="101@t2.test", realm="t1.test")
        assert "403" in await thief.register(to="102@t1.test", realm="t1.test")
        assert "user_not_registered" in await events.api("sofia_contact internal/101@t2.test")
        forged = "x&user=101&domain=t2.test"
        assert "403" in await thief.register(realm=forged)


async def test_guessing_is_barred_without_hurting_the_neighbour(house: House) -> None:
    async with house.phone("102", "t1.test") as neighbour, house.phone("101", "t1.test", "wrong") as guesser:
        assert "200" in await neighbour.register()
        for _ in range(5):
            assert "403" in await guesser.register()
            assert "403" in (await guesser.invite("500"))[0]
        guesser.password = "pw-1-101"
        assert "403" in await guesser.register()
        assert "200" in await neighbour.register()
        for number in range(30):
            async with house.phone(f"9{number}", "t1.test") as stranger:
                assert "403" in await stranger.register()
        async with house.phone("101", "t2.test") as newcomer:
            assert "403" in await newcomer.register()
        assert "200" in await neighbour.register()


async def test_dialling_an_account_reaches_its_phone(house: House) -> None:
    async with house.events() as events, house.phone("101", "t1.test") as phone:
        assert "USER_NOT_REGISTERED" in await events.api("originate user/102@t1.test &park")
        assert "SUBSCRIBER_ABSENT" in await events.api("originate user/555@t1.test &park")
        assert "200" in await phone.register()
        await events.api("bgapi originate {originate_timeout=2}user/101@t1.test &park")
        start, _, body = await phone.request()
        assert start.startswith(f"INVITE sip:101@{phone.address}:{phone.port}")
        assert "m=audio" in body


async def test_a_call_parks_is_claimed_answered_and_hears_a_file(house: House, tmp_path: Path) -> None:
    sound = tmp_path / "a.wav"
    with wave.open(str(sound), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16000))
    async with house.events() as events, house.phone("101", "t1.test") as phone:
        calling = asyncio.create_task(phone.invite("500"))
        event = await events.event(parked)
        uuid = event["Unique-ID"]
        assert event["Caller-Context"] == "from-phone"
        assert event["variable_vats_account"] == "1"
        assert event["variable_vats_sip_account"] == "1101"
        assert "Deleted: 1" in await events.api(f"sched_del {uuid}")
        assert "+OK" in await events.api(f"uuid_setvar {uuid} vats_call c-1")
        assert "+OK" in await events.api(f"uuid_answer {uuid}")
        assert "200" in (await calling)[0]
        done = await events.execute(uuid, "playback", str(sound))
        assert done["Application-Response"] == "FILE PLAYED"
        assert phone.rtp.arrived.qsize() > 40
        await events.execute(uuid, "hangup", "NORMAL_CLEARING")
        # the leg's line is written in the state before this one
        await events.event(lambda e: e["Event-Name"] == "CHANNEL_DESTROY")
    assert written(house.switch.cdr_file, uuid) == (uuid, "c-1", "NORMAL_CLEARING")


def written(file: Path, uuid: str) -> tuple[str, str, str]:
    """The leg's own line of the CDR file: uuid, call, cause; checks its times on the way."""
    [line] = [line for line in file.read_text().splitlines() if uuid in line]
    columns = [column.strip('"') for column in line.split(",")]
    assert len(columns) == 18
    created, answered, ended, milliseconds = (int(columns[i]) for i in (5, 8, 10, 14))
    assert created <= answered < ended
    assert abs((ended - answered) // 1000 - milliseconds) < 50
    return columns[0], columns[1], columns[11]


async def test_an_unclaimed_call_ends_with_503_and_a_phone_cannot_dial_the_phrase(house: House) -> None:
    async with house.events() as events, house.phone("101", "t1.test") as phone:
        calling = asyncio.create_task(phone.invite("unavail"))
        event = await events.event(parked)
        assert event["Caller-Context"] == "from-phone"
        assert "503" in (await calling)[0]
        ended = await events.event(lambda e: e["Event-Name"] == "CHANNEL_HANGUP_COMPLETE")
        assert ended["Caller-Context"] == "vats"
        assert ended["Hangup-Cause"] == "NORMAL_TEMPORARY_FAILURE"


async def test_who_may_call_in_from_outside(house: House) -> None:
    async with house.events() as events:
        async with house.provider() as provider:
            calling = asyncio.create_task(provider.invite("74957776655"))
            event = await events.event(parked)
            assert event["Caller-Context"] == "from-trunk"
            assert event["variable_sip_network_ip"] == house.switch.address
            await events.api(f"uuid_kill {event['Unique-ID']} CALL_REJECTED")
            assert "603" in (await calling)[0]
            calling = asyncio.create_task(provider.invite(f"gw+{gateway_name(5)}", host=house.switch.address))
            event = await events.event(parked)
            assert event["variable_vats_trunk"] == "5"
            await events.api(f"uuid_kill {event['Unique-ID']} CALL_REJECTED")
            await calling
        async with house.provider("127.0.0.1") as stranger:
            assert "403" in (await stranger.invite("74957776655"))[0]
        async with house.phone("101", "t1.test") as phone:
            assert "407" in (await phone.invite("500", sign=False))[0]
            assert "403" in (await phone.invite(f"gw+{gateway_name(6)}"))[0]
            assert "403" in (await phone.invite("500;x=y", host=f"{house.switch.address};gw={gateway_name(6)}"))[0]


async def test_trunks_come_and_go_and_their_text_is_not_preprocessed(house: House) -> None:
    switch = house.switch
    assert "$${vats_media}" in await switch.api(f"sofia status gateway {gateway_name(6)}")
    house.office.lines = [*house.office.lines, TrunkConfig(8, 1, "127.0.0.1:9", addresses=("127.8.8.8",))]
    await switch.api("sofia profile trunk rescan")
    assert "NOREG" in await switch.api(f"sofia status gateway {gateway_name(8)}")
    assert await switch.api("acl 127.8.8.8 trunks") == "false"
    await switch.api("reloadacl")
    assert await switch.api("acl 127.8.8.8 trunks") == "true"
    assert switch.esl_password not in await switch.api("global_getvar")


async def test_a_killed_switch_comes_back_on_the_same_ports(house: House) -> None:
    async with house.phone("101", "t1.test") as phone:
        await phone.register()
        pid = house.switch.pid
        await house.switch.kill()
        await house.switch.start()
        assert house.switch.pid != pid
        # the bindings lie on disk
        assert str(phone.port) in await house.switch.api("sofia_contact internal/101@t1.test")


async def test_without_vats_it_starts_without_trunks(binary: Path, tmp_path: Path) -> None:
    switch = FreeSwitch(
        binary, tmp_path / "fs", tmp_path / "media", address="127.0.0.1", directory_url="http://127.0.0.1:9/fs", directory_secret="x"
    )
    async with switch:
        assert "gateway" not in await switch.api("sofia status")
        assert await switch.api("acl 127.0.0.1 trunks") == "false"
