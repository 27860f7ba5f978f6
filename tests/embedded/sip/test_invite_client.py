# SPDX-License-Identifier: Apache-2.0
"""Calls we make: repetition, giving up, forks, challenges, CANCEL and its crossings, routes (must-test 10)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from engine.embedded.sip.agent import CallState, Credentials, Hop, InviteTarget, SipCall
from tests.embedded.sip.conftest import Switch, until
from tests.embedded.sip.core import ANSWER, Events
from tests.embedded.sip.phone import SDP, Phone

MakePhone = Callable[..., Awaitable[Phone]]


def ring(switch: Switch, b: Phone, **more: Any) -> tuple[SipCall, Events]:
    events = Events()
    target = InviteTarget("trunk", f"sip:5@{b.host}:{b.port}", "200", **more)
    return switch.agent.invite(target, events, ANSWER), events


async def test_invite_is_repeated_and_given_up(switch: Switch, phone: MakePhone) -> None:
    b = await phone()
    call, events = ring(switch, b)
    ended = await events.wait("ended", within=6)
    assert (ended.code, ended.timed_out, ended.by_remote) == (408, True, False)
    invites = [m for m in b.seen if m.method == "INVITE"]
    assert len(invites) == 7  # at 0, 1, 3, 7, 15, 31, 63 T1
    assert len({m.raw for m in invites}) == 1
    assert call.state is CallState.ENDED
    assert switch.agent.stack.transactions.clients == {}


async def test_what_the_invite_says(switch: Switch, phone: MakePhone) -> None:
    b = await phone()
    ring(
        switch, b, from_display='Im "Büro"', from_domain="ромашка.test", to_uri="sip:74957776655@t.test", to_display="X",
        headers=(("P-Asserted-Identity", "<sip:1@t.test>"), ("Diversion", "<sip:2@t.test>\r\nEvil: 1")), max_forwards=33,
        contact_user="gw+one",
    )  # fmt: skip
    invite = await b.get("INVITE")
    assert invite.get("From").startswith('"Im \\"Büro\\"" <sip:200@ромашка.test>;tag=')
    assert invite.get("To") == '"X" <sip:74957776655@t.test>'
    assert invite.get("P-Asserted-Identity") == "<sip:1@t.test>"
    assert invite.get("Evil") == ""
    assert invite.get("Max-Forwards") == "33"
    assert invite.contact == f"sip:gw+one@127.0.0.1:{switch.trunk[1]}"
    assert "rport" in invite.get("Via")
    assert "100rel" not in invite.get("Supported") + invite.get("Require")
    assert "PRACK" not in invite.get("Allow")
    assert invite.body.encode() == ANSWER
    b.send(b.reply(invite, 404, tag="x"))


@pytest.mark.parametrize("code", [302, 404, 486, 503, 603])
async def test_every_failure_is_acknowledged(switch: Switch, phone: MakePhone, code: int) -> None:
    b = await phone()
    _, events = ring(switch, b)
    invite = await b.get("INVITE")
    refusal = b.reply(invite, code, tag="no", extra=[("Reason", "Q.850;cause=17"), ("Contact", "<sip:9@x.test>")])
    b.send(refusal)
    ack = await b.get("ACK")
    assert ack.get("Via") == invite.get("Via")
    assert ack.get("To").endswith(";tag=no")
    assert ack.cseq == (1, "ACK")
    b.send(refusal)  # our ACK was lost
    assert (await b.get("ACK")).raw == ack.raw
    ended = await events.wait("ended")
    assert (ended.code, ended.by_remote, ended.q850) == (code, True, 17)
    assert ended.response.contact_uri() == "sip:9@x.test"
    assert len(events.all("ended")) == 1


async def test_contact_and_record_route_of_the_200_are_used(switch: Switch, phone: MakePhone) -> None:
    b, proxy, other = await phone(), await phone(host="127.0.0.4"), await phone(host="127.0.0.5")
    call, _ = ring(switch, b)
    invite = await b.get("INVITE")
    routes = [("Record-Route", "<sip:10.1.1.1;lr>"), ("Record-Route", f"<sip:{proxy.host}:{proxy.port};lr>")]
    b.send(b.reply(invite, 200, tag="t", body=SDP, extra=routes, contact=f"sip:real@{other.host}:{other.port}"))
    ack = await proxy.get("ACK")
    assert ack.uri == f"sip:real@{other.host}:{other.port}"
    assert ack.all("Route") == [f"<sip:{proxy.host}:{proxy.port};lr>", "<sip:10.1.1.1;lr>"]
    call.hangup()
    bye = await proxy.get("BYE")
    assert bye.uri == ack.uri
    proxy.send(proxy.reply(bye, 200))

    call, _ = ring(switch, b)
    invite = await b.get("INVITE")
    b.send(b.reply(invite, 200, tag="t", body=SDP, contact=f"sip:real@{other.host}:{other.port}"))
    await other.get("ACK")
    call.hangup()
    bye = await other.get("BYE")
    other.send(other.reply(bye, 200))
    await until(lambda: not switch.agent.stack.dialogs)


async def test_forked_answers(switch: Switch, phone: MakePhone) -> None:
    b = await phone()
    call, events = ring(switch, b)
    invite = await b.get("INVITE")
    for tag in ("one", "two", "three"):
        b.send(b.reply(invite, 180, tag=tag))
    await events.wait("ringing", 3)
    second = b.reply(invite, 200, tag="two", body=SDP)
    b.send(second)
    assert (await b.get("ACK")).tag("To") == "two"
    b.send(second)
    assert (await b.get("ACK")).tag("To") == "two"
    surplus = b.reply(invite, 200, tag="three", body=SDP)
    b.send(surplus)
    assert (await b.get("ACK")).tag("To") == "three"
    bye = await b.get("BYE")
    assert bye.tag("To") == "three"
    b.send(b.reply(bye, 200))
    b.send(surplus)
    assert (await b.get("ACK")).tag("To") == "three"
    await b.silence(0.2, "BYE")
    assert len(events.all("answered")) == 1
    assert call.remote_tag == "two"
    assert len(switch.agent.stack.dialogs) == 1
    assert switch.agent.find_dialog(call.call_id, call.local_tag, "two") is call


async def test_early_media_then_another_fork_answers(switch: Switch, phone: MakePhone) -> None:
    b = await phone()
    _, events = ring(switch, b)
    invite = await b.get("INVITE")
    b.send(b.reply(invite, 100))
    b.send(b.reply(invite, 183, tag="one", body=SDP))
    assert await events.wait("early_media") == SDP.encode()
    assert events.all("ringing") == []
    b.send(b.callee_request("UPDATE", invite, "one"))
    await b.get(200, method="UPDATE")
    b.send(b.reply(invite, 200, tag="two", body=SDP))
    await events.wait("answered")
    await b.get("ACK")
    b.send(b.callee_request("UPDATE", invite, "one", cseq=101))
    await b.get(481)


async def test_cancel_waits_for_a_provisional_answer(switch: Switch, phone: MakePhone) -> None:
    b = await phone()
    call, events = ring(switch, b)
    invite = await b.get("INVITE")
    call.hangup(sip_reason=200)
    ended = await events.wait("ended")
    assert (ended.code, ended.by_remote) == (487, False)
    await b.silence(0.1, "CANCEL")
    b.send(b.reply(invite, 100))
    cancel = await b.get("CANCEL")
    assert cancel.get("Via") == invite.get("Via")
    assert cancel.cseq == (1, "CANCEL")
    assert cancel.uri == invite.uri
    assert cancel.get("Reason") == 'SIP;cause=200;text="Call completed elsewhere"'
    b.send(b.reply(cancel, 200))
    b.send(b.reply(invite, 487, tag="x"))
    await b.get("ACK")
    await b.silence(0.2, "CANCEL")
    assert len(events.all("ended")) == 1


async def test_a_200_that_crosses_our_cancel(switch: Switch, phone: MakePhone) -> None:
    b = await phone()
    call, events = ring(switch, b)
    invite = await b.get("INVITE")
    b.send(b.reply(invite, 180, tag="t"))
    await events.wait("ringing")
    call.hangup(q850=16)
    cancel = await b.get("CANCEL")
    b.send(b.reply(invite, 200, tag="t", body=SDP))
    assert (await b.get("ACK")).tag("To") == "t"
    bye = await b.get("BYE")
    b.send(b.reply(cancel, 200))
    b.send(b.reply(bye, 200))
    assert events.all("answered") == []
    await until(lambda: not switch.agent.stack.dialogs)
    assert len(events.all("ended")) == 1


async def test_a_cancelled_invite_nobody_ends(switch: Switch, phone: MakePhone) -> None:
    b = await phone()
    call, events = ring(switch, b)
    invite = await b.get("INVITE")
    b.send(b.reply(invite, 180, tag="t"))
    await events.wait("ringing")
    call.hangup()
    await b.get("CANCEL")
    await until(lambda: not switch.agent.stack.transactions.clients)
    assert switch.agent.stack.dialogs == {}


async def test_answer_without_contact_or_sdp(switch: Switch, phone: MakePhone) -> None:
    b = await phone()
    call, events = ring(switch, b)
    invite = await b.get("INVITE")
    b.send(b.reply(invite, 200, tag="t").replace(f"Contact: <{b.contact}>\r\n".encode(), b""))
    await b.get("ACK")
    assert await events.wait("answered") == b""
    call.hangup()
    bye = await b.get("BYE")
    b.send(b.reply(bye, 200))


@pytest.mark.parametrize("code", [401, 407])
async def test_digest_towards_a_provider(switch: Switch, phone: MakePhone, code: int) -> None:
    b = await phone()
    _, events = ring(switch, b, credentials=Credentials("u", "p"))
    invite = await b.get("INVITE")
    name = "WWW-Authenticate" if code == 401 else "Proxy-Authenticate"
    answer_name = "Authorization" if code == 401 else "Proxy-Authorization"
    challenges = [
        (name, 'Digest realm="r, \\"q\\"", nonce="n1", algorithm=SHA-256, qop="auth"'),
        (name, 'Digest realm="r, \\"q\\"", nonce="n1", opaque="o", qop="auth-int,auth", algorithm=MD5'),
    ]
    b.send(b.reply(invite, code, tag="x", extra=challenges))
    await b.get("ACK")
    second = await b.get("INVITE")
    assert second.cseq[0] == 2
    assert second.tag("From") == invite.tag("From")
    assert second.get("Call-ID") == invite.get("Call-ID")
    assert second.get("Via") != invite.get("Via")
    value = second.get(answer_name)
    assert 'username="u"' in value
    assert 'opaque="o"' in value
    assert "qop=auth," in value
    if code == 407:
        b.send(b.reply(second, 200, tag="y", body=SDP))
        assert (await b.get("ACK")).get(answer_name) == value
        await events.wait("answered")
        return
    b.send(b.reply(second, code, tag="x", extra=challenges))  # wrong password
    await b.get("ACK")
    assert (await events.wait("ended")).code == code
    await b.silence(0.2, "INVITE")


async def test_a_challenged_bye_is_repeated_with_credentials(switch: Switch, phone: MakePhone) -> None:
    b = await phone()
    call, _ = ring(switch, b, credentials=Credentials("u", "p"))
    invite = await b.get("INVITE")
    b.send(b.reply(invite, 200, tag="t", body=SDP))
    await b.get("ACK")
    call.hangup()
    bye = await b.get("BYE")
    b.send(b.reply(bye, 407, extra=[("Proxy-Authenticate", 'Digest realm="r", nonce="n"')]))
    again = await b.get("BYE")
    assert "Digest" in again.get("Proxy-Authorization")
    assert again.cseq[0] == bye.cseq[0] + 1
    b.send(b.reply(again, 200))
    await until(lambda: not switch.agent.stack.dialogs)


async def test_next_hop_route_and_names(switch: Switch, phone: MakePhone) -> None:
    b = await phone()
    events = Events()
    target = InviteTarget("trunk", "sip:7495@provider.test", "200", hop=Hop(b.host, b.port), route=("<sip:edge;lr>",))
    switch.agent.invite(target, events, ANSWER)
    invite = await b.get("INVITE")
    assert invite.uri == "sip:7495@provider.test"
    assert invite.all("Route") == ["<sip:edge;lr>"]
    b.send(b.reply(invite, 486, tag="x"))
    await b.get("ACK")
    call = switch.agent.invite(InviteTarget("trunk", f"sip:7@localhost:{b.port}", "200"), events, ANSWER)
    invite = await b.get("INVITE")
    b.send(b.reply(invite, 486, tag="x"))
    await b.get("ACK")
    assert call.state is CallState.ENDED


@pytest.mark.parametrize("uri", ["sip:1@nowhere.invalid", "tel:+7495", "sips:1@127.0.0.1", "nonsense", "sip:1@[::1]:5060"])
async def test_targets_nobody_can_reach_end_the_call(switch: Switch, uri: str) -> None:
    events = Events()
    call = switch.agent.invite(InviteTarget("trunk", uri, "200"), events, ANSWER)
    ended = await events.wait("ended", within=6)
    assert ended.code in (404, 408, 480, 503)
    assert call.state is CallState.ENDED
    call.hangup()


async def test_hangup_while_the_name_is_being_resolved(switch: Switch, phone: MakePhone) -> None:
    b = await phone()
    events = Events()
    call = switch.agent.invite(InviteTarget("trunk", f"sip:1@localhost:{b.port}", "200"), events, ANSWER)
    call.hangup()
    await events.wait("ended")
    await b.silence(0.3, "INVITE")


async def test_an_offerless_call_of_ours_is_sent_without_a_body(switch: Switch, phone: MakePhone) -> None:
    b = await phone()
    events = Events()
    switch.agent.invite(InviteTarget("trunk", f"sip:1@{b.host}:{b.port}", "200"), events, b"")
    invite = await b.get("INVITE")
    assert invite.body == ""
    assert invite.get("Content-Type") == ""
    b.send(b.reply(invite, 486, tag="x"))
    await b.get("ACK")
