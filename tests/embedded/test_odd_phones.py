# SPDX-License-Identifier: Apache-2.0
"""Phones and gateways that are within their rights, or only a little outside of them: ports, payload types, early BYEs, unknown names."""

from __future__ import annotations

import asyncio
import socket

import pytest

from engine.embedded.sip.server import ServerState
from tests.embedded.conftest import House, dialled, joined, parked
from tests.embedded.esl import Esl
from tests.embedded.sip.phone import compose, parse
from tests.embedded.telephone import Talk, Telephone


def udp(address: str) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((address, 0))
    made.setblocking(False)
    return made


async def offerless(esl: Esl, phone: Telephone) -> tuple[Talk, str]:
    """A call without a description, parked and answered; its 200 with our offer is there, the ACK is not."""
    uri = f"sip:700@{phone.domain}"
    raw = phone.request("INVITE", uri, from_=f"<sip:{phone.user}@{phone.domain}>;tag=o1")
    phone.send(raw)
    challenge = await phone.final("INVITE")
    phone.send(phone.ack(raw, challenge))
    name, value = phone.credentials(challenge, "INVITE", uri)
    raw = phone.again(raw, CSeq="2 INVITE", **{name: value})
    phone.send(raw)
    park = await esl.event("CHANNEL_PARK")
    await esl.api(f"sched_del {park['Unique-ID']}")
    await esl.api(f"uuid_answer {park['Unique-ID']}")
    return Talk(phone, raw), str(park["Unique-ID"])


async def test_a_peer_that_listens_on_another_port_than_it_sends_from(house: House) -> None:
    """RFC 3261 §18.2.2: a Via without rport is answered at its own port."""
    speaking, listening = udp(house.address), udp(house.address)
    with speaking, listening:
        place = f"{house.address}:{listening.getsockname()[1]}"
        for number, side in enumerate((house.internal, house.trunk)):
            raw = compose(
                "OPTIONS sip:x@t1.test SIP/2.0",
                [
                    ("Via", f"SIP/2.0/UDP {place};branch=z9hG4bKodd{number}"), ("Max-Forwards", "70"), ("From", "<sip:101@t1.test>;tag=1"),
                    ("To", "<sip:x@t1.test>"), ("Call-ID", f"odd{number}"), ("CSeq", "1 OPTIONS"),
                ],
            )  # fmt: skip
            speaking.sendto(raw, side)
            async with asyncio.timeout(3):
                answer = await asyncio.get_running_loop().sock_recv(listening, 4000)
            assert answer.startswith(b"SIP/2.0 ")
        with pytest.raises(BlockingIOError):
            speaking.recv(4000)


async def test_keys_come_with_the_number_that_we_have_described(house: House) -> None:
    """RFC 3264 §6.1: a phone that wants to receive keys as 96 sends them as our 101."""
    phone = await house.phone("102", register=True)
    async with house.esl() as esl:
        await esl.bgapi("originate {origination_uuid=keys}user/102@t1.test &park")
        call = await phone.incoming()
        phone.take(call.invite.body)
        body = phone.sdp().replace("8 101", "8 96").replace("rtpmap:101", "rtpmap:96")
        phone.send(phone.reply(call.invite, 200, tag=call.tag, body=body))
        await phone.get("ACK")
        await esl.find("CHANNEL_PARK", "keys")
        await phone.press("5")
        await esl.event("DTMF", **{"Unique-ID": "keys", "DTMF-Digit": "5"})


async def test_a_number_keeps_its_meaning(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 3264 §8.3.2: with 97 for keys and 101 for something else, our own later offer says 97, too."""
    phone = await house.phone("101")
    plain = phone.sdp

    def described(direction: str = "sendrecv", version: int = 1) -> str:
        lines = plain(direction, version).replace("8 101", "8 101 97")
        return lines.replace("a=rtpmap:101 telephone-event/8000", "a=rtpmap:101 iLBC/8000\r\na=rtpmap:97 telephone-event/8000")

    monkeypatch.setattr(phone, "sdp", described)
    async with house.esl() as esl:
        talk, _ = await parked(esl, phone)
        talk.request("INVITE")
        offer = (await phone.final("INVITE")).body
    assert "rtpmap:97 telephone-event" in offer
    assert "rtpmap:101" not in offer


async def test_sound_from_an_address_that_is_back(house: House) -> None:
    """Here, there and here again within a second: the sound from here is heard at once (RFC 3264 §8.3.1)."""
    one, two = await house.phone("101"), await house.phone("102", register=True)
    async with house.esl() as esl:
        talk, uuid = await parked(esl, one)
        await dialled(esl, two, "other")
        await joined(esl, uuid, "other")
        two.say(500)
        one.say(400)
        await two.hears(400)
        there = one.sdp("sendonly", 5).replace(f"m=audio {one.rtp.getsockname()[1]}", "m=audio 45678")
        for body in (there, one.sdp("sendrecv", 6)):
            talk.request("INVITE", body=body)
            talk.request_ack(await one.final("INVITE"))
        packets = len(two.packets)
        async with asyncio.timeout(0.6):  # an address that is kept out is so for a second
            while len(two.packets) < packets + 10:
                await asyncio.sleep(0.02)


@pytest.mark.parametrize("who", ["they", "we"])
async def test_a_renegotiation_without_ack_ends_with_its_dialog(house: House, who: str) -> None:
    phone = await house.phone("101")
    async with house.esl() as esl:
        talk, uuid = await parked(esl, phone)
        talk.request("INVITE", body=phone.sdp("sendonly", 2))
        await phone.final("INVITE")  # whose ACK is lost
        if who == "they":
            await talk.hang_up()
        else:
            await esl.api(f"uuid_kill {uuid}")
            await talk.ended()
        states = {each.state for each in house.switch.agent.stack.transactions.servers.values() if each.is_invite}
    assert ServerState.ACCEPTED not in states  # the state in which a 2xx is repeated


async def test_an_ack_without_the_answer_ends_the_call(house: House) -> None:
    """RFC 3261 §13.2.1: our offer in the 200 has to be answered in the ACK."""
    phone = await house.phone("101")
    async with house.esl() as esl:
        talk, uuid = await offerless(esl, phone)
        ok = await phone.final("INVITE")
        phone.send(phone.ack(talk.invite, ok))
        await phone.get("BYE", 5)
        await esl.find("CHANNEL_HANGUP_COMPLETE", uuid)


async def test_a_callee_who_ends_the_early_dialog(house: House) -> None:
    phone = await house.phone("102", register=True)
    async with house.esl() as esl:
        await esl.bgapi("originate {origination_uuid=early}user/102@t1.test &park")
        call = await phone.incoming()
        call.ring()
        await esl.event("CHANNEL_PROGRESS")
        await call.hang_up()
        await phone.get("CANCEL")
        await esl.find("CHANNEL_HANGUP_COMPLETE", "early")


async def test_our_bye_reaches_a_peer_whose_contact_nobody_knows(house: House) -> None:
    phone = await house.phone("101")
    phone.contact_override = "sip:101@sbc-7qx.invalid-name"
    async with house.esl() as esl:
        _, uuid = await parked(esl, phone)
        await esl.api(f"uuid_kill {uuid}")
        await phone.get("BYE", 5)


async def test_a_stream_that_is_switched_off(house: House) -> None:
    """RFC 3264 §8.2: port 0 is answered with port 0, and the call goes on; it can be switched on again."""
    phone = await house.phone("101")
    async with house.esl() as esl:
        talk, uuid = await parked(esl, phone)
        port = phone.rtp.getsockname()[1]
        talk.request("INVITE", body=phone.sdp("sendrecv", 4).replace(f"m=audio {port}", "m=audio 0"))
        off = await phone.final("INVITE")
        assert off.code == 200
        assert "m=audio 0 " in off.body
        talk.request_ack(off)
        talk.request("INVITE", body=phone.sdp("sendrecv", 5))
        on = await phone.final("INVITE")
        assert "m=audio 0 " not in on.body
        talk.request_ack(on)
        await esl.api(f"uuid_broadcast {uuid} tone_stream://%(2000,0,620)")
        await phone.hears(620)


async def test_an_invite_and_its_cancel_in_one_burst(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """The CANCEL is there before the password has been looked at."""
    phone = await house.phone("101")
    for _ in range(5):
        uri = f"sip:700@{phone.domain}"
        first = phone.request("INVITE", uri, body=phone.sdp())
        phone.send(first)
        challenge = await phone.final("INVITE")
        phone.send(phone.ack(first, challenge))
        name, value = phone.credentials(challenge, "INVITE", uri)
        signed = phone.again(first, CSeq="2 INVITE", **{name: value})
        sent = parse(signed)
        branch = sent.get("Via").partition("branch=")[2]
        ids = {"to": sent.get("To"), "from_": sent.get("From"), "call_id": sent.get("Call-ID"), "cseq": 2, "branch": branch}
        phone.send(signed)
        phone.send(phone.request("CANCEL", sent.uri, **ids))
        refused = await phone.final("INVITE")
        assert refused.code == 487
        phone.send(phone.ack(signed, refused))
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
