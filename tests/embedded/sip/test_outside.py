# SPDX-License-Identifier: Apache-2.0
"""Requests outside calls, and requests that are wrong in themselves: each gets its right answer and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from tests.embedded.sip.conftest import Switch
from tests.embedded.sip.phone import SDP, Phone

MakePhone = Callable[..., Awaitable[Phone]]


@pytest.mark.parametrize(
    ("method", "code"),
    [("OPTIONS", 200), ("SUBSCRIBE", 489), ("PUBLISH", 489), ("MESSAGE", 405), ("REFER", 405), ("BYE", 481), ("INFO", 481),
     ("PRACK", 481), ("UPDATE", 481), ("NOTIFY", 481), ("REGISTER", 405), ("FOO", 501)],
)  # fmt: skip
async def test_outside_a_call(switch: Switch, phone: MakePhone, method: str, code: int) -> None:
    a = await phone()
    raw = a.request(method)
    a.send(raw)
    first = await a.get(code)
    a.send(raw)
    assert (await a.get(code)).raw == first.raw
    assert first.tag("To")
    if code in (200, 405):
        assert "INVITE" in first.get("Allow")
        assert "PRACK" not in first.get("Allow")
    assert switch.core.all("outside")[0] == (method, code)
    assert switch.agent.stack.transactions.servers == {}


async def test_too_many_hops(switch: Switch, phone: MakePhone) -> None:
    a = await phone()
    a.send(a.request("INVITE", body=SDP).replace(b"Max-Forwards: 70", b"Max-Forwards: 0"))
    await a.get(483)
    assert switch.core.calls == []


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("CSeq: 1 INVITE", "CSeq: 1 BYE", 400),
        ("CSeq: 1 INVITE", "CSeq: x INVITE", 400),
        ("CSeq: 1 INVITE", "CSeq: 99999999999 INVITE", 400),
        ("CSeq: 1 INVITE", "X: y", 400),
        ("From: <sip:101@t.test>", "From: <sip:101@t.test", 400),
        ("From: <sip:101@t.test>", 'From: "open <sip:101@t.test>', 400),
        ("To: <sip:200@t.test>", "To: <>", 400),
        ("To: <sip:200@t.test>", "To: <sip:200@t.test>\r\nTo: <sip:201@t.test>", 400),
        ("INVITE sip:200@t.test SIP/2.0", "INVITE http://x SIP/2.0", 416),
        ("INVITE sip:200@t.test SIP/2.0", "INVITE sip:200@t.test SIP/7.0", 505),
        ("INVITE sip:200@t.test SIP/2.0", "INVITE sip:200@t.test:0 SIP/2.0", 400),
        ("Content-Length: ", "Content-Length: 9", 400),
        ("Content-Length: ", "Content-Length: -", 400),
    ],
)
async def test_bad_requests(switch: Switch, phone: MakePhone, old: str, new: str, code: int) -> None:
    a = await phone()
    raw = a.request("INVITE", body=SDP)
    assert old.encode() in raw
    a.send(raw.replace(old.encode(), new.encode(), 1))
    await a.get(code)
    assert switch.core.calls == []
    assert switch.agent.stack.transactions.servers == {}


async def test_rubbish_is_counted_and_forgotten(switch: Switch, phone: MakePhone) -> None:
    a = await phone()
    for rubbish in (b"\r\n\r\n", b"\0" * 4, b"hello", b"\xff" * 900, b"SIP/2.0 200 OK\r\n\r\n", b"SIP/2.0 9999 x\r\n\r\n",
                    b"ACK sip:x SIP/2.0\r\n\r\n", b"INVITE sip:x SIP/2.0\r\n\r\n", b"\r\n" * 4000 + b"\r\n\r\n"):  # fmt: skip
        a.send(rubbish)
    a.send(a.request("OPTIONS"))
    await a.get(200)
    assert switch.agent.malformed >= 6
    assert switch.agent.stack.transactions.servers == {}


async def test_more_bytes_than_content_length_are_dropped(switch: Switch, phone: MakePhone) -> None:
    a = await phone()
    a.send(a.request("INVITE", body=SDP) + b"junk")
    call = await switch.core.wait("incoming")
    assert call.offer == SDP.encode()


async def test_answers_go_back_to_the_source(switch: Switch, phone: MakePhone) -> None:
    a = await phone(host="127.0.0.9")
    a.send(a.request("OPTIONS").replace(b"SIP/2.0/UDP 127.0.0.9", b"SIP/2.0/UDP 192.168.1.4").replace(b";rport", b""))
    ok = await a.get(200)
    assert f"received=127.0.0.9;rport={a.port}" in ok.get("Via")
    a.send(a.request("OPTIONS").replace(b";rport;", b";received=1.2.3.4;rport=9;"))
    via = (await a.get(200)).get("Via")
    assert via.count("received=") == via.count("rport=") == 1
    assert "127.0.0.9" in via
