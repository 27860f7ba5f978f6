# SPDX-License-Identifier: Apache-2.0
"""Orders that cross each other: no channel may stay behind, wait for ever or lose its last event."""

from __future__ import annotations

import pytest

from engine.embedded.channel import Channel
from tests.embedded.conftest import House, dialled, joined, parked


async def test_a_bridge_ordered_twice_frees_the_first_partner(house: House) -> None:
    a, b, c = await house.phone("101"), await house.phone("102", register=True), await house.phone("103", register=True)
    async with house.esl() as esl:
        _, uuid = await parked(esl, a)
        lost = await dialled(esl, b, "b")
        await dialled(esl, c, "c")
        first, second = esl.send(f"api uuid_bridge {uuid} b"), esl.send(f"api uuid_bridge {uuid} c")
        assert ((await first)[1], (await second)[1]) == ("+OK b\n", "+OK c\n")
        await lost.ended()
        bridge = await esl.event("CHANNEL_BRIDGE", **{"Unique-ID": uuid})
        assert bridge["Other-Leg-Unique-ID"] == "c"


@pytest.mark.parametrize("order", ["uuid_kill {}", "uuid_transfer {} 900 XML from-phone", "uuid_park {}"])
async def test_the_leader_goes_elsewhere_in_the_same_breath(house: House, order: str) -> None:
    a, b = await house.phone("101"), await house.phone("102", register=True)
    async with house.esl() as esl:
        _, uuid = await parked(esl, a)
        call = await dialled(esl, b, "b")
        esl.send(f"api uuid_bridge {uuid} b")
        await esl.send(f"api {order.format(uuid)}")
        await call.ended()
        over = await esl.find("CHANNEL_HANGUP_COMPLETE", "b")
        assert over["Hangup-Cause"] == "DESTINATION_OUT_OF_ORDER"


@pytest.mark.parametrize("order", ["uuid_kill b", "uuid_transfer b 900 XML from-phone"])
async def test_the_follower_goes_elsewhere_in_the_same_breath(house: House, order: str) -> None:
    a, b = await house.phone("101"), await house.phone("102", register=True)
    async with house.esl() as esl:
        _, uuid = await parked(esl, a)
        await dialled(esl, b, "b")
        await esl.api(f"uuid_setvar {uuid} park_after_bridge true")
        since = len(esl.events)
        esl.send(f"api uuid_bridge {uuid} b")
        await esl.send(f"api {order}")
        esl._seen = since
        await esl.event("CHANNEL_PARK", **{"Unique-ID": uuid})


async def test_transfer_tears_a_talk(house: House) -> None:
    """A timer that was not disarmed: as on FreeSWITCH it fires into the bridge."""
    a, b = await house.phone("101"), await house.phone("102", register=True)
    async with house.esl() as esl:
        _, uuid = await parked(esl, a)
        call = await dialled(esl, b, "b")
        await joined(esl, uuid, "b")
        await esl.api(f"sched_transfer +1 {uuid} 900 XML from-phone")
        await call.ended()
        assert (await esl.event("CHANNEL_PARK", **{"Unique-ID": uuid}))["Caller-Destination-Number"] == "900"


async def test_both_hang_up_at_once(house: House) -> None:
    a, b = await house.phone("101"), await house.phone("102", register=True)
    async with house.esl() as esl:
        talk, uuid = await parked(esl, a)
        call = await dialled(esl, b, "b")
        await joined(esl, uuid, "b")
        talk.request("BYE")
        call.request("BYE")
        assert (await a.final("BYE")).code in (200, 481)
        assert (await b.final("BYE")).code in (200, 481)
        for leg in (uuid, "b"):
            await esl.find("CHANNEL_HANGUP_COMPLETE", leg)
            await esl.find("CHANNEL_DESTROY", leg)
        assert house.switch.channels == {}
        assert house.switch.media.streams == 0


async def test_a_caller_leaves_while_its_account_is_dialled(house: House) -> None:
    a, b = await house.phone("101"), await house.phone("102", register=True)
    async with house.esl() as esl:
        talk, uuid = await parked(esl, a, answer=False)
        esl.send(f"sendmsg {uuid}\ncall-command: execute\nexecute-app-name: bridge\nexecute-app-arg: user/102@t1.test")
        talk.cancel()
        assert await talk.refused() == 487
        await esl.find("CHANNEL_DESTROY", uuid)
        async with house.esl() as other:
            await other.api("status")
        assert [channel for channel in house.switch.channels.values() if not channel.is_down()] == []
        assert b.user == "102"


async def test_too_many_messages_for_one_channel(house: House) -> None:
    a = await house.phone("101")
    async with house.esl("json CHANNEL_PARK") as esl:
        _, uuid = await parked(esl, a)
        await esl.execute(uuid, "sleep", "60000")
        replies = [esl.send(f"sendmsg {uuid}\ncall-command: execute\nexecute-app-name: set\nevent-lock: true") for _ in range(10_050)]
        answers = [(await reply)[0]["Reply-Text"] for reply in replies]
        assert answers[0] == "+OK"
        assert answers[-1] == "-ERR memory error"


async def test_an_application_that_fails_ends_its_call_and_nothing_else(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(channel: Channel, data: str) -> None:
        raise RuntimeError("broken on purpose")

    monkeypatch.setattr(house.switch, "applications", {**house.switch.applications, "broken": broken})
    a, b = await house.phone("101"), await house.phone("102")
    async with house.esl() as esl:
        talk, uuid = await parked(esl, a)
        _, other = await parked(esl, b, "800")
        await esl.execute(uuid, "broken")
        over = await esl.event("CHANNEL_HANGUP_COMPLETE")
        assert (over["Unique-ID"], over["Hangup-Cause"]) == (uuid, "CRASH")
        await talk.ended()
        assert await esl.api(f"uuid_exists {other}") == "true"
    assert any(record.exc_info for record in caplog.records)
    caplog.clear()
