# SPDX-License-Identifier: Apache-2.0
"""No datagram raises, logs an error, or leaves memory behind (must-test 14): generated and mutated ones, seeds printed."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.embedded.sip.agent import Agent, InviteTarget, Listener
from engine.embedded.sip.flow import UdpFlow
from engine.embedded.sip.framing import Framer, FramingError
from engine.embedded.sip.message import parse
from engine.embedded.sip.syntax import MalformedMessage
from tests.embedded.sip.conftest import FAST, Switch
from tests.embedded.sip.core import ANSWER, Core, Events
from tests.embedded.sip.phone import SDP, Phone

MakePhone = Callable[..., Awaitable[Phone]]
SEEDS = [1, 2, 3, 20261122]
PER_SEED = 2500
TOKENS = [
    b"\r\n", b"\r\n ", b"\0", b"\xff\xfe", b'"', b"<", b">", b";", b",", b":", b"@", b"%", b"%00", b"=", b"(", b"\\", b"sip:", b"tel:",
    b"-1", b"0", b"99999999999999999999", "٣".encode(), b"[::1", b"SIP/2.0", b"SIP/9.9", b";tag=", b";branch=", b";rport", b"*",
    b"Content-Length: 70000\r\n", b"l: 0\r\n", b"Via: \r\n", b"Route: <sip:127.0.0.1;lr>\r\n", b"Require: x\r\n",
    b"Replaces: a;to-tag=b;from-tag=c\r\n", b"multipart/mixed", b"application/dtmf-relay", b"A" * 3000, b"{",
    b"REGISTER", b"CANCEL", b"ACK", b"BYE", b"UPDATE", b"REFER", b"\r\n\r\n",
]  # fmt: skip


def mutated(rng: random.Random, data: bytes) -> bytes:
    for _ in range(rng.randint(1, 5)):
        position = rng.randrange(len(data) + 1)
        match rng.randrange(7):
            case 0:
                data = data[:position] + rng.choice(TOKENS) + data[position:]
            case 1:
                data = data[:position] + data[position + rng.randint(1, 30) :]
            case 2:
                data = data[:position] + rng.randbytes(rng.randint(1, 8)) + data[position + 1 :]
            case 3:
                end = position + rng.randint(1, 60)
                data = data[:end] + data[position:end] + data[end:]
            case 4:
                data = data[:position]
            case 5:
                lines = data.split(b"\r\n")
                rng.shuffle(lines)
                data = b"\r\n".join(lines)
            case _:
                data = data.replace(rng.choice([b"INVITE", b"sip:", b"z9hG4bK", b"t.test", b"1"]), rng.choice(TOKENS), rng.randint(1, 2))
        if not data:
            return b"x"
    return data


async def talking(switch: Switch, a: Phone, b: Phone) -> tuple[list[bytes], Events, Events]:
    """Two living calls, and a good message of every sort that belongs to them or to none."""
    invite = a.request("INVITE", body=SDP)
    a.send(invite)
    call = await switch.core.wait("incoming")
    call.answer(ANSWER)
    ok = await a.get(200)
    ack = a.ack(invite, ok)
    a.send(ack)
    inbound = switch.core.calls[0][1]
    await inbound.wait("acked")
    outbound = Events()
    switch.agent.invite(InviteTarget("trunk", f"sip:5@{b.host}:{b.port}", "200"), outbound, ANSWER)
    received = await b.get("INVITE")
    answer = b.reply(received, 200, tag="b", body=SDP, extra=[("Record-Route", f"<sip:{b.host}:{b.port};lr>")])
    b.send(answer)
    await outbound.wait("answered")
    refer = [("Refer-To", "<sip:555@t.test?Replaces=abc%40x%3Bto-tag%3Dt1%3Bfrom-tag%3Df1>")]
    samples = [
        invite, ack, answer, b.reply(received, 183, tag="b", body=SDP), b.reply(received, 401, tag="c"),
        a.in_dialog("INVITE", invite, ok, body=SDP), a.in_dialog("UPDATE", invite, ok, cseq=3),
        a.in_dialog("INFO", invite, ok, cseq=4, body="Signal=1\r\n", extra=[("Content-Type", "application/dtmf-relay")]),
        a.in_dialog("REFER", invite, ok, cseq=5, extra=refer), a.request("REGISTER", "sip:t.test"), a.request("OPTIONS"),
        a.request("CANCEL"), a.request("SUBSCRIBE"), a.request("NOTIFY"), a.in_dialog("OPTIONS", invite, ok, cseq=6),
        a.request("INVITE", body=SDP, extra=[("Replaces", "a;to-tag=b;from-tag=c"), ("Session-Expires", "90"), ("Supported", "timer")]),
    ]  # fmt: skip
    digest = (
        'Digest username="101", realm="t.test", nonce="1.a.b", uri="sip:t.test", response="0", qop=auth, nc=00000001, cnonce="x"'
    )
    samples.append(a.request("REGISTER", "sip:t.test", extra=[("Authorization", digest), ("Expires", "60")]))
    return samples, inbound, outbound


async def answers(a: Phone) -> None:
    """The switch answers a good request; asked again as long as the phone's own buffer is full of earlier answers."""
    async with asyncio.timeout(10):
        while not any(m.get("Call-ID") == "the-end" for m in a.seen):
            a.send(a.request("OPTIONS", call_id="the-end"))
            try:
                await a.get(200, 0.3)
            except TimeoutError:
                continue


@pytest.mark.parametrize("seed", SEEDS)
async def test_mutated_datagrams(switch: Switch, phone: MakePhone, seed: int, caplog: pytest.LogCaptureFixture) -> None:
    print(f"seed {seed}")
    a, b = await phone(), await phone()
    samples, inbound, outbound = await talking(switch, a, b)
    problems: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: problems.append(context))
    switch.core.on_call = lambda call: call.reject(404)
    rng = random.Random(seed)
    listeners = switch.agent.stack.transports.listeners
    for number in range(PER_SEED):
        listener = listeners[rng.choice(["internal", "trunk"])]
        data = mutated(rng, rng.choice(samples))
        flow = UdpFlow(listener, (a.host, a.port))
        switch.agent._received(data, flow)  # nothing may come out of this
        if number % 200 == 0:
            await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert problems == []
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == []
    await answers(a)
    layer = switch.agent.stack.transactions
    assert len(layer.servers) < PER_SEED / 2
    assert inbound.all("ended") == [] or all(e.by_remote for e in inbound.all("ended"))
    assert outbound.all("ended") == [] or all(e.by_remote for e in outbound.all("ended"))


async def test_mutated_datagrams_through_the_socket(switch: Switch, phone: MakePhone, caplog: pytest.LogCaptureFixture) -> None:
    """The same through UDP, in bursts, until a good request is answered within a second."""
    a, b = await phone(), await phone()
    samples, _, _ = await talking(switch, a, b)
    switch.core.on_call = lambda call: call.reject(404)
    rng = random.Random(7)
    for number in range(3000):
        a.send(mutated(rng, rng.choice(samples)), rng.choice([switch.internal, switch.trunk]))
        if number % 50 == 0:
            await asyncio.sleep(0)
    await answers(a)
    c = await phone(internal=True)
    assert (await c.register()).code == 200
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == []


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.sampled_from(["INVITE sip:u@d SIP/2.0", "SIP/2.0 200 OK", "REGISTER sip:d SIP/2.0", "REFER sip:u@d SIP/2.0"])
    | st.text(max_size=40),
    headers=st.lists(
        st.tuples(
            st.sampled_from(["Via", "From", "To", "Call-ID", "CSeq", "Contact", "Route", "Expires", "Require", "Authorization", "l"])
            | st.text(max_size=10),
            st.sampled_from(["SIP/2.0/UDP h;branch=z9hG4bK1", "<sip:a@b>;tag=1", "1 INVITE", "c", "Digest x"]) | st.text(max_size=40),
        ),
        max_size=14,
    ),
    body=st.binary(max_size=60),
)
async def test_generated_datagrams(start: str, headers: list[tuple[str, str]], body: bytes) -> None:
    agent = Agent(Core(), options=FAST)
    await agent.listen(Listener("internal", "127.0.0.1", 0, tcp=False))
    await agent.listen(Listener("trunk", "127.0.0.1", 0, tcp=False))
    data = ("\r\n".join([start, *[f"{n}: {v}" for n, v in headers]]) + "\r\n\r\n").encode("utf-8", "replace") + body
    for listener in agent.stack.transports.listeners.values():
        agent._received(data, UdpFlow(listener, ("127.0.0.1", 9)))
    await agent.close()


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=400))
def test_arbitrary_bytes(data: bytes) -> None:
    for text in (data, data + b"\r\n\r\n", b"INVITE sip:x SIP/2.0\r\n" + data + b"\r\n\r\n"):
        try:
            parse(text).check()
        except MalformedMessage:
            pass
        try:
            Framer().feed(text)
        except FramingError:
            pass
