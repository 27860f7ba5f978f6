# SPDX-License-Identifier: Apache-2.0
"""A softphone behind a home router that knows nothing of it: it is called, calls, is heard and hung up."""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.calls.pbx import pbx
from tests.phones import nat, sound

WHY_NOT = nat.missing()


@pytest.fixture
def addresses() -> Iterator[tuple[str, str]]:
    """Two addresses of this machine that are no loopback ones: the switch's and the router's public one (RFC 2544 network)."""
    network = f"198.18.{random.randrange(1, 255)}"
    pair = f"{network}.1", f"{network}.2"
    for address in pair:
        subprocess.run(["ip", "addr", "add", f"{address}/32", "dev", "lo"], check=True, capture_output=True)
    yield pair
    for address in pair:
        subprocess.run(["ip", "addr", "del", f"{address}/32", "dev", "lo"], check=True, capture_output=True)


@pytest.mark.feature("USR-4")
@pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "-")
async def test_a_phone_behind_a_nat(tmp_path: Path, addresses: tuple[str, str]) -> None:
    address, public = addresses
    says, hears = sound.tone(tmp_path / "says.wav", 1300), tmp_path / "hears.wav"
    async with (
        pbx(tmp_path, address) as office,
        nat.Nat(public) as router,
    ):
        await office.rule(await office.group("Sales", await office.user("201")))
        await office.user("202")
        phone = office.phone(
            "201", address=router.inner, namespace=router.name, naive=True, auto="ring", speak=str(says), hear=str(hears), port=5070
        )
        async with phone, office.telephone("202") as other, office.provider() as caller:
            await phone.registered()
            await office.registered("201")
            assert router.port_of(5070) != 5070
            # it calls
            call = await phone.call("202")
            answering = await other.answers()
            await phone.talking(call, 20)
            await other.hears(1300)
            await answering.hang_up()
            await phone.over(call, 20)
            # it is called: the INVITE finds it, sound finds it, the caller's BYE finds it
            talk = await caller.calls(office.did[1:])
            ringing = await phone.incoming(20)
            assert re.search(rf"^c=IN IP4 {re.escape(address)}\r?$", ringing["message"], re.MULTILINE)
            phone.answer(ringing["call"])
            await phone.talking(ringing["call"], 20)
            await talk.answered()
            caller.say(500)
            await caller.hears(1300)
            phone.do("hold", call=ringing["call"])
            await office.step("held")
            await phone.wait("media", 20, call=ringing["call"], status=2)  # its own re-INVITE is through
            phone.do("unhold", call=ringing["call"])
            await office.step("resumed")
            await caller.hears(1300)
            await caller.listen(1.0)  # they talk
            await talk.hang_up()
            await phone.over(ringing["call"], 20)
        one, two = await office.records(2)
        assert one.talked
        assert two.talked
    assert sound.hears(hears, 500) > 0.3
