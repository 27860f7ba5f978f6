# SPDX-License-Identifier: Apache-2.0
"""Sockets: UDP and TCP listeners and the flows on which messages travel; the agent owns one `Transports`."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Callable

from engine.embedded.sip.contract import Address, Hop, Listener
from engine.embedded.sip.flow import Flow, UdpFlow
from engine.embedded.sip.nat import OwnAddresses, is_ip, shown_address
from engine.embedded.sip.tcp import TcpFlow

log = logging.getLogger(__name__)

Receive = Callable[[bytes, Flow], None]
_DATAGRAMS_PER_TURN = 64  # then timers and other sockets get their turn
_RECEIVE_BUFFER = 4 * 1024 * 1024
_RESOLVED_SECONDS = 60.0
_BIND_TRIES = 20


def _nothing() -> None:
    """Nobody has anything to do between two datagrams."""


class BoundListener:
    """The sockets behind one Listener."""

    def __init__(self, spec: Listener, receive: Receive, own: OwnAddresses, max_connections: int) -> None:
        self.spec = spec
        self.name = spec.name
        self.port = spec.port
        self.silence = spec.silence
        self.connections: dict[Address, Flow] = {}
        self.max_connections = max_connections
        self.on_closed: Callable[[Flow], None] | None = None
        self.between: Callable[[], None] = _nothing
        """Called between the datagrams of a burst."""
        self._receive = receive
        self._own = own
        self._udp: socket.socket | None = None
        self._server: asyncio.Server | None = None

    @property
    def bound_host(self) -> str:
        return self.spec.host

    def receive(self, data: bytes, flow: Flow) -> None:
        self._receive(data, flow)

    def closed(self, flow: Flow) -> None:
        """A connection is gone; called by the connection itself."""
        if self.on_closed is not None:
            self.on_closed(flow)

    def own_host(self, peer: str) -> str:
        return shown_address(self.spec.host, self.spec.advertised, peer, self._own)

    async def open(self) -> None:
        """Bind; raises OSError. Port 0 finds one that is free for every wanted transport."""
        for attempt in range(_BIND_TRIES):
            try:
                await self._bind(self.spec.port)
                return
            except OSError:
                await self.close()
                if self.spec.port or attempt == _BIND_TRIES - 1:
                    raise

    async def _bind(self, port: int) -> None:
        family = socket.AF_INET6 if ":" in self.spec.host else socket.AF_INET
        loop = asyncio.get_running_loop()
        if self.spec.udp:
            sock = socket.socket(family, socket.SOCK_DGRAM)
            self._udp = sock
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
            sock.bind((self.spec.host, port))
            port = int(sock.getsockname()[1])
        if self.spec.tcp:
            self._server = await loop.create_server(
                lambda: TcpFlow(self, None), self.spec.host, port, backlog=512, family=family, reuse_address=True
            )
            port = int(self._server.sockets[0].getsockname()[1])
        if self._udp is not None:
            loop.add_reader(self._udp.fileno(), self._readable)
        self.port = port

    def _readable(self) -> None:
        sock = self._udp
        for count in range(_DATAGRAMS_PER_TURN):
            if count:
                self.between()
            if sock is None or sock.fileno() < 0:
                return
            try:
                data, address = sock.recvfrom(65_535)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:  # an ICMP error of an earlier datagram; the socket itself is well
                log.debug("udp %s: %s", self.name, error)
                continue
            if len(data) > 4:  # shorter ones are keep-alives
                self._receive(data, UdpFlow(self, (address[0], address[1])))

    def send_datagram(self, data: bytes, remote: Address) -> bool:
        if self._udp is None:
            return False
        try:
            self._udp.sendto(data, remote)
        except BlockingIOError:
            return True  # a full buffer is a lost datagram, and the timers know how to live with those
        except OSError as error:
            log.info("udp %s: can't send to %s:%d: %s", self.name, remote[0], remote[1], error)
            return False
        return True

    def flow(self, transport: str, remote: Address) -> Flow | None:
        """The flow to an IP address: an open connection is used again, a missing one is begun. None: not offered."""
        if transport == "tcp":
            open_one = self.connections.get(remote)
            if open_one is not None and not open_one.closed:
                return open_one
            if not self.spec.tcp or len(self.connections) >= self.max_connections:
                return None
            return TcpFlow.connect(self, remote)
        if transport == "udp" and self._udp is not None:
            return UdpFlow(self, remote)
        return None

    async def close(self) -> None:
        if self._udp is not None:
            if self._udp.fileno() >= 0:
                asyncio.get_running_loop().remove_reader(self._udp.fileno())
            self._udp.close()
            self._udp = None
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self.connections.values()):
            connection.abort()


class Transports:
    """All listeners of the process, and names resolved to addresses."""

    def __init__(self, receive: Receive, max_connections: int = 4000) -> None:
        self.listeners: dict[str, BoundListener] = {}
        self.on_closed: Callable[[Flow], None] | None = None
        self.between: Callable[[], None] = _nothing
        self._receive = receive
        self._max_connections = max_connections
        self._own = OwnAddresses()
        self._resolved: dict[tuple[str, bool], tuple[float, str]] = {}

    async def listen(self, spec: Listener) -> BoundListener:
        bound = BoundListener(spec, self._receive, self._own, self._max_connections)
        await bound.open()
        bound.on_closed = self.on_closed
        bound.between = self.between
        self.listeners[spec.name] = bound
        return bound

    def flow(self, listener: str, hop: Hop) -> Flow | None:
        """The flow to a hop whose host is an IP address."""
        bound = self.listeners.get(listener)
        return bound.flow(hop.transport, (hop.host, hop.port)) if bound is not None else None

    def known(self, listener: str, hop: Hop) -> Hop | None:
        """The hop with an IP address when no question to the name service is needed."""
        if is_ip(hop.host):
            return hop
        found = self._resolved.get((hop.host, self._is_ipv6(listener)))
        if found is not None and found[0] > time.monotonic():
            return Hop(found[1], hop.port, hop.transport)
        return None

    async def resolve(self, listener: str, hop: Hop) -> Hop | None:
        """Ask the operating system for the address; None when the name is unknown."""
        ipv6 = self._is_ipv6(listener)
        family = socket.AF_INET6 if ipv6 else socket.AF_INET
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                hop.host, hop.port, family=family, type=socket.SOCK_DGRAM
            )
        except (OSError, UnicodeError) as error:
            log.info("no address for %s: %s", hop.host, error)
            return None
        host = str(found[0][4][0])
        self._resolved[(hop.host, ipv6)] = (time.monotonic() + _RESOLVED_SECONDS, host)
        return Hop(host, hop.port, hop.transport)

    def _is_ipv6(self, listener: str) -> bool:
        bound = self.listeners.get(listener)
        return bound is not None and ":" in bound.spec.host

    async def close(self) -> None:
        for bound in self.listeners.values():
            await bound.close()
        self.listeners.clear()
