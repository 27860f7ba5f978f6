# SPDX-License-Identifier: Apache-2.0
"""What will happen in a rehearsed call, in the order of time, and its clock, which jumps from one event to the next."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from engine.calls.call import Event


@dataclass(frozen=True, slots=True)
class AnswersLate:
    """The moment of R11: no event of a call."""


Happening: TypeAlias = Event | AnswersLate


class Timetable:
    def __init__(self, at: datetime, of: str) -> None:
        """`of`: with what the ids of this call begin."""
        self.began = self.now = at
        self._heap: list[tuple[datetime, int, Happening]] = []
        self._of, self._order = of, itertools.count()

    def name(self, letter: str) -> str:
        """An id that nothing else of this call has."""
        return f"{self._of}{letter}{next(self._order)}"

    def after(self, seconds: float, event: Happening) -> None:
        """It will happen so many seconds from now; of two at the same moment the one that was put in first comes first."""
        heapq.heappush(self._heap, (self.now + timedelta(seconds=seconds), next(self._order), event))

    @property
    def due(self) -> datetime | None:
        """When the next thing happens; None: nothing will."""
        return self._heap[0][0] if self._heap else None

    def pop(self) -> Happening:
        """The next thing happens: it is that moment now."""
        self.now, _, event = heapq.heappop(self._heap)
        return event

    def to_come(self) -> Iterator[Happening]:
        return (event for _, _, event in sorted(self._heap, key=lambda entry: entry[:2]))

    @property
    def elapsed(self) -> float:
        """Seconds since the call came in."""
        return (self.now - self.began).total_seconds()
