# SPDX-License-Identifier: Apache-2.0
"""The doorbell: whoever waits for rows of a topic is told to look again. It carries no data and may be missed; rows are the truth.

In one process an event; on PostgreSQL also LISTEN/NOTIFY, so that every process hears every ring.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import asyncpg

from engine.db import Database
from engine.db.backend_asyncpg import AWAY

log = logging.getLogger(__name__)

_CHANNEL = "vats"
_RETRY_SECONDS = 2.0


Spawn: TypeAlias = Callable[[str, Callable[[], Coroutine[Any, Any, None]]], asyncio.Task[None]]
"""Begins named work that goes on for ever, such as `Loops.spawn`."""


def _alone(name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
    return asyncio.create_task(work(), name=name)


class Subscription:
    """What `Doorbell.listen` yields; a ring between two waits is not lost."""

    def __init__(self, topic: str, account_id: int | None) -> None:
        self.topic = topic
        self.account_id = account_id
        self._rang = asyncio.Event()

    def ring(self) -> None:
        self._rang.set()

    async def wait(self, seconds: float) -> bool:
        """True at a ring, False when the time is up."""
        try:
            async with asyncio.timeout(seconds):
                await self._rang.wait()
        except TimeoutError:
            return False
        finally:
            self._rang.clear()
        return True


class Doorbell:
    """One per process. Works at once; `start` adds the other processes on PostgreSQL, `stop` ends that."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._subscriptions: set[Subscription] = set()
        self._outgoing: asyncio.Queue[str] = asyncio.Queue()
        self._queued: set[str] = set()
        self._task: asyncio.Task[None] | None = None
        self.connected = asyncio.Event()
        """Set while other processes can be heard."""

    async def start(self, spawn: Spawn = _alone) -> None:
        """`spawn` watches over the work that hears other processes (engine.runtime.loops)."""
        if self._db.dialect == "postgres" and self._task is None:
            self._task = spawn("doorbell", self._run)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def ring(self, topic: str, account_id: int) -> None:
        """Tell everybody who listens to the topic, of this account or of all. Returns at once; call it after the commit."""
        self._ring_here(topic, account_id)
        message = f"{topic} {account_id}"
        if self._task is not None and message not in self._queued:
            self._queued.add(message)
            self._outgoing.put_nowait(message)

    def _ring_here(self, topic: str, account_id: int) -> None:
        for subscription in self._subscriptions:
            if subscription.topic == topic and subscription.account_id in (None, account_id):
                subscription.ring()

    @asynccontextmanager
    async def listen(self, topic: str, account_id: int | None = None) -> AsyncIterator[Subscription]:
        """Hear the rings of a topic, of one account or (None) of all."""
        subscription = Subscription(topic, account_id)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    # -- other processes -------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            try:
                await self._serve()
            except AWAY as error:
                log.info("doorbell: other processes can't be heard (%s), trying again", error)
            finally:
                self.connected.clear()
            await asyncio.sleep(_RETRY_SECONDS)

    async def _serve(self) -> None:
        address = urlsplit(self._db.url)._replace(scheme="postgresql", query="", fragment="").geturl()
        connection = await asyncpg.connect(address, timeout=10)
        lost = asyncio.create_task(_ended(connection))
        try:
            await connection.add_listener(_CHANNEL, self._heard)
            self.connected.set()
            for subscription in self._subscriptions:
                subscription.ring()  # whatever was rung while nobody listened
            while not lost.done():
                await self._send_next(connection, lost)
        finally:
            lost.cancel()
            connection.terminate()

    async def _send_next(self, connection: Any, lost: asyncio.Task[None]) -> None:
        getting = asyncio.create_task(self._outgoing.get())
        try:
            await asyncio.wait((getting, lost), return_when=asyncio.FIRST_COMPLETED)
            if getting.done():
                message = getting.result()
                self._queued.discard(message)
                await connection.execute("SELECT pg_notify($1, $2)", _CHANNEL, message)
        finally:
            getting.cancel()

    def _heard(self, connection: Any, pid: int, channel: str, message: str) -> None:
        topic, _, account = message.rpartition(" ")
        if account.isdigit():
            self._ring_here(topic, int(account))


async def _ended(connection: Any) -> None:
    """Returns when the server or the network has cut the connection."""
    ended = asyncio.Event()
    connection.add_termination_listener(lambda _: ended.set())
    await ended.wait()
