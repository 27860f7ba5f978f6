# SPDX-License-Identifier: Apache-2.0
"""Finding the transaction of a repeated request and of a response with 5,000 open against 50. `python -m benchmarks.sip_lookup`."""

import argparse
import asyncio
import json
from typing import Any

from benchmarks.routing import per_call_us
from engine.embedded.sip.contract import Timers
from engine.embedded.sip.flow import UdpFlow
from engine.embedded.sip.message import Request, Response, parse
from engine.embedded.sip.transactions import TransactionLayer

GOAL = 2.0
HEADERS = [("From", "<sip:a@b>;tag=1"), ("To", "<sip:x>"), ("Call-ID", "c"), ("CSeq", "1 OPTIONS")]


class Side:
    """A listener that sends nowhere."""

    name, port, bound_host, max_connections, silence = "trunk", 5080, "127.0.0.1", 0, 8.0

    def __init__(self) -> None:
        self.connections: dict[Any, Any] = {}

    def own_host(self, peer: str) -> str:
        return self.bound_host

    def send_datagram(self, data: bytes, remote: Any) -> bool:
        return True

    def receive(self, data: bytes, flow: Any) -> None: ...

    def closed(self, flow: Any) -> None: ...


def invite(number: int) -> Request:
    found = parse(
        f"INVITE sip:1@d SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK{number:08}\r\nFrom: <sip:a@b>;tag={number:08}\r\n"
        f"To: <sip:1@d>\r\nCall-ID: c{number:08}\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\n\r\n".encode()
    )
    assert isinstance(found, Request)
    return found


def with_open(count: int) -> tuple[TransactionLayer, Request, Response]:
    """A layer with this many server and client transactions, a request and a response of one in the middle."""
    layer = TransactionLayer(Timers())
    flow = UdpFlow(Side(), ("127.0.0.1", 9))
    for number in range(count):
        layer.serve(invite(number), flow)
    clients = [layer.request("OPTIONS", "sip:x", HEADERS, b"", flow, lambda r: None, lambda c: None) for _ in range(count)]
    text = f"SIP/2.0 180 x\r\nVia: SIP/2.0/UDP h;branch={clients[count // 2].branch}\r\n"
    text += "".join(f"{name}: {value}\r\n" for name, value in HEADERS) + "\r\n"
    response = parse(text.encode())
    assert isinstance(response, Response)
    return layer, invite(count // 2), response


async def measured(quick: bool) -> dict[str, float]:
    layers = {count: with_open(count) for count in (50, 5_000)}
    works = {}
    for count, (layer, request, response) in layers.items():

        def look(layer: TransactionLayer = layer, request: Request = request, response: Response = response) -> None:
            assert layer.find_server(request) is not None
            assert layer.response(response)

        works[str(count)] = look
    found = per_call_us(works, 0.3 if quick else 1.5)
    for layer, _, _ in layers.values():
        layer.close()
    return found


def run(quick: bool) -> dict[str, Any]:
    """Keys: us {"50", "5000"}, ratio, goal, reached."""
    us = asyncio.run(measured(quick))
    ratio = round(us["5000"] / us["50"], 2)
    return {"us": us, "ratio": ratio, "goal": GOAL, "reached": ratio <= GOAL}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    print(json.dumps(run(parser.parse_args().quick), indent=2))
