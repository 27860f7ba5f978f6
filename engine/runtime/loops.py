# SPDX-License-Identifier: Apache-2.0
"""The work that a process does for ever. A loop that fails is begun again after a growing pause, and the process is not ready meanwhile."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
STEADY_SECONDS = 10.0
"""A loop that has run for so long since it was begun again counts as mended."""


class Loops:
    """One per process."""

    def __init__(
        self, *, first_pause: float = FIRST_PAUSE_SECONDS, longest_pause: float = LONGEST_PAUSE_SECONDS, steady: float = STEADY_SECONDS
    ) -> None:
        """Pauses and `steady` in seconds."""
        self._first, self._longest, self._steady = first_pause, longest_pause, steady
        self._down: set[str] = set()

    @property
    def down(self) -> frozenset[str]:
        """Names of the loops that have failed and are not known to be well again."""
        return frozenset(self._down)

    def spawn(self, name: str, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Begin a loop; whoever cancels the task ends it."""
        return asyncio.create_task(self.forever(name, work), name=name)

    async def forever(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do the work until it returns by itself."""
        pause = self._first
        try:
            while True:
                mended = asyncio.get_running_loop().call_later(self._steady, self._up, name)
                began = asyncio.get_running_loop().time()
                try:
                    await work()
                except Exception:
                    if asyncio.get_running_loop().time() - began >= self._steady:
                        pause = self._first
                    log.exception("%s has failed; begun again in %g s", name, pause)
                else:
                    return
                finally:
                    mended.cancel()
                self._down.add(name)
                await asyncio.sleep(pause)
                pause = min(pause * 2, self._longest)
        finally:
            self._down.discard(name)

    def _up(self, name: str) -> None:
        if name in self._down:
            self._down.discard(name)
            log.info("%s is well again", name)
