# SPDX-License-Identifier: Apache-2.0
"""What has happened to a call and its scenario has not heard yet, in order."""

from __future__ import annotations

import asyncio
from collections import deque

from engine.calls.call import Event, Faxed, MessageOver, Playback, Played


class Inbox:
    """Of one call; one scenario waits on it."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._events: deque[Event] = deque()
        self._waiter: asyncio.Future[None] | None = None

    def put(self, event: Event) -> None:
        self._events.append(event)
        self.wake()

    def wake(self) -> None:
        """Whoever waits is to look again: something else has changed."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def take(self) -> Event | None:
        return self._events.popleft() if self._events else None

    def last_words(self) -> MessageOver | Faxed | None:
        """What the party has left for somebody before it went; everything before it is forgotten."""
        while self._events:
            event = self._events.popleft()
            if isinstance(event, MessageOver | Faxed):
                return event
        return None

    def forget(self, playback: Playback) -> None:
        """It was stopped: its end is no news."""
        self._events = deque(e for e in self._events if not (isinstance(e, Played) and e.playback == playback))

    async def wait(self, seconds: float | None) -> None:
        """Until something is put in, `wake` or the time is over."""
        self._waiter = self._loop.create_future()
        handle = self._loop.call_later(seconds, self.wake) if seconds is not None else None
        try:
            await self._waiter
        finally:
            self._waiter = None
            if handle is not None:
                handle.cancel()
