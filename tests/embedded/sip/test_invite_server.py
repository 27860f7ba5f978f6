# SPDX-License-Identifier: Apache-2.0
"""INVITEs that come to us: repetition, CANCEL, offerless, refusals until ACK, two dialogs with one Call-ID."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from engine.embedded.sip.agent import CallState, Refuse, SipCall
from tests.embedded.sip.conftest import Switch, until
from tests.embedded.sip.core import ANSWER
from tests.embedded.sip.phone import SDP, Phone

MakePhone = Callable[..., Awaitable[Phone]]


async def test_invite_repeated_before_and_after_the_answer_is_one_call(switch: Switch, phone: MakePhone) -> None:
    """Must-test 1."""
    a = await phone()
    invite = a.request("INVITE", body=SDP)
    for _ in range(3):
        a.send(invite)
        await a.get(100)
    call = await switch.core.wait("incoming")
    call.answer(ANSWER)
    first = await a.get(200)
    # the 200 is "lost": it comes again by itself, and for a repeated INVITE too
    second = await a.get(200)
    a.send(invite)
    third = await a.get(200)
    assert first.raw == second.raw == third.raw
    a.send(a.ack(invite, third))
    await switch.core.calls[0][1].wait("acked")
    await a.silence(0.3, 200)
    a.send(invite)  # a late copy after the ACK
    await a.silence(0.2, 100)
    assert len(switch.core.calls) == 1


async def test_no_ack_ends_the_call_with_bye(switch: Switch, phone: MakePhone) -> None:
    a = await phone()
    a.send(a.request("INVITE", body=SDP))
    call = await switch.core.wait("incoming")
    call.answer(ANSWER)
    _, events = switch.core.calls[0]
    ended = await events.wait("ended", within=6)
    assert ended.timed_out
    assert not ended.by_remote
    bye = await a.get("BYE")
    a.send(a.reply(bye, 200))
    assert len([m for m in a.seen if m.code == 200]) >= 5
    assert call.state is CallState.ENDED


async def test_cancel_after_the_200_changes_nothing(switch: Switch, phone: MakePhone) -> None:
    """Must-test 3."""
    a = await phone()
    invite = a.request("INVITE", body=SDP, branch="z9hG4bKsame", call_id="same", from_="<sip:1@x.test>;tag=1")
    a.send(invite)
    call = await switch.core.wait("incoming")
    call.answer(ANSWER)
    ok = await a.get(200)
    cancel = a.request("CANCEL", branch="z9hG4bKsame", call_id="same", from_="<sip:1@x.test>;tag=1")
    a.send(cancel)
    assert (await a.get(200, method="CANCEL")).cseq == (1, "CANCEL")
    a.send(a.ack(invite, ok))
    _, events = switch.core.calls[0]
    await events.wait("acked")
    await a.silence(0.2, 487)
    assert events.all("ended") == []
    assert call.state is CallState.CONFIRMED


async def test_cancel_before_the_answer(switch: Switch, phone: MakePhone) -> None:
    a = await phone()
    invite = a.request("INVITE", body=SDP, branch="z9hG4bKc", call_id="c", from_="<sip:1@x.test>;tag=1")
    a.send(invite)
    call = await switch.core.wait("incoming")
    call.ring()
    await a.get(180)
    reason = [("Reason", 'SIP;cause=200;text="Call completed elsewhere"')]
    a.send(a.request("CANCEL", branch="z9hG4bKc", call_id="c", from_="<sip:1@x.test>;tag=1", extra=reason))
    assert (await a.get(200, method="CANCEL")).tag("To")
    terminated = await a.get(487)
    a.send(a.ack(invite, terminated))
    ended = await switch.core.calls[0][1].wait("ended")
    assert (ended.code, ended.by_remote, ended.sip_cause) == (487, True, 200)
    call.answer(ANSWER)  # harmless
    await a.silence(0.2, 200)
    a.send(a.request("CANCEL", branch="z9hG4bKunknown"))
    await a.get(481)


async def test_unknown_required_extension(switch: Switch, phone: MakePhone) -> None:
    """Must-test 4."""
    a = await phone()
    a.send(a.request("INVITE", body=SDP, extra=[("Require", "foo, timer"), ("require", "bar")]))
    refusal = await a.get(420)
    assert refusal.get("Unsupported") == "bar, foo"
    assert switch.core.calls == []
    a.send(a.request("INVITE", body=SDP, extra=[("Require", "100rel")]))
    assert (await a.get(420)).get("Unsupported") == "100rel"


async def test_two_dialogs_with_one_call_id(switch: Switch, phone: MakePhone) -> None:
    """Must-test 5."""
    a = await phone()
    invites = [a.request("INVITE", body=SDP, call_id="both", from_=f"<sip:1@x.test>;tag={n}") for n in "12"]
    answers = []
    for number, invite in enumerate(invites, 1):
        a.send(invite)
        call = await switch.core.wait("incoming", number)
        call.answer(ANSWER)
        answers.append(await a.get(200))
        a.send(a.ack(invite, answers[-1]))
        await switch.core.calls[-1][1].wait("acked")
    assert answers[0].tag("To") != answers[1].tag("To")
    a.send(a.in_dialog("BYE", invites[0], answers[0]))
    await a.get(200, method="BYE")
    await switch.core.calls[0][1].wait("ended")
    assert switch.core.calls[1][0].state is CallState.CONFIRMED
    a.send(a.in_dialog("INFO", invites[1], answers[1]))
    await a.get(200, method="INFO")


async def test_offerless_invite(switch: Switch, phone: MakePhone) -> None:
    """Must-test 6."""
    a = await phone()
    invite = a.request("INVITE")
    a.send(invite)
    call = await switch.core.wait("incoming")
    assert call.offer is None
    call.answer(ANSWER)
    ok = await a.get(200)
    assert "m=audio" in ok.body
    _, events = switch.core.calls[0]
    assert events.all("media") == []
    a.send(a.ack(invite, ok, body=SDP))
    assert await events.wait("media") == SDP.encode()
    await events.wait("acked")


@pytest.mark.parametrize("code", [404, 486, 503, 603])
async def test_refusal_is_repeated_until_acknowledged(switch: Switch, phone: MakePhone, code: int) -> None:
    """Must-test 8."""
    a = await phone()
    switch.core.on_call = lambda call: Refuse(code, headers=(("Reason", "Q.850;cause=17"),))
    invite = a.request("INVITE", body=SDP)
    a.send(invite)
    first = await a.get(code)
    second = await a.get(code)
    a.send(invite)
    third = await a.get(code)
    assert first.raw == second.raw == third.raw
    assert first.get("Reason") == "Q.850;cause=17"
    a.send(a.ack(invite, first))
    await a.silence(0.3, code)
    assert len(switch.core.calls) == 1


async def test_refusals_are_forgotten_in_the_end(switch: Switch, phone: MakePhone) -> None:
    a = await phone()
    switch.core.on_call = lambda call: Refuse(404)
    a.send(a.request("INVITE", body=SDP))
    await a.get(404)
    layer = switch.agent.stack.transactions
    assert layer.unacked_refusals == 1
    await until(lambda: not layer.servers)
    assert len([m for m in a.seen if m.code == 404]) >= 5
    assert layer.unacked_refusals == 0
    assert switch.agent.stack.dialogs == {}


async def test_a_flood_of_refused_calls_keeps_nothing(switch: Switch, phone: MakePhone) -> None:
    a = await phone()
    switch.core.on_call = lambda call: Refuse(403)
    for number in range(400):
        a.send(a.request("INVITE", body=SDP))
        await switch.core.wait("incoming", number + 1)
    layer = switch.agent.stack.transactions
    assert len(layer.servers) <= 256
    assert switch.agent.stack.dialogs == {}


async def test_hangup_by_state(switch: Switch, phone: MakePhone) -> None:
    a = await phone()
    invite = a.request("INVITE", body=SDP)
    a.send(invite)
    ringing = await switch.core.wait("incoming")
    ringing.hangup(q850=17)
    busy = await a.get(486)
    assert busy.get("Reason") == "Q.850;cause=17"
    a.send(a.ack(invite, busy))
    ended = await switch.core.calls[0][1].wait("ended")
    assert (ended.code, ended.q850) == (486, 17)

    invite = a.request("INVITE", body=SDP)
    a.send(invite)
    answered = await switch.core.wait("incoming", 2)
    answered.answer(ANSWER)
    ok = await a.get(200)
    answered.hangup(q850=16)
    await switch.core.calls[1][1].wait("ended")
    await a.silence(0.1, "BYE")  # not before the ACK
    a.send(a.ack(invite, ok))
    bye = await a.get("BYE")
    a.send(a.reply(bye, 200))
    answered.hangup()
    answered.answer(ANSWER)
    answered.ring()
    answered.reject(404)
    answered.reinvite(ANSWER)
    await a.silence(0.2, "BYE")
    assert len(switch.core.calls[1][1].all("ended")) == 1


async def test_core_may_answer_inside_incoming(switch: Switch, phone: MakePhone) -> None:
    def at_once(call: SipCall) -> None:
        call.ring()
        call.progress(ANSWER)
        call.answer(ANSWER, headers=[("X-Call", "1\r\nEvil: yes")])

    switch.core.on_call = at_once
    a = await phone()
    invite = a.request("INVITE", body=SDP)
    a.send(invite)
    await a.get(180)
    assert (await a.get(183)).body
    ok = await a.get(200)
    assert ok.get("X-Call").startswith("1")
    assert ok.get("Evil") == ""
    a.send(a.ack(invite, ok))
    await switch.core.calls[0][1].wait("acked")


async def test_ringing_then_bye_of_the_caller_and_spiral(switch: Switch, phone: MakePhone) -> None:
    a = await phone()
    invite = a.request("INVITE", body=SDP)
    a.send(invite)
    call = await switch.core.wait("incoming")
    call.ring()
    ringing = await a.get(180)
    a.send(a.again(invite))  # the same INVITE by another way
    await a.get(482)
    a.send(a.in_dialog("BYE", invite, ringing))
    await a.get(200, method="BYE")
    terminated = await a.get(487)
    a.send(a.ack(invite, terminated))
    assert (await switch.core.calls[0][1].wait("ended")).by_remote


async def test_record_route_compact_forms_folding_and_several_vias(switch: Switch, phone: MakePhone) -> None:
    a = await phone()
    body = SDP
    invite = (
        f"INVITE sip:7495%31@t.test SIP/2.0\r\nv: {a.via('z9hG4bKtop')} ,\r\n SIP/2.0/UDP 10.9.9.9:5060;branch=z9hG4bKlow\r\n"
        f"VIA: SIP / 2.0 / UDP second.test ; branch=z9hG4bKthird\r\nMax-Forwards:70\r\n"
        f"f: \"Иван \\\"Ромашка\\\" Петров\"\r\n  <sip:1@x.test>\r\n\t;tag=abc\r\nT: sip:2@x.test\r\ni: weird@id\r\ncseq: 7\r\n INVITE\r\n"
        f"m: sip:1@{a.host}:{a.port}\r\nRecord-Route: <sip:{a.host}:{a.port};lr>, <sip:10.1.1.1;lr>\r\n"
        f"c: application/sdp\r\nl: {len(body)}\r\n\r\n{body}"
    )
    a.send(invite)
    call = await switch.core.wait("incoming")
    assert call.request.uri.user == "74951"
    assert call.request.from_.display == 'Иван "Ромашка" Петров'
    assert call.request.to.uri.user == "2"
    call.answer(ANSWER)
    ok = await a.get(200)
    assert [v.split(";")[0].split()[-1] for v in ok.all("Via")][1:] == ["10.9.9.9:5060", "second.test"]
    assert f"received={a.host}" in ok.all("Via")[0]
    assert f"rport={a.port}" in ok.all("Via")[0]
    assert ok.all("Record-Route") == [f"<sip:{a.host}:{a.port};lr>, <sip:10.1.1.1;lr>"]
    ack = (
        f"ACK {ok.contact} SIP/2.0\r\nVia: {a.via()}\r\nFrom: <sip:1@x.test>;tag=abc\r\nTo: {ok.get('To')}\r\n"
        "Call-ID: weird@id\r\nCSeq: 7 ACK\r\n\r\n"
    )
    a.send(ack)
    await switch.core.calls[0][1].wait("acked")
    call.hangup()
    bye = await a.get("BYE")
    assert bye.all("Route") == [f"<sip:{a.host}:{a.port};lr>", "<sip:10.1.1.1;lr>"]
    assert bye.uri == f"sip:1@{a.host}:{a.port}"
    a.send(a.reply(bye, 200))


async def test_strict_router(switch: Switch, phone: MakePhone) -> None:
    a = await phone()
    invite = a.request("INVITE", body=SDP, extra=[("Record-Route", f"<sip:old@{a.host}:{a.port}>")])
    a.send(invite)
    call = await switch.core.wait("incoming")
    call.answer(ANSWER)
    ok = await a.get(200)
    a.send(a.ack(invite, ok))
    await switch.core.calls[0][1].wait("acked")
    call.hangup()
    bye = await a.get("BYE")
    assert bye.uri == f"sip:old@{a.host}:{a.port}"
    assert bye.all("Route") == [f"<{a.contact}>"]
    a.send(a.reply(bye, 200))


async def test_tel_uri_and_multipart_body(switch: Switch, phone: MakePhone) -> None:
    a = await phone()
    body = (
        f"--b1\r\nContent-Type: application/sdp\r\n\r\n{SDP}\r\n--b1\r\nContent-Type: application/isup\r\n\r\nxyz\r\n--b1--\r\n"
    )
    kind = [("Content-Type", "multipart/mixed;boundary=b1")]
    a.send(a.request("INVITE", "tel:+7(495)123-45-67;phone-context=x.test", body=body, extra=kind))
    call = await switch.core.wait("incoming")
    assert call.request.uri.user == "+74951234567"
    assert call.offer == SDP.encode()
    a.send(a.request("INVITE", body="xyz", extra=[("Content-Type", "text/plain")]))
    await a.get(415)


async def test_an_rfc2543_caller_without_branch_cookie(switch: Switch, phone: MakePhone) -> None:
    a = await phone()
    invite = a.request("INVITE", body=SDP, branch="1")
    a.send(invite)
    a.send(invite)
    call = await switch.core.wait("incoming")
    call.reject(486)
    busy = await a.get(486)
    a.send(a.ack(invite, busy))
    await a.silence(0.3, 486)
    assert len(switch.core.calls) == 1


async def test_replaces(switch: Switch, phone: MakePhone) -> None:
    a = await phone()
    invite = a.request("INVITE", body=SDP, call_id="first", from_="<sip:1@x.test>;tag=ft")
    a.send(invite)
    first = await switch.core.wait("incoming")
    first.answer(ANSWER)
    ok = await a.get(200)
    a.send(a.ack(invite, ok))
    await switch.core.calls[0][1].wait("acked")
    assert switch.agent.find_dialog("first", ok.tag("To"), "ft") is first
    value = f"first;to-tag={ok.tag('To')};from-tag=ft"
    a.send(a.request("INVITE", body=SDP, extra=[("Replaces", value)]))
    second = await switch.core.wait("incoming", 2)
    assert second.replaces is first
    for wrong, code in (("first;to-tag=no;from-tag=ft", 481), ("first", 400), (f"{value};early-only", 486)):
        invite = a.request("INVITE", body=SDP, extra=[("Replaces", wrong)])
        a.send(invite)
        a.send(a.ack(invite, await a.get(code)))
    assert len(switch.core.calls) == 2
    early = f"{second.call_id};to-tag={second.local_tag};from-tag={second.remote_tag}"
    a.send(a.request("INVITE", body=SDP, extra=[("Replaces", early)]))  # ringing here: not ours to give away
    await a.get(481)
    assert switch.agent.find_dialog("first", "x", "y") is None


async def test_an_exception_in_the_core_gives_500(switch: Switch, phone: MakePhone, caplog: pytest.LogCaptureFixture) -> None:
    def broken(call: SipCall) -> None:
        raise RuntimeError("core bug")

    switch.core.on_call = broken
    a = await phone()
    invite = a.request("INVITE", body=SDP)
    a.send(invite)
    a.send(a.ack(invite, await a.get(500)))
    assert "core bug" in caplog.text
    caplog.clear()
    assert switch.agent.stack.dialogs == {}
