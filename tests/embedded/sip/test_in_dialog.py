# SPDX-License-Identifier: Apache-2.0
"""Requests inside a call: BYE, re-INVITE and UPDATE both ways, glare, INFO, REFER with NOTIFY, wrong order and unknown ones."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from engine.embedded.sip.agent import CallState, SipCall
from tests.embedded.sip.conftest import Switch, until
from tests.embedded.sip.core import ANSWER, Events
from tests.embedded.sip.phone import SDP, Msg, Phone

MakePhone = Callable[..., Awaitable[Phone]]
HOLD = SDP.replace("a=sendrecv", "a=sendonly")


class Talk:
    """A caller in an answered call."""

    def __init__(self, phone: Phone, invite: bytes, ok: Msg, call: SipCall, events: Events) -> None:
        self.phone, self.invite, self.ok, self.call, self.events = phone, invite, ok, call, events
        self.cseq = 1

    def send(self, method: str, **more: Any) -> bytes:
        self.cseq += 1
        raw = self.phone.in_dialog(method, self.invite, self.ok, cseq=self.cseq, **more)
        self.phone.send(raw)
        return raw


@pytest.fixture
async def talk(switch: Switch, phone: MakePhone) -> Talk:
    a = await phone()
    invite = a.request("INVITE", body=SDP)
    a.send(invite)
    call = await switch.core.wait("incoming")
    call.answer(ANSWER)
    ok = await a.get(200)
    a.send(a.ack(invite, ok))
    events = switch.core.calls[0][1]
    await events.wait("acked")
    return Talk(a, invite, ok, call, events)


async def test_bye_repeated_after_a_lost_200(talk: Talk) -> None:
    """Must-test 2."""
    bye = talk.send("BYE")
    first = await talk.phone.get(200, method="BYE")
    talk.phone.send(bye)
    assert (await talk.phone.get(200, method="BYE")).raw == first.raw
    assert len(talk.events.all("ended")) == 1
    talk.send("BYE")
    await talk.phone.get(481)


async def test_hold_and_resume(talk: Talk) -> None:
    a = talk.phone
    invite = talk.send("INVITE", body=HOLD)
    ok = await a.get(200)
    assert "a=recvonly" in ok.body
    a.send(invite)  # repeated: answered again, negotiated once
    assert (await a.get(200)).raw == ok.raw
    a.send(a.ack(invite, ok))
    await a.silence(0.2, 200)
    assert talk.events.all("offered") == [HOLD.encode()]
    invite = talk.send("INVITE")
    ok = await a.get(200)
    a.send(a.ack(invite, ok, body=SDP))
    assert await talk.events.wait("media") == SDP.encode()
    assert talk.events.all("offered")[1] is None


async def test_an_offer_nobody_understands_is_488_and_the_call_goes_on(talk: Talk) -> None:
    a = talk.phone
    bad = SDP.replace("RTP/AVP 8 0 101", "RTP/AVP 18 101")
    invite = talk.send("INVITE", body=bad)
    a.send(a.ack(invite, await a.get(488)))
    invite = talk.send("INVITE", body="nonsense")
    a.send(a.ack(invite, await a.get(488)))
    assert talk.call.state is CallState.CONFIRMED


async def test_update(talk: Talk) -> None:
    talk.send("UPDATE")
    assert (await talk.phone.get(200, method="UPDATE")).body == ""
    talk.send("UPDATE", body=HOLD)
    assert "a=recvonly" in (await talk.phone.get(200, method="UPDATE")).body
    talk.send("UPDATE", body="x", extra=[("Content-Type", "text/plain")])
    await talk.phone.get(415, method="UPDATE")


async def test_glare(talk: Talk) -> None:
    a = talk.phone
    talk.call.reinvite(ANSWER)
    ours = await a.get("INVITE")
    theirs = talk.send("INVITE", body=SDP)
    a.send(a.ack(theirs, await a.get(491)))
    a.send(a.reply(ours, 491))
    await a.get("ACK")
    again = await a.get("INVITE", within=3)
    assert again.cseq[0] == ours.cseq[0] + 1
    a.send(a.reply(again, 200, body=SDP))
    await a.get("ACK")
    assert await talk.events.wait("media") == SDP.encode()
    talk.call.reinvite(ANSWER)
    third = await a.get("INVITE")
    a.send(a.reply(third, 488))
    await a.get("ACK")
    assert talk.call.state is CallState.CONFIRMED


async def test_our_reinvite_repeats_its_ack_and_waits_for_its_turn(talk: Talk) -> None:
    a = talk.phone
    talk.call.reinvite(ANSWER)
    talk.call.reinvite(ANSWER + b"a=second\r\n")
    first = await a.get("INVITE")
    ok = a.reply(first, 200, body=SDP)
    a.send(ok)
    await a.get("ACK")
    a.send(ok)
    await a.get("ACK")
    second = await a.get("INVITE")
    assert "a=second" in second.body
    a.send(a.reply(second, 481))
    await a.get("ACK")
    ended = await talk.events.wait("ended")
    assert ended.by_remote


async def test_reinvite_may_move_the_peer(talk: Talk, phone: MakePhone) -> None:
    moved = await phone(host="127.0.0.3")
    invite = talk.send("INVITE", body=SDP, extra=[("Contact", f"<sip:1@{moved.host}:{moved.port}>")])
    talk.phone.send(talk.phone.ack(invite, await talk.phone.get(200)))
    talk.call.hangup()
    bye = await moved.get("BYE")
    moved.send(moved.reply(bye, 200))


async def test_a_second_reinvite_before_the_ack(talk: Talk) -> None:
    """The ACK to the first 200 may be lost: the newer negotiation is served all the same."""
    a = talk.phone
    talk.send("INVITE", body=SDP)
    await a.get(200)
    second = talk.send("INVITE", body=HOLD)
    async with asyncio.timeout(3):
        while (ok := await a.get(200)).cseq[0] != talk.cseq:
            pass
    a.send(a.ack(second, ok))
    assert talk.call.state is CallState.CONFIRMED


async def test_info(talk: Talk) -> None:
    kind = [("Content-Type", "application/dtmf-relay")]
    talk.send("INFO", body="Signal=5\r\nDuration=240\r\n", extra=kind)
    await talk.phone.get(200, method="INFO")
    talk.send("INFO", body="Signal=11\r\n", extra=kind)
    await talk.phone.get(200, method="INFO")
    talk.send("INFO", body="*", extra=[("Content-Type", "application/dtmf")])
    await talk.phone.get(200, method="INFO")
    talk.send("INFO", body="Signal=hf\r\n", extra=kind)
    await talk.phone.get(200, method="INFO")
    talk.send("INFO", body="<x/>", extra=[("Content-Type", "application/media_control+xml")])
    await talk.phone.get(415, method="INFO")
    talk.send("INFO")
    await talk.phone.get(200, method="INFO")
    assert talk.events.all("dtmf") == [("5", 240), ("#", 160), ("*", 160)]


async def test_refer_and_its_notifies(talk: Talk) -> None:
    a = talk.phone
    refer_to = "<sip:555@t.test?Replaces=abc%40x%3Bto-tag%3Dt1%3Bfrom-tag%3Df1>"
    talk.send("REFER", extra=[("Refer-To", refer_to), ("Referred-By", "<sip:101@t.test>")])
    refer = await talk.events.wait("refer")
    assert refer.target_uri == "sip:555@t.test"
    assert refer.target.user == "555"
    assert (refer.replaces.call_id, refer.replaces.to_tag, refer.replaces.from_tag) == ("abc@x", "t1", "f1")
    assert refer.referred_by == "<sip:101@t.test>"
    refer.accept()
    await a.get(202)
    notify = await a.get("NOTIFY")
    assert notify.body == "SIP/2.0 100 Trying\r\n"
    assert notify.get("Event") == f"refer;id={talk.cseq}"
    assert notify.get("Subscription-State").startswith("active")
    a.send(a.reply(notify, 200))
    talk.call.notify_refer(refer, 200, final=True)
    last = await a.get("NOTIFY")
    assert last.get("Subscription-State").startswith("terminated")
    assert last.get("Content-Type") == "message/sipfrag;version=2.0"
    a.send(a.reply(last, 200))
    talk.send("REFER", extra=[("Refer-To", "<sip:556@t.test>"), ("Refer-Sub", "false")])
    second = await talk.events.wait("refer", 2)
    assert second.replaces is None
    second.accept()
    assert (await a.get(202)).get("Refer-Sub") == "false"
    talk.call.notify_refer(second, 200, final=True)
    talk.send("REFER", extra=[("Refer-To", "<sip:557@t.test>")])
    (await talk.events.wait("refer", 3)).reject(603)
    await a.get(603)
    talk.send("REFER")
    await a.get(400)
    await a.silence(0.1, "NOTIFY")


async def test_wrong_order_unknown_dialog_and_unknown_methods(talk: Talk) -> None:
    a = talk.phone
    talk.cseq = 10
    talk.send("OPTIONS")
    await a.get(200, method="OPTIONS")
    talk.cseq = 4
    talk.send("INFO")
    await a.get(500)
    talk.cseq = 20
    for method, code in (("PRACK", 405), ("MESSAGE", 405), ("DANCE", 501), ("NOTIFY", 489)):
        talk.send(method)
        refusal = await a.get(code, method=method)
        if code != 489:
            assert "INVITE" in refusal.get("Allow")
    for method in ("BYE", "INVITE", "INFO", "REFER", "UPDATE", "NOTIFY", "OPTIONS"):
        a.send(a.request(method, to="<sip:x@t.test>;tag=nobody"))
        await a.get(481, method=method)
    assert talk.call.state is CallState.CONFIRMED


async def test_an_unwanted_notify_does_not_end_the_call(talk: Talk) -> None:
    a = talk.phone
    talk.send("REFER", extra=[("Refer-To", "<sip:555@t.test>")])
    (await talk.events.wait("refer")).accept()
    notify = await a.get("NOTIFY")
    a.send(a.reply(notify, 481))
    talk.send("INFO")
    await a.get(200, method="INFO")
    assert talk.call.state is CallState.CONFIRMED


async def test_a_new_nat_mapping_is_followed(talk: Talk, phone: MakePhone) -> None:
    """A NATed phone whose packets come from elsewhere since is sent to where it was seen last."""
    moved = await phone(host="127.0.0.6")
    talk.call.dialog.target = "sip:101@192.168.4.4"  # type: ignore[union-attr]
    moved.send(moved.in_dialog("INFO", talk.invite, talk.ok, cseq=9))
    await moved.get(200, method="INFO")
    talk.call.hangup()
    bye = await moved.get("BYE")
    moved.send(moved.reply(bye, 200))


async def test_bye_crossing_ours(talk: Talk) -> None:
    a = talk.phone
    talk.call.hangup()
    ours = await a.get("BYE")
    talk.send("BYE")
    await a.get(200, method="BYE")
    a.send(a.reply(ours, 200))
    await talk.events.wait("ended")
    assert len(talk.events.all("ended")) == 1


async def test_our_bye_is_repeated_and_given_up(talk: Talk, switch: Switch) -> None:
    a = talk.phone
    talk.call.hangup()
    for _ in range(4):
        await a.get("BYE")
    await until(lambda: not switch.agent.stack.dialogs)


async def test_session_timer_is_tolerated(switch: Switch, phone: MakePhone) -> None:
    a = await phone()
    timer = [("Supported", "timer"), ("Session-Expires", "90;refresher=uac"), ("Min-SE", "90")]
    invite = a.request("INVITE", body=SDP, extra=timer)
    a.send(invite)
    call = await switch.core.wait("incoming")
    call.answer(ANSWER)
    ok = await a.get(200)
    assert ok.get("Session-Expires") == "90;refresher=uac"
    assert ok.get("Require") == "timer"
    a.send(a.ack(invite, ok))
    await switch.core.calls[0][1].wait("acked")
    a.send(a.in_dialog("UPDATE", invite, ok, extra=timer))
    assert (await a.get(200, method="UPDATE")).get("Session-Expires") == "90;refresher=uac"
    invite = a.request("INVITE", body=SDP, extra=[("Supported", "timer"), ("Session-Expires", "90;refresher=uas")])
    a.send(invite)
    (await switch.core.wait("incoming", 2)).answer(ANSWER)
    assert (await a.get(200)).get("Session-Expires") == ""
