# SPDX-License-Identifier: Apache-2.0
"""Working hours in the snapshot (SCH-1…SCH-3, R6): day groups with ranges, answered as a pure function of the moment."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar
from zoneinfo import ZoneInfo

import msgspec

from engine.sdk import N_, Condition, Part, Verdict

MINUTES_A_DAY = 24 * 60
_DAY = timedelta(days=1)
_HORIZON = 8
"""Days looked ahead: a week comes round after seven, and one more covers a range over midnight."""


class HourRange(msgspec.Struct, frozen=True):
    """[from, to) in minutes after midnight of the day it starts on; to ≤ from runs over midnight; 0–1440 is the whole day."""

    start: int
    end: int


class DayGroup(msgspec.Struct, frozen=True):
    """Weekdays (0 = Monday) that share their hours; a weekday is in at most one group (SCH-2)."""

    title: str
    weekdays: tuple[int, ...]
    ranges: tuple[HourRange, ...]


class Schedule(Condition, frozen=True, kw_only=True):
    kind: ClassVar[str] = "schedules.schedule"
    timezone: str = "Europe/Moscow"
    days: tuple[DayGroup, ...] = ()

    def verdict(self, moment: datetime, caller: str | None) -> Verdict:
        end = self._end_of_range(moment)
        if end is None:
            return Verdict(False, N_("outside_hours"), {"title": self.title})
        return Verdict(True, N_("open"), {"title": self.title}, self._closes_at(moment, end))

    def opens_at(self, moment: datetime) -> datetime | None:
        """When it opens next, in UTC, asked while it is closed; None = never."""
        today = moment.astimezone(ZoneInfo(self.timezone)).date()
        starts = (s for n in range(-1, _HORIZON + 1) for s, e in self._ranges(today + timedelta(days=n)) if moment < s < e)
        return min(starts, default=None)

    def _closes_at(self, moment: datetime, end: datetime) -> datetime | None:
        """The end of the ranges that follow each other without a gap; None when they never stop."""
        while end - moment < timedelta(days=_HORIZON):
            further = self._end_of_range(end)
            if further is None:
                return end
            end = further
        return None

    def _end_of_range(self, moment: datetime) -> datetime | None:
        """The latest end of the ranges the moment falls in; None when it falls in none."""
        local = moment.astimezone(ZoneInfo(self.timezone))
        today = local.date()
        ends = [e for s, e in self._ranges(today) if s <= moment < e]
        ends += [e for s, e in self._ranges(today - _DAY, late=True) if s <= moment < e]
        if local.hour >= 22:  # the next day may have begun once when clocks are set back over midnight
            ends += [e for s, e in self._ranges(today + _DAY) if s <= moment < e]
        return max(ends, default=None)

    def _ranges(self, day: date, late: bool = False) -> Iterator[tuple[datetime, datetime]]:
        """What begins on a day, as moments in UTC; with `late` only what reaches midnight."""
        group = next((g for g in self.days if day.weekday() in g.weekdays), None)
        zone = ZoneInfo(self.timezone)
        for hours in group.ranges if group else ():
            end = hours.end if hours.end > hours.start else hours.end + MINUTES_A_DAY
            if not late or end >= MINUTES_A_DAY:
                yield _at(day, hours.start, zone), _at(day, end, zone)


def _at(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """A local time as a moment. Where clocks are changed RFC 5545, 3.3.5: of two the first, one left out by the offset before the gap."""
    if minutes >= MINUTES_A_DAY:
        day, minutes = day + _DAY, minutes - MINUTES_A_DAY
    return datetime(day.year, day.month, day.day, minutes // 60, minutes % 60, tzinfo=zone).astimezone(UTC)


class SchedulesPart(Part, frozen=True, kw_only=True):
    schedules: tuple[Schedule, ...] = ()
