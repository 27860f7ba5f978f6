# SPDX-License-Identifier: Apache-2.0
"""Independent phones against the whole switch: pjsua2 over UDP and TCP, A-law and µ-law, hold and transfers; sipp in numbers."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path

import pytest

from tests.embedded.conftest import House, joined
from tests.embedded.esl import Esl
from tests.embedded.sip.conftest import until
from tests.phones import sound
from tests.phones.pjsua import PjsuaPhone

pytest.importorskip("pjsua2")


def softphone(house: House, login: str, tmp_path: Path, *, hertz: float, **options: object) -> PjsuaPhone:
    speak = sound.tone(tmp_path / f"{login}-says.wav", hertz)
    return PjsuaPhone(
        login, "t1.test", house.internal, address=house.address, password=f"pw-{login}",
        speak=str(speak), hear=str(tmp_path / f"{login}-hears.wav"), **options,
    )  # fmt: skip


async def take(esl: Esl, number: str) -> str:
    """Claim and answer the call to this number."""
    uuid = str((await esl.event("CHANNEL_PARK", **{"Caller-Destination-Number": number}))["Unique-ID"])
    assert await esl.api(f"sched_del {uuid}") == "+OK Deleted: 1\n"
    assert await esl.api(f"uuid_answer {uuid}") == "+OK\n"
    return uuid


async def dial(esl: Esl, phone: PjsuaPhone, uuid: str) -> str:
    """The name of the answered call on the phone."""
    job = await esl.bgapi(f"originate {{origination_uuid={uuid},ignore_early_media=true}}user/{phone.login}@t1.test &park")
    call = str((await phone.incoming())["call"])
    phone.answer(call)
    await phone.talking(call)
    assert await esl.job(job) == f"+OK {uuid}\n"
    return call


async def complete(*paths: Path) -> None:
    """The phones' library closes its recordings a little after the call; their processes must live until then."""
    await until(lambda: all(path.exists() and path.read_bytes()[:4] == b"RIFF" for path in paths))


@pytest.mark.parametrize(("one", "other"), [("udp", "tcp"), ("tcp", "udp")])
async def test_two_phones_talk(house: House, tmp_path: Path, one: str, other: str) -> None:
    async with (
        softphone(house, "101", tmp_path, hertz=700, transport=one) as a,
        softphone(house, "102", tmp_path, hertz=900, transport=other, codec="PCMU") as b,
        house.esl() as esl,
    ):
        await a.registered()
        await b.registered()
        call = await a.call("700")
        uuid = await take(esl, "700")
        await a.talking(call)
        far = await dial(esl, b, "leg")
        await joined(esl, uuid, "leg")
        a.press(call, "12#")
        assert [(await esl.event("DTMF", **{"Unique-ID": uuid}))["DTMF-Digit"] for _ in range(3)] == ["1", "2", "#"]
        for digit in "12#":
            await b.wait("dtmf", digit=digit)
        b.do("hold", call=far)
        assert (await esl.event("CHANNEL_HOLD"))["Unique-ID"] == "leg"
        await asyncio.sleep(1)  # a second of music
        b.do("unhold", call=far)
        await esl.event("CHANNEL_UNHOLD")
        await asyncio.sleep(1)  # a second of talk
        b.hangup(far)
        await b.wait("over", call=far)
        await esl.event("CHANNEL_PARK", **{"Unique-ID": uuid})
        assert await esl.api(f"uuid_kill {uuid}") == "+OK\n"
        await a.wait("over", call=call)
        await complete(tmp_path / "101-hears.wav", tmp_path / "102-hears.wav")
    heard_a = tmp_path / "101-hears.wav"
    assert sound.hears(heard_a, 900) > 0.3
    assert sound.hears(heard_a, 300) > 0.3
    assert sound.hears(tmp_path / "102-hears.wav", 700) > 0.3


async def test_attended_transfer_by_a_phone(house: House, tmp_path: Path) -> None:
    async with (
        softphone(house, "101", tmp_path, hertz=700) as a,
        softphone(house, "102", tmp_path, hertz=800) as b,
        softphone(house, "103", tmp_path, hertz=900) as c,
        house.esl() as esl,
    ):
        for phone in (a, b, c):
            await phone.registered()
        call_a = await a.call("700")
        uuid = await take(esl, "700")
        await a.talking(call_a)
        first = await dial(esl, b, "b1")
        await joined(esl, uuid, "b1")
        b.do("hold", call=first)
        await esl.event("CHANNEL_HOLD")
        second = await b.call("103")
        b2 = await take(esl, "103")
        await b.talking(second)
        call_c = await dial(esl, c, "c")
        await joined(esl, b2, "c")
        b.do("transfer_replaces", call=first, other=second)
        assert (await b.wait("transfer", final=True))["code"] == 200
        bridge = await esl.event("CHANNEL_BRIDGE", **{"Unique-ID": uuid})
        assert bridge["Other-Leg-Unique-ID"] == "c"
        await asyncio.sleep(1)  # a second of talk
        c.hangup(call_c)
        await c.wait("over", call=call_c)
        await esl.event("CHANNEL_PARK", **{"Unique-ID": uuid})
        await esl.api(f"uuid_kill {uuid}")
        await a.wait("over", call=call_a)
        await complete(tmp_path / "101-hears.wav", tmp_path / "103-hears.wav")
    assert sound.hears(tmp_path / "101-hears.wav", 900) > 0.3
    assert sound.hears(tmp_path / "103-hears.wav", 700) > 0.3


async def test_blind_transfer_by_a_phone(house: House, tmp_path: Path) -> None:
    async with softphone(house, "101", tmp_path, hertz=700) as a, softphone(house, "102", tmp_path, hertz=900) as b, house.esl() as esl:
        await a.registered()
        await b.registered()
        call = await a.call("700")
        uuid = await take(esl, "700")
        await a.talking(call)
        far = await dial(esl, b, "leg")
        await esl.api(f"uuid_setvar {uuid} force_transfer_context from-phone")
        await joined(esl, uuid, "leg")
        b.do("transfer", call=far, uri="sip:555@t1.test")
        park = await esl.event("CHANNEL_PARK", **{"Unique-ID": uuid})
        assert park["Caller-Destination-Number"] == "555"
        await b.wait("over", call=far)


async def test_a_phone_hears_that_a_call_was_answered_elsewhere(house: House, tmp_path: Path) -> None:
    async with softphone(house, "102", tmp_path, hertz=900, auto="ring") as b, house.esl() as esl:
        await b.registered()
        job = await esl.bgapi("originate {origination_uuid=leg}user/102@t1.test &park")
        call = str((await b.incoming())["call"])
        await esl.event("CHANNEL_PROGRESS")
        await esl.api("uuid_kill leg LOSE_RACE")
        await b.wait("over", call=call)
        assert await esl.job(job) == "-ERR LOSE_RACE\n"


class Controller:
    """Answers what parks and hangs up after a file, as an engine would."""

    def __init__(self, esl: Esl, sound_file: str) -> None:
        self._esl, self._sound = esl, sound_file

    async def run(self) -> None:
        seen = 0
        while True:
            for event in self._esl.events[seen:]:
                seen += 1
                if event["Event-Name"] == "CHANNEL_PARK":
                    uuid = event["Unique-ID"]
                    for line in (f"api sched_del {uuid}", f"api uuid_answer {uuid}"):
                        self._esl.send(line)
                    for name, argument in (("playback", self._sound), ("hangup", "NORMAL_CLEARING")):
                        lines = (f"sendmsg {uuid}", "call-command: execute", f"execute-app-name: {name}", f"execute-app-arg: {argument}")
                        self._esl.send("\n".join((*lines, "event-lock: true")))
            self._esl._news.clear()
            await self._esl._news.wait()


SCENARIO = """<?xml version="1.0"?><scenario name="caller">
<send retrans="500"><![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:74950000000@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:sipp@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=u 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio [media_port] RTP/AVP 8
]]></send>
<recv response="100" optional="true"/><recv response="180" optional="true"/><recv response="183" optional="true"/>
<recv response="200" rrs="true"/>
<send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:74950000000@[local_ip]:[local_port]>;tag=[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv request="BYE"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
</scenario>
"""


@pytest.mark.skipif(shutil.which("sipp") is None, reason="sipp is not installed")
@pytest.mark.parametrize("transport", ["u1", "t1"])
async def test_many_calls_one_after_the_other(house: House, tmp_path: Path, transport: str) -> None:
    from tests.embedded.conftest import open_trunks, tone_file

    scenario = tmp_path / "caller.xml"
    scenario.write_text(SCENARIO)
    audio = str(tone_file(tmp_path / "s.wav", 500, 0.2))
    async with house.esl("json CHANNEL_PARK CHANNEL_HANGUP_COMPLETE") as esl:
        await open_trunks(house, esl)
        controller = asyncio.create_task(Controller(esl, audio).run())
        process = await asyncio.create_subprocess_exec(
            "sipp", f"{house.address}:{house.trunk[1]}", "-sf", str(scenario), "-i", house.address, "-s", "700", "-t", transport,
            "-m", "200", "-r", "50", "-l", "100", "-timeout", "60", "-nostdin", "-trace_stat",
            "-stf", str(tmp_path / "stat.csv"), cwd=str(tmp_path),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        async with asyncio.timeout(90):
            out, _ = await process.communicate()
        controller.cancel()
        text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", out.decode("utf-8", "replace"))
        assert process.returncode == 0, text[-3000:]
        esl.rewind()
        causes = [(await esl.event("CHANNEL_HANGUP_COMPLETE"))["Hangup-Cause"] for _ in range(200)]
        assert causes == ["NORMAL_CLEARING"] * 200
        assert house.switch.media.streams == 0
