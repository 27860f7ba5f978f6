# SPDX-License-Identifier: Apache-2.0
"""Wrong PINs as facts, and the memory of them that blocks a number (R23)."""

from __future__ import annotations

from bisect import insort
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from engine.sdk import Fact

WRONG_PINS: Final = 9
WITHIN: Final = timedelta(hours=1)
BLOCKED_FOR: Final = timedelta(hours=1)


class WrongPin(Fact, frozen=True, kw_only=True):
    """Somebody has entered a PIN that nobody has; what he entered is kept nowhere."""

    kind: ClassVar[str] = "callout.wrong_pin"
    number: str | None = None
    """Who called, as `Caller.number`; those who withhold theirs count as one."""


class PinGuard:
    """Whose PINs are heard no more for an hour. Told of facts as they happen, and of those of the last hours after a start."""

    def __init__(self) -> None:
        self._wrong: dict[tuple[int, str | None], list[datetime]] = {}

    def learn(self, fact: WrongPin) -> None:
        """Take in a fact; a second time it is the same one."""
        oldest = fact.at - WITHIN - BLOCKED_FOR
        self._wrong = {who: left for who, times in self._wrong.items() if (left := [at for at in times if at >= oldest])}
        times = self._wrong.setdefault((fact.account, fact.number), [])
        if fact.at not in times:
            insort(times, fact.at)

    async def write(self, fact: WrongPin, tx: Any) -> None:
        """As a subscriber: what an engine that has died had not told its successor."""
        self.learn(fact)

    def blocks(self, account: int, number: str | None, now: datetime) -> bool:
        times = self._wrong.get((account, number), [])
        runs = zip(times, times[WRONG_PINS - 1 :], strict=False)
        return any(last - first <= WITHIN and last <= now < last + BLOCKED_FOR for first, last in runs)
