# SPDX-License-Identifier: Apache-2.0
"""How often something may be tried: a sliding window per key in memory; login and password pages guard each guess with `guess`."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from engine.sdk import N_, Problem, Refused, clock


class Limiter:
    """At most `count` tries per `window` for one key; refused tries do not count, so a patient user gets in again."""

    def __init__(self, count: int, window: timedelta, most_keys: int = 20_000) -> None:
        self._count = count
        self._window = window
        self._most_keys = most_keys
        self._tries: dict[str, deque[datetime]] = {}

    def wait(self, key: str) -> timedelta | None:
        """How long until the next try is allowed; None = now."""
        tries = self._fresh(key)
        if len(tries) < self._count:
            return None
        return tries[0] + self._window - clock.now()

    def spend(self, key: str) -> None:
        """Count one try."""
        if len(self._tries) >= self._most_keys:
            self._sweep()
        self._tries.setdefault(key, deque()).append(clock.now())

    def give_back(self, key: str) -> None:
        """The last counted try was no wrong guess."""
        tries = self._tries.get(key)
        if tries:
            tries.pop()

    def forget(self, key: str) -> None:
        """The right password was given: earlier failures no longer count."""
        self._tries.pop(key, None)

    def clear(self) -> None:
        self._tries.clear()

    def _fresh(self, key: str) -> deque[datetime]:
        tries = self._tries.get(key, deque())
        horizon = clock.now() - self._window
        while tries and tries[0] <= horizon:
            tries.popleft()
        return tries

    def _sweep(self) -> None:
        """Keep the memory bounded: first what has expired, then the oldest keys."""
        for key in list(self._tries):
            if not self._fresh(key):
                del self._tries[key]
        for key in list(self._tries)[: max(0, len(self._tries) - self._most_keys // 2)]:
            del self._tries[key]


@contextmanager
def guess(*keys: tuple[Limiter, str]) -> Iterator[None]:
    """One guess of a password inside the block. Raises Refused when there were too many.

    It is counted before it is looked at, since others come in while the hash is computed, and given back unless the block says that it
    was wrong (Problem) or is cancelled.
    """
    wait = max((w for limiter, key in keys if (w := limiter.wait(key)) is not None), default=None)
    if wait is not None:
        raise Refused(N_("Too many attempts. Try again in {minutes} min."), minutes=math.ceil(wait.total_seconds() / 60))
    for limiter, key in keys:
        limiter.spend(key)
    try:
        yield
    except Exception as error:
        if not isinstance(error, Problem):
            _give_back(keys)
        raise
    _give_back(keys)


def _give_back(keys: tuple[tuple[Limiter, str], ...]) -> None:
    for limiter, key in keys:
        limiter.give_back(key)
