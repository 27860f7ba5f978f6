# SPDX-License-Identifier: Apache-2.0
"""When ranges of hours are open, whatever says which ranges a day has (R6): on the time line of UTC, in any time zone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final, TypeAlias
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

MINUTES_A_DAY: Final = 24 * 60
_DAY: Final = timedelta(days=1)


class HourRange(msgspec.Struct, frozen=True):
    """[from, to) in minutes after midnight of the day it starts on; to ≤ from runs over midnight; 0–1440 is the whole day."""

    start: Annotated[int, Meta(title="From")]
    end: Annotated[int, Meta(title="To")]

    @property
    def length(self) -> int:
        """Minutes."""
        return self.end - self.start if self.end > self.start else self.end + MINUTES_A_DAY - self.start

    def __str__(self) -> str:
        return f"{self.start // 60:02}:{self.start % 60:02}–{self.end // 60:02}:{self.end % 60:02}"


Hours: TypeAlias = Callable[[date], Iterable[HourRange]]
"""The ranges that begin on a day."""


def running(hours: Hours, zone: ZoneInfo, moment: datetime) -> tuple[date, datetime] | None:
    """(day it began on, end) of the range the moment falls in that ends last; None when it falls in none."""
    found = [(end, day) for day in _days_around(zone, moment) for start, end in _moments(hours, day, zone) if start <= moment < end]
    end, day = max(found, default=(None, None))
    return (day, end) if day is not None and end is not None else None


def closing(hours: Hours, zone: ZoneInfo, moment: datetime, last: date) -> datetime | None:
    """The end of the ranges that follow each other without a gap, asked while one runs; None when they go on beyond `last`."""
    end = moment
    while (now := running(hours, zone, end)) is not None:
        if now[0] > last:
            return None
        end = now[1]
    return end


def opening(hours: Hours, zone: ZoneInfo, moment: datetime, last: date) -> datetime | None:
    """When the next range begins, asked while none runs; None when none does until `last`."""
    day, *_ = _days_around(zone, moment)
    found: datetime | None = None
    while day <= last:
        starts = [start for start, end in _moments(hours, day, zone) if moment < start < end]
        if found is not None:  # one day further: a start in a gap of the clocks at midnight may come after the next day's first
            return min([found, *starts])
        found = min(starts, default=None)
        day += _DAY
    return found


def _days_around(zone: ZoneInfo, moment: datetime) -> Iterator[date]:
    """The days whose ranges may hold the moment: a range lasts a day at most, and clocks are changed by two hours at most."""
    wall = moment.astimezone(zone).replace(tzinfo=None)
    day, last = (wall - timedelta(hours=26)).date(), (wall + timedelta(hours=2)).date()
    while day <= last:
        yield day
        day += _DAY


def _moments(hours: Hours, day: date, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    for one in hours(day):
        end = one.end if one.end > one.start else one.end + MINUTES_A_DAY
        yield _at(day, one.start, zone), _at(day, end, zone)


def _at(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    """A local time as a moment. Where clocks are changed RFC 5545, 3.3.5: of two the first, one left out by the offset before the gap."""
    if minutes >= MINUTES_A_DAY:
        day, minutes = day + _DAY, minutes - MINUTES_A_DAY
    return datetime(day.year, day.month, day.day, minutes // 60, minutes % 60, tzinfo=zone).astimezone(UTC)
