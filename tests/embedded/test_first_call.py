# SPDX-License-Identifier: Apache-2.0
"""The basic call: a phone's call parks, is answered over the event socket, hears a file and is bridged to another phone."""

from __future__ import annotations

from tests.embedded.conftest import House, tone_file


async def test_park_answer_play_bridge(house: House) -> None:
    sound = tone_file(house.folder / "one.wav", 500, 0.6)
    b = await house.phone("102", register=True)
    a = await house.phone("101")
    async with house.esl() as esl:
        talk = await a.call("700")
        park = await esl.event("CHANNEL_PARK")
        uuid = park["Unique-ID"]
        assert park["Caller-Destination-Number"] == "700"
        assert park["Caller-Context"] == "from-phone"
        assert park["variable_sip_auth_username"] == "101"
        assert park["variable_vats_account"] == "1"
        assert park["Answer-State"] == "ringing"
        assert await esl.api(f"sched_del {uuid}") == "+OK Deleted: 1\n"
        assert await esl.api(f"uuid_answer {uuid}") == "+OK\n"
        await talk.answered()
        assert await esl.execute(uuid, "playback", str(sound), run="my-run") == "+OK"
        await a.hears(500)
        done = await esl.event("CHANNEL_EXECUTE_COMPLETE", Application="playback")
        assert done["Application-UUID"] == "my-run"
        assert done["Application-Response"] == "FILE PLAYED"
        job = await esl.bgapi("originate {origination_uuid=leg-b,ignore_early_media=true}user/102@t1.test &park")
        call = await b.incoming()
        call.ring()
        await esl.event("CHANNEL_PROGRESS", **{"Unique-ID": "leg-b"})
        await call.answer()
        assert await esl.job(job) == "+OK leg-b\n"
        esl.rewind()
        await esl.event("CHANNEL_PARK", **{"Unique-ID": "leg-b"})
        assert await esl.api(f"uuid_setvar {uuid} park_after_bridge true") == "+OK\n"
        assert await esl.api(f"uuid_bridge {uuid} leg-b") == "+OK leg-b\n"
        bridged = await esl.event("CHANNEL_BRIDGE")
        assert (bridged["Unique-ID"], bridged["Other-Leg-Unique-ID"]) == (uuid, "leg-b")
        a.say(700)
        b.say(900)
        await a.hears(900)
        await b.hears(700)
        await call.hang_up()
        await esl.event("CHANNEL_UNBRIDGE", **{"Unique-ID": uuid})
        await esl.event("CHANNEL_PARK", **{"Unique-ID": uuid})
        await talk.hang_up()
        over = await esl.event("CHANNEL_HANGUP_COMPLETE", **{"Unique-ID": uuid})
        assert over["Hangup-Cause"] == "NORMAL_CLEARING"
        assert over["variable_sip_hangup_disposition"] == "recv_bye"
        assert house.switch.channels == {}
