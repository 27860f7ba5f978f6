# SPDX-License-Identifier: Apache-2.0
"""How calls wait for an engine: the guard of the dialplan, claiming, park_timeout, what a new engine finds."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from engine.embedded.config import Config
from tests.embedded.conftest import Configure, House


@pytest.fixture
def configure() -> Configure:
    def change(config: Config) -> Config:
        return msgspec.structs.replace(config, dialplan=msgspec.structs.replace(config.dialplan, unclaimed_seconds=1))

    return change


async def test_nobody_claims(house: House) -> None:
    phone = await house.phone()
    async with house.esl() as esl:
        talk = await phone.call("700")
        uuid = (await esl.event("CHANNEL_PARK"))["Unique-ID"]
        await talk.early()
        await phone.hears(620)
        assert await talk.refused() == 503
        over = await esl.event("CHANNEL_HANGUP_COMPLETE", **{"Unique-ID": uuid})
        assert over["Hangup-Cause"] == "NORMAL_TEMPORARY_FAILURE"
        assert over["Caller-Destination-Number"] == "unavail"
        assert over["variable_sip_hangup_disposition"] == "send_refuse"
        assert await esl.api("show tasks as json") == '{"row_count": 0}\n'


async def test_an_engine_comes_while_the_phrase_plays(house: House) -> None:
    phone = await house.phone()
    talk = await phone.call("700")
    await talk.early()
    async with house.esl() as esl:
        rows = msgspec.json.decode(await esl.api("show channels as json"))["rows"]
        assert (rows[0]["state"], rows[0]["application"]) == ("CS_EXECUTE", "playback")
        uuid = rows[0]["uuid"]
        assert await esl.api(f"sched_del {uuid}") == "+OK Deleted: 0\n"
        assert await esl.api(f"uuid_park {uuid}") == "+OK\n"
        await esl.event("CHANNEL_PARK", **{"Unique-ID": uuid})
        await esl.api(f"uuid_answer {uuid}")
        await talk.answered()
        await talk.hang_up()


async def test_claimed_calls_wait_for_ever(house: House) -> None:
    phone = await house.phone()
    async with house.esl() as esl:
        talk = await phone.call("700")
        uuid = (await esl.event("CHANNEL_PARK"))["Unique-ID"]
        rows = msgspec.json.decode(await esl.api("show channels as json"))["rows"]
        assert (rows[0]["state"], rows[0]["callstate"], rows[0]["application"]) == ("CS_EXECUTE", "RINGING", "park")
        assert await esl.api(f"sched_del {uuid}") == "+OK Deleted: 1\n"
        assert await esl.api(f"sched_del {uuid}") == "+OK Deleted: 0\n"
        await asyncio.sleep(1.2)
        assert await esl.api(f"uuid_exists {uuid}") == "true"
        await esl.execute(uuid, "hangup", "USER_BUSY")
        assert await talk.refused() == 486
        await esl.event("CHANNEL_HANGUP_COMPLETE", **{"Hangup-Cause": "USER_BUSY"})


async def test_a_caller_leaves_with_the_timer_armed(house: House) -> None:
    phone = await house.phone()
    async with house.esl() as esl:
        talk = await phone.call("700")
        uuid = (await esl.event("CHANNEL_PARK"))["Unique-ID"]
        talk.cancel()
        over = await esl.event("CHANNEL_HANGUP_COMPLETE", **{"Unique-ID": uuid})
        assert over["Hangup-Cause"] == "ORIGINATOR_CANCEL"
        assert over["variable_sip_hangup_disposition"] == "recv_cancel"
        assert await talk.refused() == 487
        assert await esl.api("show tasks as json") == '{"row_count": 0}\n'


async def test_rearmed_timer(house: House) -> None:
    phone = await house.phone()
    async with house.esl() as esl:
        talk = await phone.call("700")
        uuid = (await esl.event("CHANNEL_PARK"))["Unique-ID"]
        await esl.api(f"sched_del {uuid}")
        assert await esl.api(f"sched_transfer +1 {uuid} unavail XML vats") == "+OK\n"
        assert await esl.api(f"sched_transfer +1 {uuid} unavail XML vats") == "+OK\n"
        assert await esl.api(f"sched_del {uuid}") == "+OK Deleted: 2\n"
        await esl.api(f"sched_hangup +1 {uuid} NO_ANSWER")
        assert await talk.refused() == 480


@pytest.mark.parametrize(("limit", "code"), [("0", 480), ("1:USER_BUSY", 486), ("1:NORMAL_TEMPORARY_FAILURE", 503)])
async def test_park_timeout(house: House, limit: str, code: int) -> None:
    phone = await house.phone()
    async with house.esl() as esl:
        talk = await phone.call("700")
        uuid = (await esl.event("CHANNEL_PARK"))["Unique-ID"]
        await esl.api(f"sched_del {uuid}")
        await esl.api(f"uuid_setvar_multi {uuid} park_timeout={limit};park_after_bridge=true")
        await esl.api(f"uuid_park {uuid}")
        park = await esl.event("CHANNEL_PARK")
        # FreeSWITCH takes both away on entering a timed park
        assert "variable_park_timeout" not in park
        assert "variable_park_after_bridge" not in park
        assert await talk.refused() == code


async def test_transfers_by_command(house: House) -> None:
    phone = await house.phone()
    async with house.esl() as esl:
        talk = await phone.call("700")
        uuid = (await esl.event("CHANNEL_PARK"))["Unique-ID"]
        await esl.api(f"sched_del {uuid}")
        assert await esl.api(f"uuid_transfer {uuid} 800 XML from-phone") == "+OK\n"
        park = await esl.event("CHANNEL_PARK", **{"Caller-Destination-Number": "800"})
        assert park["variable_transfer_source"].split(":", 2)[2] == "bl_xfer:800/from-phone/XML"
        assert park["Caller-Profile-Index"] == "2"
        await esl.api(f"sched_del {uuid}")
        assert await esl.api(f"uuid_transfer {uuid} set:a=b,park inline") == "+OK\n"
        await esl.event("CHANNEL_PARK", variable_a="b")
        assert await esl.api(f"uuid_transfer {uuid} 900 XML nowhere") == "+OK\n"
        over = await esl.event("CHANNEL_HANGUP_COMPLETE")
        assert over["Hangup-Cause"] == "NO_ROUTE_DESTINATION"
        assert await talk.refused() == 404
        assert await esl.api(f"uuid_transfer {uuid} 1") == "-ERR No such channel!\n"


async def test_events_of_a_call_that_is_only_parked(house: House) -> None:
    phone = await house.phone()
    async with house.esl() as esl:
        talk = await phone.call("700")
        uuid = (await esl.event("CHANNEL_PARK"))["Unique-ID"]
        await esl.api(f"uuid_kill {uuid} CALL_REJECTED")
        assert await talk.refused() == 603
        await esl.event("CHANNEL_DESTROY")
        names = [name for name in esl.names(uuid) if name not in ("CHANNEL_STATE", "CHANNEL_CALLSTATE")]
        assert names == [
            "CHANNEL_CREATE", "CHANNEL_EXECUTE", "CHANNEL_EXECUTE_COMPLETE", "CHANNEL_EXECUTE", "CHANNEL_PARK",
            "CHANNEL_HANGUP", "CHANNEL_UNPARK", "CHANNEL_EXECUTE_COMPLETE", "CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY",
        ]  # fmt: skip
        sequences = [int(event["Event-Sequence"]) for event in esl.events if event.get("Unique-ID") == uuid]
        assert sequences == sorted(sequences)
