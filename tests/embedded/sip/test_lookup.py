# SPDX-License-Identifier: Apache-2.0
"""Finding a transaction costs the same however many are open (must-test 9); counted in interpreter steps, not in time."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from engine.embedded.sip.agent import Agent, Listener
from engine.embedded.sip.flow import UdpFlow
from engine.embedded.sip.message import Response, parse
from tests.embedded.sip.conftest import FAST
from tests.embedded.sip.core import Core


class Quiet(UdpFlow):
    """Sends nowhere."""

    __slots__ = ()

    def send(self, data: bytes) -> bool:
        return True


def steps(work: Any) -> int:
    """Bytecode instructions and calls into C that `work` takes, those of key comparison (`__eq__` in Python) included."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


class Key(str):
    """Counts how often it is compared."""

    compared = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Key.compared += 1
        return str.__eq__(self, other)


def invite(number: int, method: str = "INVITE") -> bytes:
    return (
        f"{method} sip:1@d SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK{number}\r\nFrom: <sip:a@b>;tag={number}\r\n"
        f"To: <sip:1@d>\r\nCall-ID: c{number}\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\n\r\n"
    ).encode()


async def measured(open_ones: int) -> tuple[int, int, int]:
    """Steps of: a repeated INVITE, a response, and comparisons of keys."""
    agent = Agent(Core(), options=FAST)
    await agent.listen(Listener("trunk", "127.0.0.1", 0))
    layer = agent.stack.transactions
    flow = Quiet(agent.stack.transports.listeners["trunk"], ("127.0.0.1", 9))
    for number in range(open_ones):
        agent._received(invite(number), flow)
    clients = [
        layer.request("OPTIONS", "sip:x", [("From", "<sip:a@b>;tag=1"), ("To", "<sip:x>"), ("Call-ID", f"{n}"), ("CSeq", "1 OPTIONS")],
                      b"", flow, lambda r: None, lambda c: None)
        for n in range(open_ones)
    ]  # fmt: skip
    assert len(layer.servers) == len(layer.clients) == open_ones
    tables: list[dict[Any, Any]] = [layer.servers, layer.clients]
    for table in tables:
        for key, value in list(table.items()):
            del table[key]
            table[tuple(Key(part) for part in key)] = value
    middle = open_ones // 2
    repeated = invite(middle)
    branch = clients[middle].branch
    answer = parse(
        f"SIP/2.0 180 x\r\nVia: SIP/2.0/UDP h;branch={branch}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:x>\r\nCall-ID: 1\r\n"
        "CSeq: 1 OPTIONS\r\n\r\n".encode()
    )
    assert isinstance(answer, Response)
    agent._received(repeated, flow)  # warm caches
    Key.compared = 0
    found = (steps(lambda: agent._received(repeated, flow)), steps(lambda: layer.response(answer)), Key.compared)
    assert clients[middle].provisional
    await agent.close()
    return found


async def test_look_up_does_not_scan() -> None:
    few, many = await measured(50), await measured(5000)
    assert few[2] > 0
    assert few == many or all(m <= f * 1.1 for f, m in zip(few, many, strict=True)), (few, many)
