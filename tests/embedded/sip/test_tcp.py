# SPDX-License-Identifier: Apache-2.0
"""SIP over TCP: framing, keep-alives, registrations that live on their connection, broken connections, limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from engine.embedded.sip.agent import GatewayAccount, Hop, InviteTarget
from engine.embedded.sip.framing import MAX_HEAD, Framer, FramingError
from tests.embedded.sip.conftest import Switch, until
from tests.embedded.sip.core import ANSWER, Events, Gateway
from tests.embedded.sip.phone import SDP, Msg, Phone, parse


class TcpPhone(Phone):
    """The scripted phone on a connection (made by us, or accepted)."""

    async def open(self, host: str = "127.0.0.1") -> TcpPhone:
        reader, writer = await asyncio.open_connection(*self.server, local_addr=(host, 0))
        return self.use(reader, writer)

    def use(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> TcpPhone:
        self._writer = writer
        self.host, self.port = writer.get_extra_info("sockname")[:2]
        self.pongs = 0
        self.gone = asyncio.Event()
        self._task = asyncio.create_task(self._read(reader))
        return self

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                line = await reader.readuntil(b"\r\n")
                if line == b"\r\n":
                    self.pongs += 1
                    continue
                head = line + await reader.readuntil(b"\r\n\r\n")
                length = int(parse(head).get("Content-Length") or 0)
                self.datagram_received(head + await reader.readexactly(length), self.server)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.gone.set()

    def close(self) -> None:
        self._writer.transport.abort()
        self._task.cancel()

    def send(self, data: bytes | str, to: tuple[str, int] | None = None) -> None:
        self._writer.write(data.encode() if isinstance(data, str) else data)

    def via(self, branch: str = "") -> str:
        return super().via(branch).replace("/UDP", "/TCP")

    @property
    def contact(self) -> str:
        return self.contact_override or f"sip:{self.user}@{self.host}:{self.port};transport=tcp"


@pytest.fixture
async def tcp(switch: Switch) -> AsyncIterator[TcpPhone]:
    phone = await TcpPhone(switch.trunk).open()
    yield phone
    phone.close()


async def answered(switch: Switch, a: Phone) -> tuple[bytes, Msg]:
    invite = a.request("INVITE", body=SDP)
    a.send(invite)
    call = await switch.core.wait("incoming", len(switch.core.calls) + 1)
    call.answer(ANSWER)
    ok = await a.get(200)
    a.send(a.ack(invite, ok))
    await switch.core.calls[-1][1].wait("acked")
    return invite, ok


async def test_a_call_in_crumbs_and_in_lumps(switch: Switch, tcp: TcpPhone) -> None:
    invite = tcp.request("INVITE", body=SDP)
    for position in range(0, len(invite), 7):
        tcp.send(invite[position : position + 7])
        await asyncio.sleep(0)
    call = await switch.core.wait("incoming")
    assert call.transport == "tcp"
    call.answer(ANSWER)
    ok = await tcp.get(200)
    assert ";transport=tcp" in ok.contact
    tcp.send(tcp.ack(invite, ok) + b"\r\n\r\n" + tcp.in_dialog("INFO", invite, ok) + tcp.in_dialog("BYE", invite, ok, cseq=3))
    await tcp.get(200, method="INFO")
    await tcp.get(200, method="BYE")
    assert tcp.pongs == 1
    ended = await switch.core.calls[0][1].wait("ended")
    assert ended.by_remote


async def test_our_requests_use_the_connection(switch: Switch, tcp: TcpPhone) -> None:
    await answered(switch, tcp)
    switch.core.calls[0][0].hangup()
    bye = await tcp.get("BYE")
    assert bye.get("Via").startswith("SIP/2.0/TCP")
    tcp.send(tcp.reply(bye, 200))
    await until(lambda: not switch.agent.stack.dialogs)


async def test_lost_framing_closes_only_that_connection(switch: Switch, tcp: TcpPhone) -> None:
    other = await TcpPhone(switch.trunk).open()
    other.send(b"OPTIONS sip:x SIP/2.0\r\nContent-Length: bogus\r\n\r\n")
    await asyncio.wait_for(other.gone.wait(), 3)
    tcp.send(tcp.request("OPTIONS"))
    await tcp.get(200)
    other.close()


async def test_unreadable_message_within_good_framing(switch: Switch, tcp: TcpPhone) -> None:
    tcp.send(b"what is this\r\nContent-Length: 3\r\n\r\nabc" + tcp.request("OPTIONS"))
    await tcp.get(200)


async def test_registered_phone_is_called_on_its_connection(switch: Switch) -> None:
    phone = await TcpPhone(switch.internal).open()
    phone.contact_override = "sip:101@192.168.3.3:5060;transport=tcp"
    await phone.register()
    binding = switch.agent.bindings("101@t.test")[0]
    assert binding.transport == "tcp"
    events = Events()
    target = InviteTarget("internal", binding.contact, "200", flow=binding)
    switch.agent.invite(target, events, ANSWER)
    invite = await phone.get("INVITE")
    phone.send(phone.reply(invite, 200, tag="t", body=SDP))
    await phone.get("ACK")
    # its connection breaks: the phone behind a NAT can't be reached any more
    phone.close()
    _, reason = await switch.core.wait("unregistered")
    assert reason == "connection closed"
    assert switch.agent.bindings("101@t.test") == []
    events = Events()
    switch.agent.invite(target, events, ANSWER)
    assert (await events.wait("ended")).code == 480


async def test_a_phone_without_nat_is_connected_to(switch: Switch) -> None:
    accepted: asyncio.Queue[TcpPhone] = asyncio.Queue()
    server = await asyncio.start_server(
        lambda r, w: accepted.put_nowait(TcpPhone(switch.internal).use(r, w)), "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]
    phone = await TcpPhone(switch.internal).open()
    phone.contact_override = f"sip:101@127.0.0.1:{port};transport=tcp"
    await phone.register()
    binding = switch.agent.bindings("101@t.test")[0]
    phone.close()
    await until(lambda: not switch.agent.stack.transports.listeners["internal"].connections)
    events = Events()
    switch.agent.invite(InviteTarget("internal", binding.contact, "200", flow=binding), events, ANSWER)
    called = await asyncio.wait_for(accepted.get(), 3)
    invite = await called.get("INVITE")
    called.send(called.reply(invite, 486, tag="x"))
    await called.get("ACK")
    assert (await events.wait("ended")).code == 486
    called.close()
    server.close()


async def test_connection_refused_ends_the_call(switch: Switch) -> None:
    events = Events()
    hop = Hop("127.0.0.1", 1, "tcp")
    call = switch.agent.invite(InviteTarget("trunk", "sip:1@x.test", "200", hop=hop), events, ANSWER)
    assert (await events.wait("ended")).code == 503
    call.hangup()


async def test_connection_lost_during_an_invite(switch: Switch) -> None:
    accepted: asyncio.Queue[TcpPhone] = asyncio.Queue()
    server = await asyncio.start_server(lambda r, w: accepted.put_nowait(TcpPhone(switch.trunk).use(r, w)), "127.0.0.1", 0)
    hop = Hop("127.0.0.1", server.sockets[0].getsockname()[1], "tcp")
    events = Events()
    switch.agent.invite(InviteTarget("trunk", "sip:1@x.test", "200", hop=hop), events, ANSWER)
    peer = await asyncio.wait_for(accepted.get(), 3)
    await peer.get("INVITE")
    peer.close()
    assert (await events.wait("ended")).code == 503
    server.close()


async def test_a_gateway_over_tcp_registers_anew_after_a_break(switch: Switch) -> None:
    accepted: asyncio.Queue[TcpPhone] = asyncio.Queue()
    server = await asyncio.start_server(lambda r, w: accepted.put_nowait(TcpPhone(switch.trunk).use(r, w)), "127.0.0.1", 0)
    hop = Hop("127.0.0.1", server.sockets[0].getsockname()[1], "tcp")
    told = Gateway()
    registration = switch.agent.register(GatewayAccount("g", "trunk", "p.test", "u", "p", hop=hop, retry_seconds=0.2), told)
    for _ in range(2):
        peer = await asyncio.wait_for(accepted.get(), 3)
        request = await peer.get("REGISTER")
        assert ";transport=tcp" in request.contact
        peer.send(peer.reply(request, 200, tag="p"))
        await told.wait("REGED")
        await until(lambda: not switch.agent.stack.transactions.clients)
        peer.close()
    registration.stop()
    server.close()


async def test_too_many_connections(switch: Switch, tcp: TcpPhone) -> None:
    tcp.send(tcp.request("OPTIONS"))
    await tcp.get(200)
    switch.agent.stack.transports.listeners["trunk"].max_connections = 1
    other = await TcpPhone(switch.trunk).open()
    await asyncio.wait_for(other.gone.wait(), 3)
    tcp.send(tcp.request("OPTIONS"))
    await tcp.get(200)
    other.close()


async def test_one_address_does_not_take_every_place(switch: Switch, tcp: TcpPhone) -> None:
    listener = switch.agent.stack.transports.listeners["trunk"]
    listener.max_connections = 8
    tcp.send(tcp.request("OPTIONS"))
    await tcp.get(200)
    second, third = [await TcpPhone(switch.trunk).open() for _ in range(2)]
    await asyncio.wait_for(third.gone.wait(), 3)
    assert not second.gone.is_set()
    elsewhere = await TcpPhone(switch.trunk).open("127.77.0.9")
    elsewhere.send(elsewhere.request("OPTIONS"))
    await elsewhere.get(200)
    for phone in (second, third, elsewhere):
        phone.close()


# -- the framer alone


@pytest.mark.parametrize("piece", [b"\n" * 4, b"\r\n\r\n" * 9 + b"\r", b"\r" * 4001])
def test_blank_lines_do_not_pile_up(piece: bytes) -> None:
    framer = Framer()
    framer.feed(b"\n\n\n")
    for _ in range(100):
        assert framer.feed(piece) == []
        assert framer.pending < 4
    assert framer.feed(b"\r\nX sip:y SIP/2.0\r\n\r\n") == [b"X sip:y SIP/2.0\r\n\r\n"]


def test_framing_is_independent_of_the_cuts() -> None:
    messages = [
        b"OPTIONS sip:x SIP/2.0\r\nl : 4\r\n\r\nabcd", b"SIP/2.0 200 OK\r\nContent-length:0\r\n\r\n", b"X sip:y SIP/2.0\r\n\r\n",
        b"INVITE sip:x SIP/2.0\r\nSubject: Content-Length: 99\r\nCONTENT-LENGTH:  8\r\n\r\n\r\n\r\n\r\n\r\n",
    ]  # fmt: skip
    stream = b"\r\n\r\n" + b"\r\n\r\n".join(messages) + b"\r\n\r\n\r\n"
    for size in (1, 2, 3, 5, 17, 1000):
        framer = Framer()
        got = []
        for position in range(0, len(stream), size):
            got += framer.feed(stream[position : position + size])
        assert got == messages, size
        assert framer.pings >= 4


@pytest.mark.parametrize(
    "head",
    [
        b"OPTIONS sip:x SIP/2.0\r\nContent-Length: -1\r\n\r\n", b"O x SIP/2.0\r\nl: 1\r\nContent-Length: 2\r\n\r\n",
        b"O x SIP/2.0\r\nl: 99999999\r\n\r\n", b"O x SIP/2.0\r\nX: " + b"a" * MAX_HEAD + b"\r\n\r\n", b"a" * (MAX_HEAD + 1),
        b"O x SIP/2.0\r\nl: 1x\r\n\r\n",
    ],
)  # fmt: skip
def test_framing_errors(head: bytes) -> None:
    with pytest.raises(FramingError):
        Framer().feed(head)
