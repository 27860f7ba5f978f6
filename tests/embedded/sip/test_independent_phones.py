# SPDX-License-Identifier: Apache-2.0
"""The same things with phones we did not write: pjsua2 over UDP and TCP, sipp as callee."""

from __future__ import annotations

import asyncio
import shutil
import socket
from pathlib import Path

import pytest

from engine.embedded.sip.agent import Agent, Hop, InviteTarget, Listener
from engine.embedded.sip.sdp import Codec, answer, offer, parse_offer
from tests.embedded.sip.conftest import Switch, until
from tests.embedded.sip.core import Core, Events
from tests.phones.pjsua import PjsuaPhone

pytest.importorskip("pjsua2")

OFFER = offer("127.0.0.1", 30000, [Codec.PCMA, Codec.PCMU])


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_pjsua_registers_calls_and_is_called(switch: Switch, transport: str) -> None:
    async with PjsuaPhone("101", "t.test", switch.internal, password="secret", transport=transport, auto=None) as phone:
        await phone.registered()
        (binding,) = switch.agent.bindings("101@t.test")
        assert binding.transport == transport

        name = await phone.call("200")
        call = await switch.core.wait("incoming")
        events = switch.core.calls[0][1]
        assert call.account == "acc-101"
        assert call.transport == transport
        body, _ = answer(parse_offer(call.offer), "127.0.0.1", 30000, [Codec.PCMA, Codec.PCMU])
        call.ring()
        call.answer(body)
        await phone.talking(name)
        await events.wait("acked")
        call.reinvite(OFFER)
        await events.wait("media")
        phone.hangup(name)
        assert (await events.wait("ended", within=10)).by_remote

        told = Events()
        target = InviteTarget("internal", binding.contact, "200", "t.test", "Приёмная", flow=binding)
        made = switch.agent.invite(target, told, OFFER)
        ringing = await phone.incoming()
        phone.answer(ringing["call"], 180)
        await told.wait("ringing")
        phone.answer(ringing["call"], 200)
        assert b"m=audio" in await told.wait("answered")
        made.hangup(q850=16)
        await phone.wait("over", call=ringing["call"])

        told = Events()
        made = switch.agent.invite(target, told, OFFER)
        ringing = await phone.incoming()
        phone.answer(ringing["call"], 180)
        await told.wait("ringing")
        made.hangup(sip_reason=200)
        await phone.wait("over", call=ringing["call"])
        told = Events()
        switch.agent.invite(target, told, OFFER)
        phone.answer((await phone.incoming())["call"], 486)
        assert (await told.wait("ended", within=10)).code == 486
        phone.do("unregister")
        assert (await switch.core.wait("unregistered"))[1] == "unregistered"
    await until(lambda: not switch.agent.stack.dialogs)


@pytest.mark.skipif(shutil.which("sipp") is None, reason="needs sipp")
async def test_sipp_answers_fifty_calls(tmp_path: Path) -> None:
    agent = Agent(Core())  # with the real timers: sipp takes its time to start
    await agent.listen(Listener("trunk", "127.0.0.1", 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        "sipp", "-sn", "uas", "-i", "127.0.0.1", "-p", str(port), "-m", "50", "-nostdin", "-timeout", "30",
        cwd=tmp_path, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    calls = []
    for number in range(50):
        told = Events()
        target = InviteTarget("trunk", f"sip:{number}@127.0.0.1:{port}", "200", hop=Hop("127.0.0.1", port))
        calls.append((agent.invite(target, told, OFFER), told))
    for call, told in calls:
        await told.wait("answered", within=10)
        call.hangup(q850=16)
    assert await asyncio.wait_for(process.wait(), 30) == 0
    await until(lambda: not agent.stack.dialogs)
    await agent.close()
