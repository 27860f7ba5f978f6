# SPDX-License-Identifier: Apache-2.0
"""Timed tasks with ids and groups (a channel's group is its uuid), for sched_api, sched_transfer, sched_hangup, sched_del."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Task:
    id: int
    description: str
    group: str
    runtime: int
    """Unix time, for `show tasks`."""
    timer: asyncio.TimerHandle


class Scheduler:
    def __init__(self) -> None:
        self._ids = itertools.count(1)
        self._tasks: dict[int, Task] = {}
        self._groups: dict[str, set[int]] = {}

    def add(self, seconds: float, description: str, group: str, action: Callable[[], None]) -> int:
        """Run `action` once, after `seconds`; returns the task's id."""
        number = next(self._ids)

        def due() -> None:
            self._forget(number)
            action()

        timer = asyncio.get_running_loop().call_later(max(0.0, seconds), due)
        self._tasks[number] = Task(number, description, group, int(time.time() + seconds), timer)
        if group:
            self._groups.setdefault(group, set()).add(number)
        return number

    def delete(self, key: str) -> int:
        """Delete by id, or every task of a group; returns how many."""
        if key.isascii() and key.isdigit() and int(key[:18]) in self._tasks:
            numbers = [int(key)]
        else:
            numbers = list(self._groups.get(key, ()))
        for number in numbers:
            self._tasks[number].timer.cancel()
            self._forget(number)
        return len(numbers)

    def tasks(self) -> list[Task]:
        return list(self._tasks.values())

    def close(self) -> None:
        for task in self._tasks.values():
            task.timer.cancel()
        self._tasks.clear()
        self._groups.clear()

    def _forget(self, number: int) -> None:
        task = self._tasks.pop(number)
        group = self._groups.get(task.group)
        if group is not None:
            group.discard(number)
            if not group:
                del self._groups[task.group]


def seconds_until(text: str) -> float:
    """`+10` or `10` from now, `@1700000000` (or a plain number that large) at that Unix time."""
    text = text.strip()
    absolute = text.startswith("@")
    digits = text.lstrip("@+")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 12:
        return 0.0
    value = int(digits)
    if absolute or (not text.startswith("+") and value > 1_000_000_000):
        return max(0.0, value - time.time())
    return float(value)
