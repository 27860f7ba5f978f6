# SPDX-License-Identifier: Apache-2.0
"""Listens for event socket clients and knows the live ones; started by the switch."""

from __future__ import annotations

import asyncio
import socket

from .connection import Backend, Connection


class EventSocketServer:
    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self.port = 0

    async def start(self, host: str, port: int) -> None:
        """Raises OSError when the address can't be had. `port` is the real one afterwards."""
        self._server = await asyncio.get_running_loop().create_server(self._connection, host, port)
        self.port = self._server.sockets[0].getsockname()[1]
        for sock in self._server.sockets:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _connection(self) -> Connection:
        connection = Connection(self._backend)
        self._connections.add(connection)
        return connection

    def forget(self, connection: Connection) -> None:
        self._connections.discard(connection)

    def __len__(self) -> int:
        return len(self._connections)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.close()
