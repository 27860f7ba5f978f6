# SPDX-License-Identifier: Apache-2.0
"""Working hours in the snapshot (SCH-1…SCH-3, R6): day groups with ranges, answered as a pure function of the moment."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import ClassVar
from zoneinfo import ZoneInfo

import msgspec

from engine.sdk import N_, Condition, Part, Verdict

MINUTES_A_DAY = 24 * 60


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
        until = self._open_until(moment)
        if until is not None:
            return Verdict(True, N_("open"), {"title": self.title}, until)
        return Verdict(False, N_("outside_hours"), {"title": self.title})

    def _open_until(self, moment: datetime) -> datetime | None:
        """The end of the range the moment falls in; None when closed."""
        zone = ZoneInfo(self.timezone)
        local = moment.astimezone(zone)
        for day in (local.date(), local.date() - timedelta(days=1)):  # yesterday's ranges may run over midnight
            for hours in self._ranges(day):
                start = _at(day, hours.start, zone)
                end = _at(day, hours.end if hours.end > hours.start else hours.end + MINUTES_A_DAY, zone)
                if start <= local < end:
                    return end
        return None

    def _ranges(self, day: date) -> tuple[HourRange, ...]:
        group = next((g for g in self.days if day.weekday() in g.weekdays), None)
        return group.ranges if group else ()


def _at(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    extra, rest = divmod(minutes, MINUTES_A_DAY)
    return datetime.combine(day + timedelta(days=extra), time(rest // 60, rest % 60), zone)


class SchedulesPart(Part, frozen=True, kw_only=True):
    schedules: tuple[Schedule, ...] = ()
