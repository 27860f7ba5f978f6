# SPDX-License-Identifier: Apache-2.0
"""Schedules in words of a test, and the configuration they stand in."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from engine.plugin.testing import office
from engine.sdk import Ref, Snapshot, Verdict
from plugins.schedules.part import DayGroup, HourRange, Schedule, SchedulesPart, SpecialDay, State, state

MOSCOW, BERLIN = ZoneInfo("Europe/Moscow"), ZoneInfo("Europe/Berlin")


def ranges(*times: tuple[int, int]) -> tuple[HourRange, ...]:
    return tuple(HourRange(*r) for r in times)


def hours(*days: tuple[str, tuple[tuple[int, int], ...]], zone: str | None = "Europe/Moscow", **fields: Any) -> Schedule:
    """Day groups as (weekdays "01234", ((minutes from, minutes to), …)); letters w, o, s: special days."""
    kinds = {"w": "working", "o": "off", "s": "short"}
    groups = tuple(
        DayGroup(w, tuple(int(d) for d in w if d.isdigit()), ranges(*times), tuple(kinds[d] for d in w if d in kinds))  # type: ignore[misc]
        for w, times in days
    )
    return Schedule(id=1, title="Hours", timezone=zone, days=groups, **fields)


def single(day: str, *times: tuple[int, int], only: int | None = None, id: int = 1) -> SpecialDay:
    """A single day, closed without ranges; `only`: for the schedule of this id."""
    named = None if only is None else (Ref(Schedule.kind, only),)
    return SpecialDay(id=id, title=f"Day {id}", day=date.fromisoformat(day), ranges=ranges(*times), schedules=named)


def whole(schedule: Schedule, *days: SpecialDay, **account: Any) -> Snapshot:
    return office((), {"schedules": SchedulesPart(schedules=(schedule,), days=days)}, **account)


def asked(schedule: Schedule, moment: datetime, *days: SpecialDay, **account: Any) -> State:
    return state(schedule, moment, whole(schedule, *days, **account))


def verdict(schedule: Schedule, moment: datetime, *days: SpecialDay, **account: Any) -> Verdict:
    return whole(schedule, *days, **account).verdict(schedule.ref, moment, None)


def at(text: str, zone: ZoneInfo = MOSCOW, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)
