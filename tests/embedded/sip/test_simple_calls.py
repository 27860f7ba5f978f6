# SPDX-License-Identifier: Apache-2.0
"""The plain cases, whole way through: register, call in, call out, either side hangs up."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from engine.embedded.sip.agent import CallState, InviteTarget
from tests.embedded.sip.conftest import Switch
from tests.embedded.sip.core import ANSWER, Events
from tests.embedded.sip.phone import SDP, Phone

MakePhone = Callable[..., Awaitable[Phone]]


async def test_a_phone_registers_calls_and_hangs_up(switch: Switch, phone: MakePhone) -> None:
    a = await phone(internal=True)
    assert (await a.register()).code == 200
    binding = await switch.core.wait("registered")
    assert binding.aor == "101@t.test"
    assert binding.source == (a.host, a.port)

    invite = a.request("INVITE", body=SDP)
    a.send(invite)
    challenge = await a.get(407)
    a.send(a.ack(invite, challenge))
    name, value = a.credentials(challenge, "INVITE", "sip:200@t.test")
    invite = a.again(invite, CSeq="2 INVITE", **{name: value})
    a.send(invite)
    await a.get(100)
    call = await switch.core.wait("incoming")
    _, events = switch.core.calls[0]
    assert call.account == "acc-101"
    assert call.username == "101@t.test"
    assert call.offer == SDP.encode()
    call.ring()
    await a.get(180)
    call.answer(ANSWER)
    ok = await a.get(200)
    assert ok.body.encode() == ANSWER
    a.send(a.ack(invite, ok))
    await events.wait("acked")
    assert call.state is CallState.CONFIRMED
    a.send(a.in_dialog("BYE", invite, ok, cseq=3))
    await a.get(200, method="BYE")
    ended = await events.wait("ended")
    assert ended.by_remote
    assert ended.code is None
    assert switch.agent.stack.dialogs == {}


async def test_we_call_a_registered_phone_and_hang_up(switch: Switch, phone: MakePhone) -> None:
    b = await phone(internal=True)
    await b.register()
    events = Events()
    binding = switch.agent.bindings("101@T.TEST")[0]
    target = InviteTarget("internal", binding.contact, "200", "t.test", "Отдел «Продажи»", flow=binding)
    call = switch.agent.invite(target, events, ANSWER)
    invite = await b.get("INVITE")
    assert "Отдел «Продажи»" in invite.get("From")
    b.send(b.reply(invite, 180, tag="b1"))
    assert await events.wait("ringing") == 180
    b.send(b.reply(invite, 200, tag="b1", body=SDP))
    assert await events.wait("answered") == SDP.encode()
    ack = await b.get("ACK")
    assert ack.cseq == (1, "ACK")
    call.hangup(q850=16, reason_text="NORMAL_CLEARING")
    bye = await b.get("BYE")
    assert bye.get("Reason") == 'Q.850;cause=16;text="NORMAL_CLEARING"'
    b.send(b.reply(bye, 200))
    ended = await events.wait("ended")
    assert not ended.by_remote


async def test_the_callee_hangs_up(switch: Switch, phone: MakePhone) -> None:
    b = await phone()
    events = Events()
    switch.agent.invite(InviteTarget("trunk", f"sip:5@{b.host}:{b.port}", "200"), events, ANSWER)
    invite = await b.get("INVITE")
    b.send(b.reply(invite, 200, tag="b1", body=SDP))
    await b.get("ACK")
    b.send(b.callee_request("BYE", invite, "b1", extra=[("Reason", "Q.850;cause=16")]))
    await b.get(200, method="BYE")
    ended = await events.wait("ended")
    assert (ended.by_remote, ended.q850) == (True, 16)
