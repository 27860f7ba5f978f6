# SPDX-License-Identifier: Apache-2.0
"""The coming week, cut where a condition of the account changes its mind: all hours between two cuts are alike for every call."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

from engine.snapshot import Condition, Snapshot, references

STEP: Final = timedelta(minutes=10)
"""What is open for a shorter time may be overlooked."""
WEEK: Final = timedelta(days=7)
_MINUTE: Final = timedelta(minutes=1)

State: TypeAlias = tuple[bool, ...]
"""Which conditions hold, in the order of the account's elements."""


@dataclass(frozen=True, slots=True)
class Span:
    """[start, end), aware."""

    start: datetime
    end: datetime
    state: State


async def week(snapshot: Snapshot, at: datetime, caller: str | None) -> list[Span]:
    """Seven days from the last midnight in the account's zone."""
    zone = ZoneInfo(snapshot.account.timezone)
    begin = datetime.combine(at.astimezone(zone).date(), time(), zone).astimezone(UTC)
    conditions = _conditions(snapshot)
    spans: list[Span] = []
    since, state = begin, _state(snapshot, conditions, begin, caller)
    moment = begin
    while moment < begin + WEEK:
        following = moment + STEP
        seen = _state(snapshot, conditions, following, caller)
        if seen != state and following < begin + WEEK:
            cut = _cut(snapshot, conditions, moment, following, caller, state)
            spans.append(Span(since, cut, state))
            since, state = cut, seen
        moment = following
        await asyncio.sleep(0)
    spans.append(Span(since, begin + WEEK, state))
    return spans


def _conditions(snapshot: Snapshot) -> list[Condition]:
    """Those that something depends on."""
    asked = {ref for element in snapshot.elements() for ref in references(element)}
    return [e for e in snapshot.elements() if isinstance(e, Condition) and e.ref in asked]


def _state(snapshot: Snapshot, conditions: Sequence[Condition], moment: datetime, caller: str | None) -> State:
    return tuple(snapshot.verdict(condition.ref, moment, caller).holds for condition in conditions)


def _cut(
    snapshot: Snapshot, conditions: Sequence[Condition], low: datetime, high: datetime, caller: str | None, state: State
) -> datetime:
    """The first minute after `low` that is not as it was."""
    while high - low > _MINUTE:
        middle = low + _MINUTE * ((high - low) // _MINUTE // 2)
        if _state(snapshot, conditions, middle, caller) == state:
            low = middle
        else:
            high = middle
    return high
