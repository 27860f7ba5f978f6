# SPDX-License-Identifier: Apache-2.0
"""SIP over TCP: one connection with its framing, keep-alives and limits; made by `transport.BoundListener`."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable

from engine.embedded.sip.contract import Address
from engine.embedded.sip.flow import Flow, Side
from engine.embedded.sip.framing import PONG, Framer, FramingError

log = logging.getLogger(__name__)

_CONNECT_SECONDS = 10.0
_FIRST_MESSAGE_SECONDS = 30.0  # whoever connects must say something meaningful soon
_SHARE = 4  # one address may hold a quarter of all connections
_MAX_UNSENT = 1024 * 1024  # a peer that does not read is gone


class TcpFlow(Flow, asyncio.Protocol):
    """A connection, theirs or ours. While ours is being made, messages wait in order."""

    transport = "tcp"
    reliable = True

    def __init__(self, listener: Side, remote: Address | None) -> None:
        self.listener = listener
        self.remote = remote or ("", 0)
        self._waiting: list[bytes] = []
        self._watchers: dict[Callable[[], None], None] = {}
        self._framer = Framer()
        self._stream: asyncio.Transport | None = None
        self._lost = False
        self._patience: asyncio.TimerHandle | None = None
        self._connecting: asyncio.Task[None] | None = None

    @classmethod
    def connect(cls, listener: Side, remote: Address) -> TcpFlow:
        """Begin a connection of ours; usable at once."""
        flow = cls(listener, remote)
        listener.connections[remote] = flow
        flow._connecting = asyncio.get_running_loop().create_task(flow._connect(), name=f"sip-tcp-{remote}")
        return flow

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        bound = self.listener.bound_host
        local = (bound, 0) if bound not in ("", "0.0.0.0", "::") else None
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await loop.create_connection(lambda: self, self.remote[0], self.remote[1], local_addr=local)
        except OSError as error:  # TimeoutError is one
            log.info("tcp %s: can't connect to %s:%d: %s", self.listener.name, *self.remote, str(error) or "timeout")
            self._gone()

    @property
    def closed(self) -> bool:
        return self._lost

    def send(self, data: bytes) -> bool:
        if self._lost:
            return False
        if self._stream is None:
            self._waiting.append(data)
            return True
        if self._stream.is_closing():
            return False
        self._stream.write(data)
        if self._stream.get_write_buffer_size() > _MAX_UNSENT:
            log.info("tcp %s: %s:%d does not read, closing", self.listener.name, *self.remote)
            self.abort()
            return False
        return True

    def watch(self, lost: Callable[[], None]) -> None:
        self._watchers[lost] = None

    def unwatch(self, lost: Callable[[], None]) -> None:
        self._watchers.pop(lost, None)

    def back_to(self, port: int | None) -> Flow | None:
        remote = (self.remote[0], port or 5060)
        known = self.listener.connections.get(remote)
        if known is not None and not known.closed:
            return known
        if len(self.listener.connections) >= self.listener.max_connections:
            return None
        return TcpFlow.connect(self.listener, remote)

    def abort(self) -> None:
        """Close without waiting for unsent data."""
        if self._connecting is not None and not self._connecting.done():
            self._connecting.cancel()
        if self._stream is not None:
            self._stream.abort()
        else:
            self._gone()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._stream = transport
        peer = transport.get_extra_info("peername")
        theirs = not self.remote[1]
        if peer is None:  # gone before we looked
            transport.abort()
            return
        if theirs:
            self.remote = (peer[0], peer[1])
            if self._too_many(peer[0]):
                log.warning("tcp %s: %d connections, refusing %s", self.listener.name, len(self.listener.connections),
                            peer[0])
                transport.abort()
                return
            self.listener.connections[self.remote] = self
            self._patience = asyncio.get_running_loop().call_later(_FIRST_MESSAGE_SECONDS, self.abort)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for data in self._waiting:
            transport.write(data)
        self._waiting.clear()

    def _too_many(self, host: str) -> bool:
        """Whether no more connections are taken, in all or from this address: one stranger must not take every place."""
        connections, most = self.listener.connections, self.listener.max_connections
        share = max(1, most // _SHARE)
        return len(connections) >= most or (len(connections) >= share and sum(a == host for a, _ in connections) >= share)

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._framer.feed(data)
        except FramingError as error:
            log.info("tcp %s: %s:%d: %s, closing", self.listener.name, *self.remote, error)
            self.abort()
            return
        if messages and self._patience is not None:
            self._patience.cancel()
            self._patience = None
        for _ in range(min(self._framer.pings, 10)):
            self.send(PONG)
        self._framer.pings = 0
        for message in messages:
            self.listener.receive(message, self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone()

    def _gone(self) -> None:
        if self._lost:
            return
        self._lost = True
        self._waiting.clear()
        if self._patience is not None:
            self._patience.cancel()
        if self.listener.connections.get(self.remote) is self:
            del self.listener.connections[self.remote]
        watchers, self._watchers = self._watchers, {}
        for lost in watchers:
            lost()
        self.listener.closed(self)
