# SPDX-License-Identifier: Apache-2.0
"""The handle and the end of a play, given out by Stream.play."""

import asyncio
from collections.abc import Callable, Iterator
from enum import Enum, auto


class PlayEnd(Enum):
    FINISHED = auto()
    BROKEN = auto()
    """Stopped, replaced by another play, or the stream was closed."""
    MISSING = auto()


class Playback:
    """A play; `ms` is what has been played of it, `end` how it ended."""

    __slots__ = ("_done", "_loop", "end", "frames", "source")

    def __init__(self, loop: asyncio.AbstractEventLoop, done: Callable[[PlayEnd], None], source: Iterator[bytes]) -> None:
        self.source = source
        self._loop = loop
        self._done = done
        self.frames = 0
        self.end: PlayEnd | None = None

    @property
    def ms(self) -> int:
        return 20 * self.frames

    def finish(self, end: PlayEnd) -> None:
        if self.end is None:
            self.end = end
            self._loop.call_soon(self._done, end)
