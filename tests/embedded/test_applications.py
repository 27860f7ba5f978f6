# SPDX-License-Identifier: Apache-2.0
"""Applications on an answered call: sounds, keys, recordings, nesting and queueing."""

from __future__ import annotations

import asyncio
import wave
from pathlib import Path

import numpy as np
import pytest

from tests.embedded.conftest import House, tone_file
from tests.embedded.esl import Esl
from tests.embedded.telephone import Talk, Telephone


class Call:
    def __init__(self, house: House, esl: Esl, phone: Telephone, talk: Talk, uuid: str) -> None:
        self.house, self.esl, self.phone, self.talk, self.uuid = house, esl, phone, talk, uuid

    def sound(self, hertz: float, seconds: float) -> str:
        return str(tone_file(self.house.folder / f"{hertz:.0f}-{seconds}.wav", hertz, seconds))

    async def run(self, application: str, argument: str = "", *, lock: bool = True) -> str:
        """The id of a started application."""
        run = f"{application}-{id(object())}-{len(self.esl.events)}"
        assert await self.esl.execute(self.uuid, application, argument, lock=lock, run=run) == "+OK"
        return run

    async def over(self, run: str, within: float = 10) -> dict[str, str]:
        self.esl.rewind()
        return await self.esl.event("CHANNEL_EXECUTE_COMPLETE", within, **{"Application-UUID": run})

    async def do(self, application: str, argument: str = "") -> dict[str, str]:
        return await self.over(await self.run(application, argument))

    async def get(self, name: str) -> str:
        return await self.esl.api(f"uuid_getvar {self.uuid} {name}")


@pytest.fixture
async def call(house: House):  # type: ignore[no-untyped-def]
    phone = await house.phone()
    async with house.esl() as esl:
        talk = await phone.call("700")
        uuid = (await esl.event("CHANNEL_PARK"))["Unique-ID"]
        await esl.api(f"sched_del {uuid}")
        await esl.api(f"uuid_answer {uuid}")
        await talk.answered()
        yield Call(house, esl, phone, talk, uuid)


async def test_playback_and_its_events(call: Call) -> None:
    done = await call.do("playback", call.sound(500, 0.4))
    assert done["Application-Response"] == "FILE PLAYED"
    call.esl.rewind()
    start = await call.esl.event("PLAYBACK_START")
    stop = await call.esl.event("PLAYBACK_STOP")
    assert start["Playback-File-Path"] == stop["Playback-File-Path"] == call.sound(500, 0.4)
    assert stop["Playback-Status"] == "done"
    assert 350 <= int(stop["variable_playback_ms"]) <= 600


async def test_missing_file(call: Call) -> None:
    assert (await call.do("playback", "/nowhere/x.wav"))["Application-Response"] == "FILE NOT FOUND"
    assert (await call.do("playback", call.sound(500, 0.2)))["Application-Response"] == "FILE PLAYED"


async def test_locked_applications_queue(call: Call) -> None:
    first = await call.run("playback", call.sound(500, 0.5))
    second = await call.run("playback", call.sound(800, 0.4))
    one = await call.over(first)
    two = await call.over(second)
    assert 350_000 < int(two["Event-Date-Timestamp"]) - int(one["Event-Date-Timestamp"]) < 700_000


async def test_unlocked_ones_nest_and_the_outer_sound_goes_on(call: Call) -> None:
    outer = await call.run("playback", call.sound(500, 1.2), lock=False)
    await call.phone.hears(500)
    inner = await call.run("playback", call.sound(800, 0.5), lock=False)
    await call.phone.hears(800)
    await call.phone.hears(500, seconds=0.2)
    two, one = await call.over(inner), await call.over(outer)
    began = int((await _execute(call, outer))["Event-Date-Timestamp"])
    assert int(two["Event-Date-Timestamp"]) < int(one["Event-Date-Timestamp"])
    # the outer one was suspended while the inner one played
    assert 1_600_000 < int(one["Event-Date-Timestamp"]) - began < 2_000_000


async def _execute(call: Call, run: str) -> dict[str, str]:
    call.esl.rewind()
    return await call.esl.event("CHANNEL_EXECUTE", **{"Application-UUID": run})


async def test_break_ends_endless_music_and_drops_what_is_queued(call: Call) -> None:
    music = await call.run("playback", "local_stream://moh")
    queued = await call.run("playback", call.sound(500, 0.3))
    await call.phone.hears(300)
    assert await call.esl.api(f"uuid_break {call.uuid} all") == "+OK\n"
    assert (await call.over(music))["Application-Response"] == "FILE PLAYED"
    await call.do("set", "mark=1")
    assert queued not in {event.get("Application-UUID") for event in call.esl.events}
    assert await call.esl.api(f"uuid_break {call.uuid} all") == "+OK\n"
    assert (await call.do("playback", call.sound(500, 0.2)))["Application-Response"] == "FILE PLAYED"


async def test_file_lists_tones_and_silence(call: Call) -> None:
    a, b = call.sound(500, 0.3), call.sound(900, 0.3)
    run = await call.run("playback", f"file_string://{a}!{b}")
    await call.phone.hears(500, seconds=0.2)
    await call.phone.hears(900, seconds=0.2)
    await call.over(run)
    assert (await call.do("playback", "tone_stream://%(200,100,425);loops=2"))["Application-Response"] == "FILE PLAYED"
    assert (await call.do("playback", "silence_stream://200"))["Application-Response"] == "FILE PLAYED"


async def test_repeats(call: Call) -> None:
    run = "looped"
    await call.esl.command(
        f"sendmsg {call.uuid}\ncall-command: execute\nexecute-app-name: playback\nexecute-app-arg: {call.sound(500, 0.55)}\n"
        f"Event-UUID: {run}\nloops: 2\nevent-lock: true"
    )
    for _ in range(2):
        await call.esl.event("CHANNEL_EXECUTE_COMPLETE", **{"Application-UUID": run})
    await call.do("set", "mark=1")
    assert sum(e.get("Application-UUID") == run and e["Event-Name"] == "CHANNEL_EXECUTE" for e in call.esl.events) == 2


async def test_keys_are_told_and_end_a_playback(call: Call) -> None:
    await call.do("set", "playback_terminators=#")
    run = await call.run("playback", "local_stream://moh")
    await call.phone.press("5#")
    digit = await call.esl.event("DTMF")
    assert (digit["DTMF-Digit"], digit["DTMF-Source"], digit["Unique-ID"]) == ("5", "RTP", call.uuid)
    done = await call.over(run)
    assert done["variable_playback_terminator_used"] == "#"
    assert done["Application-Response"] == "FILE PLAYED"


async def test_play_and_get_digits(call: Call) -> None:
    bad = call.sound(900, 0.2)
    run = await call.run("play_and_get_digits", rf"1 3 1 4000 # {call.sound(500, 3)} {bad} var \d+ 1500")
    await call.phone.hears(500)
    await call.phone.press("12#")
    done = await call.over(run)
    assert done["variable_var"] == "12"
    assert done["variable_read_result"] == "success"
    assert done["variable_read_terminator_used"] == "#"


async def test_play_and_get_digits_tries_again_and_gives_up(call: Call) -> None:
    bad = call.sound(900, 0.2)
    run = await call.run("play_and_get_digits", rf"2 2 2 300 # {call.sound(500, 0.2)} {bad} var ^1\d$ 300")
    await call.phone.press("22")
    await call.phone.hears(900, seconds=0.15)
    done = await call.over(run)
    assert "variable_var" not in done
    assert done["variable_read_result"] == "timeout"
    # three digits at most without a terminator
    run = await call.run("play_and_get_digits", r"1 3 1 2000 none silence silence var \d+ 2000")
    await call.phone.press("123")
    assert (await call.over(run))["variable_var"] == "123"


async def test_read(call: Call) -> None:
    run = await call.run("read", f"1 3 {call.sound(500, 2)} var 2000 #")
    await call.phone.press("45#")
    done = await call.over(run)
    assert (done["variable_var"], done["variable_read_result"]) == ("45", "success")


async def test_record_until_a_key(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "voice" / "mail.wav"
    call.phone.say(700)
    await call.do("set", "playback_terminators=#")
    run = await call.run("record", f"{path} 20 200 5")
    await call.esl.event("RECORD_START", **{"Record-File-Path": str(path)})
    await asyncio.sleep(1)  # one second of voice
    await call.phone.press("#")
    done = await call.over(run)
    assert 800 <= int(done["variable_record_ms"]) <= 1700
    assert done["variable_playback_terminator_used"] == "#"
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getframerate()) == (1, 8000)


@pytest.mark.parametrize(("argument", "reason"), [("1 200 0", "limit"), ("20 200 1", "silence")])
async def test_record_ends_by_itself(call: Call, tmp_path: Path, argument: str, reason: str) -> None:
    path = tmp_path / "mail.wav"
    call.phone.say(0 if reason == "silence" else 700)
    done = await call.do("record", f"{path} {argument}")
    assert 900 <= int(done["variable_record_ms"]) <= 1500
    assert done.get("variable_silence_hits_exhausted") == ("true" if reason == "silence" else None)


async def test_recording_beside_a_call_with_a_mask(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    call.phone.say(700)
    await call.esl.api(f"uuid_setvar {call.uuid} RECORD_STEREO true")
    assert await call.esl.api(f"uuid_record {call.uuid} start {path} 60") == "+OK Success\n"
    assert (await call.esl.api(f"uuid_record {call.uuid} start {path} 60")).startswith("-ERR")
    await call.do("playback", call.sound(500, 1))
    assert await call.esl.api(f"uuid_record {call.uuid} mask {path}") == "+OK Success\n"
    await call.do("playback", call.sound(500, 1))
    assert await call.esl.api(f"uuid_record {call.uuid} unmask {path}") == "+OK Success\n"
    await call.do("playback", call.sound(500, 0.5))
    assert await call.esl.api(f"uuid_record {call.uuid} stop {path}") == "+OK Success\n"
    stop = await call.esl.event("RECORD_STOP")
    assert stop["Record-File-Path"] == str(path)
    assert 2300 <= int(stop["variable_record_ms"]) <= 5000
    with wave.open(str(path)) as file:
        assert file.getnchannels() == 2
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2).astype(float)
    assert _hertz(samples[2000:6000, 0]) == pytest.approx(700, abs=15)
    assert _hertz(samples[2000:6000, 1]) == pytest.approx(500, abs=15)
    assert _longest_silence(samples) > 6000  # the masked second, wherever the commands have come
    assert await call.esl.api(f"uuid_record {call.uuid} stop {path}") == "-ERR Cannot stop record session!\n"


def _longest_silence(samples: np.ndarray) -> int:
    """Samples in a row in which neither channel has sound."""
    loud = np.flatnonzero(np.abs(samples).max(axis=1) >= 200)
    return int(np.diff(loud).max())


def _hertz(samples: np.ndarray) -> float:
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * 8000 / len(samples))


async def test_a_recording_ends_with_the_call_before_its_last_event(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    call.phone.say(700)
    await call.esl.api(f"uuid_record {call.uuid} start {path}")
    await asyncio.sleep(0.5)
    await call.talk.hang_up()
    await call.esl.event("CHANNEL_HANGUP_COMPLETE")
    names = call.esl.names(call.uuid)
    assert names.index("RECORD_STOP") < names.index("CHANNEL_HANGUP_COMPLETE")
    with wave.open(str(path)) as file:
        assert file.getnframes() > 2000


async def test_variables(call: Call) -> None:
    await call.do("multiset", "^^;a=1;b=two words")
    await call.do("set", "c=${a}-${b:0:3}-${nothing}-\\${a}")
    assert await call.get("c") == "1-two--${a}"
    assert await call.get("destination_number") == "700"
    assert await call.get("nothing") == "_undef_"
    await call.do("set", "Mixed_Case=yes")
    assert (await call.get("mixed_case"), await call.get("MIXED_CASE"), await call.get("A")) == ("yes", "yes", "1")
    assert await call.esl.api(f"uuid_setvar_multi {call.uuid} d=4;e='x;y';f=") == "+OK\n"
    assert (await call.get("d"), await call.get("e"), await call.get("f")) == ("4", "x;y", "_undef_")
    await call.do("unset", "d")
    assert await call.get("d") == "_undef_"
    assert await call.esl.api(f"expand uuid:{call.uuid} ${{a}}/${{caller_id_number}}") == "1/101"
    dump = await call.esl.api(f"uuid_dump {call.uuid}")
    assert "variable_a: 1\n" in dump
    assert await call.esl.api("uuid_setvar none a 1") == "-ERR No such channel!\n"


async def test_an_unknown_application_ends_the_call_a_refused_one_does_not(call: Call) -> None:
    assert await call.esl.execute(call.uuid, "rxfax", "/tmp/x.tif") == "-ERR rxfax is not offered by the embedded switch"
    assert await call.esl.execute(call.uuid, "nonsense") == "+OK"
    over = await call.esl.event("CHANNEL_HANGUP_COMPLETE")
    assert over["Hangup-Cause"] == "DESTINATION_OUT_OF_ORDER"
    await call.talk.ended()


async def test_hang_up_waits_for_a_locked_application(call: Call) -> None:
    run = await call.run("playback", call.sound(500, 0.5))
    await call.esl.command(f"sendmsg {call.uuid}\ncall-command: hangup\nhangup-cause: CALL_REJECTED")
    done = await call.over(run)
    assert done["Application-Response"] == "FILE PLAYED"
    bye = await call.talk.ended()
    assert "cause=21" in bye.get("Reason")
    assert (await call.esl.event("CHANNEL_HANGUP_COMPLETE"))["variable_sip_hangup_disposition"] == "send_bye"


async def test_the_caller_leaves_during_a_playback(call: Call) -> None:
    run = await call.run("playback", "local_stream://moh")
    await call.phone.hears(300)
    await call.talk.hang_up()
    assert (await call.over(run))["Application-Response"] == "PLAYBACK ERROR"


async def test_sent_keys_arrive(call: Call) -> None:
    assert await call.esl.api(f"uuid_send_dtmf {call.uuid} 12#@120") == f"+OK {call.uuid} sent DTMF 12#@120.\n"
    await call.phone.keys(1, 2, 11)
    assert (await call.esl.api(f"uuid_send_dtmf {call.uuid} zz")).startswith("-ERR")


async def test_sleep(call: Call) -> None:
    run = await call.run("sleep", "60000")
    await call.esl.api(f"uuid_break {call.uuid}")
    await call.over(run)


async def test_early_media_and_no_keys_before_the_answer(house: House) -> None:
    phone = await house.phone()
    async with house.esl() as esl:
        talk = await phone.call("700")
        uuid = (await esl.event("CHANNEL_PARK"))["Unique-ID"]
        assert await esl.api(f"uuid_ring_ready {uuid}") == "+OK\n"
        await phone.get(180)
        await esl.execute(uuid, "playback", "local_stream://moh", lock=False)
        await talk.early()
        await phone.hears(300)
        progress = await esl.event("CHANNEL_PROGRESS_MEDIA")
        assert (progress["Answer-State"], progress["Channel-Call-State"]) == ("early", "EARLY")
        await phone.press("1")
        await phone.listen(0.3)
        await esl.api(f"uuid_answer {uuid}")
        await talk.answered()
        await phone.press("2")
        assert (await esl.event("DTMF"))["DTMF-Digit"] == "2"
        assert [event["DTMF-Digit"] for event in esl.events if event["Event-Name"] == "DTMF"] == ["2"]


@pytest.mark.parametrize(("data", "code"), [("486 Busy Here", 486), ("403", 403)])
async def test_respond(house: House, data: str, code: int) -> None:
    phone = await house.phone()
    async with house.esl() as esl:
        talk = await phone.call("700")
        uuid = (await esl.event("CHANNEL_PARK"))["Unique-ID"]
        await esl.execute(uuid, "respond", data)
        assert await talk.refused() == code
