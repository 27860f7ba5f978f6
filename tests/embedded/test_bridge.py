# SPDX-License-Identifier: Apache-2.0
"""Two parties talking: ends from either side, keys, hold, recordings, what a bridge without media does."""

from __future__ import annotations

import wave
from pathlib import Path

import msgspec
import numpy as np

from tests.embedded.conftest import House, dialled, joined, open_trunks, parked, tone_file


async def test_the_callee_ends_and_the_caller_parks_again_ten_times(house: House) -> None:
    a, b = await house.phone("101"), await house.phone("102", register=True)
    async with house.esl() as esl:
        talk, uuid = await parked(esl, a)
        for number in range(10):
            leg = f"leg-{number}"
            call = await dialled(esl, b, leg, "park_timeout=5:ORIGINATOR_CANCEL")
            await joined(esl, uuid, leg)
            rows = {row["uuid"]: row for row in msgspec.json.decode(await esl.api("show channels as json"))["rows"]}
            assert (rows[uuid]["state"], rows[leg]["state"]) == ("CS_SOFT_EXECUTE", "CS_EXCHANGE_MEDIA")
            assert rows[uuid]["application"] == "uuid_bridge"
            if number % 2:
                await call.hang_up()
            else:
                await esl.api(f"uuid_kill {leg}")
                await call.ended()
            await esl.event("CHANNEL_UNBRIDGE", **{"Unique-ID": uuid})
            park = await esl.event("CHANNEL_PARK", **{"Unique-ID": uuid})
            assert park["variable_last_bridge_to"] == leg
        await talk.hang_up()


async def test_the_caller_ends(house: House) -> None:
    a, b = await house.phone("101"), await house.phone("102", register=True)
    async with house.esl() as esl:
        talk, uuid = await parked(esl, a)
        call = await dialled(esl, b, "leg")
        await joined(esl, uuid, "leg")
        await talk.hang_up()
        await call.ended()
        assert (await esl.find("CHANNEL_HANGUP_COMPLETE", "leg"))["Hangup-Cause"] == "NORMAL_CLEARING"
        names = esl.names(uuid)
        assert names.index("CHANNEL_UNBRIDGE") < names.index("CHANNEL_HANGUP_COMPLETE")


async def test_without_park_after_bridge_the_caller_ends_too(house: House) -> None:
    a, b = await house.phone("101"), await house.phone("102", register=True)
    async with house.esl() as esl:
        talk, uuid = await parked(esl, a)
        call = await dialled(esl, b, "leg")
        assert await esl.api(f"uuid_bridge {uuid} leg") == "+OK leg\n"
        await esl.event("CHANNEL_BRIDGE")
        await call.hang_up()
        await talk.ended()


async def test_pre_answered_caller_is_answered_by_the_bridge(house: House) -> None:
    a, b = await house.phone("101"), await house.phone("102", register=True)
    async with house.esl() as esl:
        talk, uuid = await parked(esl, a, answer=False)
        await esl.api(f"uuid_pre_answer {uuid}")
        await talk.early()
        await dialled(esl, b, "leg")
        await joined(esl, uuid, "leg")
        await talk.answered()
        b.say(900)
        await a.hears(900)


async def test_a_caller_without_media_is_lost_in_a_bridge(house: House) -> None:
    """As on FreeSWITCH, so that an engine built on the embedded switch meets it early."""
    a, b = await house.phone("101"), await house.phone("102", register=True)
    async with house.esl() as esl:
        talk, uuid = await parked(esl, a, answer=False)
        call = await dialled(esl, b, "leg")
        assert (await esl.api(f"uuid_bridge {uuid} leg")).startswith("+OK")
        assert await talk.refused() == 502
        await call.ended()
        assert (await esl.find("CHANNEL_HANGUP_COMPLETE", uuid))["Hangup-Cause"] == "DESTINATION_OUT_OF_ORDER"
        assert (await esl.find("CHANNEL_HANGUP_COMPLETE", "leg"))["Hangup-Cause"] == "ORIGINATOR_CANCEL"


async def test_bridges_that_cannot_be(house: House) -> None:
    a = await house.phone("101")
    async with house.esl() as esl:
        _, uuid = await parked(esl, a)
        assert await esl.api(f"uuid_bridge {uuid} none") == "-ERR Invalid uuid\n"
        assert await esl.api(f"uuid_bridge {uuid} {uuid}") == "-ERR Invalid uuid\n"
        assert (await esl.api("uuid_bridge x")).startswith("-USAGE")


async def test_keys_pass_and_are_told(house: House) -> None:
    a, b = await house.phone("101"), await house.phone("102", register=True)
    async with house.esl() as esl:
        talk, uuid = await parked(esl, a)
        call = await dialled(esl, b, "leg")
        await joined(esl, uuid, "leg")
        await a.press("1")
        assert (await esl.event("DTMF"))["Unique-ID"] == uuid
        await b.press("2")
        assert (await esl.event("DTMF"))["Unique-ID"] == "leg"
        await a.keys(2)
        await b.keys(1)
        # by SIP INFO too
        call.request("INFO", body="Signal=7\r\nDuration=160\r\n", extra=[("Content-Type", "application/dtmf-relay")])
        assert (await b.final("INFO")).code == 200
        digit = await esl.event("DTMF")
        assert (digit["DTMF-Digit"], digit["Unique-ID"]) == ("7", "leg")
        await talk.hang_up()


async def test_hold_gives_music_and_unhold_the_voice_back(house: House) -> None:
    a, b = await house.phone("101"), await house.phone("102", register=True)
    async with house.esl() as esl:
        talk, uuid = await parked(esl, a)
        call = await dialled(esl, b, "leg")
        await joined(esl, uuid, "leg")
        a.say(700)
        b.say(900)
        await a.hears(900)
        answer = await call.hold()
        assert "a=recvonly" in answer.body
        held = await esl.event("CHANNEL_HOLD")
        assert (held["Unique-ID"], held["Channel-Call-State"]) == ("leg", "HELD")
        b.quiet()
        await a.hears(300)
        answer = await call.hold("sendrecv")
        assert "a=sendrecv" in answer.body
        back = await esl.event("CHANNEL_UNHOLD")
        assert (back["Unique-ID"], back["Channel-Call-State"]) == ("leg", "ACTIVE")
        assert int(back["Caller-Channel-Hold-Accum"]) > 0
        b.say(900)
        await a.hears(900)
        await b.hears(700)
        # the other way round, and the end during a hold
        await talk.hold("inactive")
        assert (await esl.event("CHANNEL_HOLD"))["Unique-ID"] == uuid
        b.quiet()
        await b.hears(300)
        await talk.hang_up()
        await call.ended()
        assert int((await esl.find("CHANNEL_HANGUP_COMPLETE", uuid))["Caller-Channel-Last-Hold"]) > 0


async def test_the_music_is_chosen_by_who_holds(house: House) -> None:
    """As in FreeSWITCH: the variable of the leg that holds; a file is played again and again."""
    a, b = await house.phone("101"), await house.phone("102", register=True)
    short = tone_file(house.folder / "own music.wav", 1500, 0.4)
    tone_file(house.folder / "sounds" / "other.wav", 2000, 1)
    async with house.esl() as esl:
        talk, uuid = await parked(esl, a)
        call = await dialled(esl, b, "leg")
        await joined(esl, uuid, "leg")
        await esl.api(f"uuid_setvar leg hold_music {short}")
        await esl.api(f"uuid_setvar {uuid} hold_music ${{sounds_dir}}/other.wav")
        b.say(900)
        await a.hears(900)
        await call.hold()
        b.quiet()
        await a.hears(1500)
        await a.hears(1500, seconds=0.9)  # more than the file is long
        await call.hold("sendrecv")
        b.say(900)
        await a.hears(900)
        await talk.hold()
        await b.hears(2000)
        await talk.hold("sendrecv")
        await esl.api("uuid_setvar leg hold_music silence")
        b.quiet()
        await call.hold()
        await a.hears_nothing()
        await talk.hang_up()


async def test_hold_by_the_engine(house: House) -> None:
    a, b = await house.phone("101"), await house.phone("102", register=True)
    async with house.esl() as esl:
        _, uuid = await parked(esl, a)
        await dialled(esl, b, "leg")
        await joined(esl, uuid, "leg")
        assert await esl.api("uuid_hold leg") == "+OK Success\n"
        offer = await b.get("INVITE")
        assert "a=sendonly" in offer.body
        b.send(b.reply(offer, 200, body=b.sdp("recvonly", 5)))
        await b.get("ACK")
        assert (await esl.event("CHANNEL_HOLD"))["Unique-ID"] == "leg"
        await a.hears(300)
        assert await esl.api("uuid_hold off leg") == "+OK Success\n"
        assert "a=sendrecv" in (await b.get("INVITE")).body
        assert (await esl.event("CHANNEL_UNHOLD"))["Unique-ID"] == "leg"
        assert await esl.api("uuid_hold none") == "-ERR Operation failed\n"


async def test_sounds_into_a_talk(house: House) -> None:
    a, b = await house.phone("101"), await house.phone("102", register=True)
    async with house.esl() as esl:
        _, uuid = await parked(esl, a)
        await dialled(esl, b, "leg")
        await joined(esl, uuid, "leg")
        a.say(700)
        b.say(900)
        await a.hears(900)
        assert await esl.api(f"uuid_broadcast {uuid} tone_stream://%(600,0,1500) aleg") == "+OK Message sent\n"
        await a.hears(1500)
        await b.hears(700)
        await a.hears(900)
        assert await esl.api(f"uuid_broadcast {uuid} tone_stream://%(600,0,1500) both") == "+OK Message sent\n"
        await a.hears(1500, seconds=0.2)
        await b.hears(1500, seconds=0.2)
        await a.hears(900)
        assert await esl.api("uuid_broadcast none x") == "-ERR invalid uuid\n"


async def test_stereo_recording_of_a_talk(house: House, tmp_path: Path) -> None:
    a, b = await house.phone("101"), await house.phone("102", register=True)
    path = tmp_path / "rec/talk.wav"
    async with house.esl() as esl:
        talk, uuid = await parked(esl, a)
        await esl.api(f"uuid_setvar_multi {uuid} RECORD_STEREO=true;RECORD_ANSWER_REQ=true;RECORD_BRIDGE_REQ=true")
        await esl.execute(uuid, "record_session", str(path))
        await dialled(esl, b, "leg")
        assert not path.exists()
        a.say(700)
        b.say(900)
        await joined(esl, uuid, "leg")
        await esl.event("RECORD_START")
        await a.hears(900, seconds=1)
        await talk.hang_up()
        stop = await esl.event("RECORD_STOP")
        assert int(stop["variable_record_ms"]) > 900
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2).astype(float)
    for column, hertz in ((0, 700), (1, 900)):
        part = samples[3000:7000, column]
        assert abs(np.argmax(np.abs(np.fft.rfft(part))) * 8000 / len(part) - hertz) < 15


async def test_both_are_taken_out_of_a_talk(house: House) -> None:
    a, b = await house.phone("101"), await house.phone("102", register=True)
    async with house.esl() as esl:
        talk, uuid = await parked(esl, a)
        call = await dialled(esl, b, "leg")
        await joined(esl, uuid, "leg")
        assert await esl.api(f"uuid_transfer {uuid} -both park inline") == "+OK\n"
        seen = {(await esl.event("CHANNEL_PARK"))["Unique-ID"], (await esl.event("CHANNEL_PARK"))["Unique-ID"]}
        assert seen == {uuid, "leg"}
        await esl.api(f"uuid_broadcast {uuid} local_stream://moh aleg")
        await a.hears(300)
        await joined(esl, uuid, "leg")
        b.say(900)
        await a.hears(900)
        await talk.hang_up()
        await call.ended()


async def test_pickup(house: House) -> None:
    """The ringing phone's call is answered on another one: the loser is told so."""
    a, b, p = await house.phone("101"), await house.phone("102", register=True), await house.phone("103")
    async with house.esl() as esl:
        _, uuid = await parked(esl, a)
        job = await esl.bgapi("originate {origination_uuid=leg}user/102@t1.test &park")
        call = await b.incoming()
        call.ring()
        await esl.event("CHANNEL_PROGRESS", **{"Unique-ID": "leg"})
        await parked(esl, p, "*8")
        picker = next(u for u, channel in house.switch.channels.items() if channel.profile.destination_number == "*8")
        await joined(esl, uuid, picker)
        await esl.api("uuid_kill leg LOSE_RACE")
        assert (await call.cancelled()).get("Reason").startswith("SIP;cause=200")
        assert await esl.job(job) == "-ERR LOSE_RACE\n"
        p.say(900)
        await a.hears(900)


async def test_intercept(house: House) -> None:
    a, b, p = await house.phone("101"), await house.phone("102", register=True), await house.phone("103")
    async with house.esl() as esl:
        talk, uuid = await parked(esl, a)
        call = await dialled(esl, b, "leg")
        await joined(esl, uuid, "leg")
        picking, picker = await parked(esl, p, "*8", answer=False)
        await esl.execute(picker, "intercept", uuid)
        await picking.answered()
        bye = await call.ended()
        assert bye.method == "BYE"
        await esl.event("CHANNEL_BRIDGE")
        p.say(900)
        await a.hears(900)
        assert (await esl.find("CHANNEL_HANGUP_COMPLETE", "leg"))["Hangup-Cause"] == "PICKED_OFF"
        await talk.hang_up()


async def test_offerless_invite(house: House) -> None:
    a = await house.phone("101", trunk=True)
    async with house.esl() as esl:
        await open_trunks(house, esl)
        raw = a.request("INVITE", "sip:700@t1.test", body="")
        a.send(raw)
        uuid = (await esl.event("CHANNEL_PARK"))["Unique-ID"]
        await esl.api(f"sched_del {uuid}")
        await esl.api(f"uuid_answer {uuid}")
        response = await a.final("INVITE")
        assert "m=audio" in response.body
        a.take(response.body)
        a.send(a.ack(raw, response, body=a.sdp()))
        await esl.execute(uuid, "playback", "local_stream://moh")
        await a.hears(300)


async def test_no_common_codec(house: House) -> None:
    a = await house.phone("101", trunk=True)
    async with house.esl() as esl:
        await open_trunks(house, esl)
    raw = a.request("INVITE", body=a.sdp().replace("RTP/AVP 8 101", "RTP/AVP 9 101"))
    a.send(raw)
    assert (await a.final("INVITE")).code == 488


async def test_a_leg_that_is_filtered_keeps_its_keys(house: House) -> None:
    """`bridge_filter_dtmf` of one leg: its keys are told and not passed on, by telephone-event and by INFO; the other's pass."""
    a, b = await house.phone("101"), await house.phone("102", register=True)
    async with house.esl() as esl:
        talk, uuid = await parked(esl, a)
        call = await dialled(esl, b, "leg", "bridge_filter_dtmf=true")
        await joined(esl, uuid, "leg")
        await b.press("2")
        assert (await esl.event("DTMF"))["Unique-ID"] == "leg"
        call.request("INFO", body="Signal=7\r\nDuration=160\r\n", extra=[("Content-Type", "application/dtmf-relay")])
        assert (await b.final("INFO")).code == 200
        assert (await esl.event("DTMF"))["DTMF-Digit"] == "7"
        await a.press("1")
        await b.keys(1)
        assert await esl.api(f"uuid_send_dtmf {uuid} 9") == f"+OK {uuid} sent DTMF 9.\n"
        await a.keys(9)  # what the engine passes on comes, and nothing else has
        await talk.hang_up()


async def test_two_who_are_parted_both_park(house: House) -> None:
    a, b = await house.phone("101"), await house.phone("102", register=True)
    async with house.esl() as esl:
        talk, uuid = await parked(esl, a)
        call = await dialled(esl, b, "leg")
        await joined(esl, uuid, "leg")
        assert await esl.api(f"uuid_transfer {uuid} -both park inline vats") == "+OK\n"
        for channel in ("leg", uuid):
            park = await esl.find("CHANNEL_PARK", channel)
            assert "CHANNEL_HANGUP" not in esl.names(channel)
            esl.rewind()
            park = await esl.event("CHANNEL_PARK", **{"Unique-ID": channel, "Caller-Dialplan": "inline"})
            assert park["variable_transfer_source"].endswith(":bl_xfer:park/vats/inline")
        await joined(esl, uuid, "leg")
        await talk.hang_up()
        await call.ended()


async def test_who_is_taken_from_music_into_a_talk_is_joined_at_once(house: House) -> None:
    """uuid_break and uuid_bridge in one go, while the other leg still talks with a third: the break is no break of the joining."""
    a, b, c = await house.phone("101"), await house.phone("102", register=True), await house.phone("103", register=True)
    async with house.esl() as esl:
        talk, uuid = await parked(esl, a)
        two = await dialled(esl, b, "two")
        three = await dialled(esl, c, "three")
        await joined(esl, "two", "three")
        await esl.execute(uuid, "playback", "local_stream://moh")
        answers = [esl.send(f"api {line}") for line in (f"uuid_break {uuid} all", "uuid_kill three", f"uuid_bridge {uuid} two")]
        for answer in answers:
            assert "+OK" in (await answer)[1]
        await esl.event("CHANNEL_BRIDGE", **{"Unique-ID": uuid})
        await three.ended()
        b.say(900)
        await a.hears(900)
        await talk.hang_up()
        await esl.api("uuid_kill two")
        await two.ended()
