# SPDX-License-Identifier: Apache-2.0
"""Working hours in the snapshot (SCH-1…SCH-5, R6): day groups with ranges, and single days that differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Annotated, ClassVar, Final, Literal, TypeAlias
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from engine.sdk import N_, Condition, Element, Part, Ref, Snapshot, To, Verdict
from plugins.schedules import federal, times
from plugins.schedules.federal import SpecialKind
from plugins.schedules.times import HourRange

__all__ = ["Day", "DayGroup", "HourRange", "Schedule", "SchedulesPart", "SpecialDay", "State", "state"]

DayKind: TypeAlias = Literal["weekday", "single"] | SpecialKind
WEEKDAYS: Final = dict(enumerate((N_("Mon"), N_("Tue"), N_("Wed"), N_("Thu"), N_("Fri"), N_("Sat"), N_("Sun"))))
OPEN, CLOSED = N_("open"), "outside_hours"


class DayGroup(msgspec.Struct, frozen=True):
    """Weekdays (0 = Monday) that share their hours; a weekday is in at most one group (SCH-2), and so is a kind of special days (SCH-4)."""

    title: Annotated[str, Meta(title="Title")]
    weekdays: Annotated[tuple[int, ...], Meta(title="Days of the week", extra={"words": WEEKDAYS})]
    ranges: Annotated[tuple[HourRange, ...], Meta(title="Hours")]
    special: Annotated[tuple[SpecialKind, ...], Meta(title="Special days", extra={"words": federal.TITLES})] = ()


class SpecialDay(Element, frozen=True, kw_only=True):
    """One date with hours of its own, for every schedule (None) or some; without ranges it is closed (SCH-5).

    It wins over holidays and weekdays; of two that fit, the one for some schedules wins. The date is that of each schedule's own clock.
    """

    kind: ClassVar[str] = "schedules.day"
    noun: ClassVar[str] = N_("Special day")
    day: Annotated[date, Meta(title="Date")]
    ranges: Annotated[tuple[HourRange, ...], Meta(title="Hours")] = ()
    schedules: Annotated[tuple[Ref, ...] | None, To("schedules.schedule"), Meta(title="Schedules")] = None

    def covers(self, schedule: Ref) -> bool:
        return self.schedules is None or schedule in self.schedules


@dataclass(frozen=True, slots=True)
class Day:
    """What a schedule does on a date, and by which word: `reason` with `params` is a message id, "" on a day like any other."""

    kind: DayKind
    ranges: tuple[HourRange, ...]
    group: str = ""
    reason: str = ""
    params: Mapping[str, str] = field(default_factory=dict)


class Schedule(Condition, frozen=True, kw_only=True):
    kind: ClassVar[str] = "schedules.schedule"
    noun: ClassVar[str] = N_("Schedule")
    by_title: ClassVar[bool] = True
    timezone: Annotated[str | None, Meta(title="Time zone")] = None
    """None: that of the PBX."""
    days: Annotated[tuple[DayGroup, ...], Meta(title="Day groups")] = ()
    holidays: Annotated[bool, Meta(title="Federal calendar")] = False
    """Whether the federal calendar counts (SCH-4)."""
    closed: Annotated[tuple[SpecialKind, ...], Meta(title="Closed on", extra={"words": federal.TITLES})] = ()
    """Kinds of special days on which it is closed. One that stands neither here nor in a day group: days off are closed, the others
    keep the hours of their weekday."""

    def verdict(self, moment: datetime, caller: str | None, whole: Snapshot) -> Verdict:
        zone = self.zone(whole)
        now = times.running(lambda day: self.on(day, whole).ranges, zone, moment)
        day = self.on(now[0] if now else moment.astimezone(zone).date(), whole)
        return Verdict(now is not None, day.reason or (OPEN if now else CLOSED), dict(day.params))

    def zone(self, whole: Snapshot) -> ZoneInfo:
        return ZoneInfo(self.timezone or whole.account.timezone)

    def on(self, day: date, whole: Snapshot) -> Day:
        """The hours of a date: of the single day, of the kind of special day, of the weekday."""
        part = whole.part("schedules", SchedulesPart)
        single = part.single(self.ref, day) if part else None
        if single is not None:
            return Day("single", single.ranges, "", N_("special day “{title}”"), {"title": single.title})
        weekday = next((g for g in self.days if day.weekday() in g.weekdays), None)
        special = federal.special(day) if self.holidays else None
        if special is None:
            return Day("weekday", weekday.ranges if weekday else (), weekday.title if weekday else "")
        for kind in special.kinds:
            group = next((g for g in self.days if kind in g.special), None)
            if group is not None:
                return Day(kind, group.ranges, group.title, special.reason, special.params)
            if kind in self.closed or kind == "off":
                return Day(kind, (), "", special.reason, special.params)
        return Day(special.kinds[-1], weekday.ranges if weekday else (), weekday.title if weekday else "")


@dataclass(frozen=True, slots=True)
class State:
    """`why` is a message id for `params`; `until`: when it opens or closes next, None = never, as far as is known."""

    open: bool
    day: Day
    until: datetime | None

    @property
    def why(self) -> str:
        return self.day.reason or (OPEN if self.open else CLOSED)

    @property
    def params(self) -> Mapping[str, str]:
        return self.day.params


def state(schedule: Schedule, moment: datetime, whole: Snapshot) -> State:
    """Whether it is open, by which day's hours, and until when (in UTC)."""
    zone = schedule.zone(whole)

    def hours(day: date) -> tuple[HourRange, ...]:
        return schedule.on(day, whole).ranges

    now = times.running(hours, zone, moment)
    today = moment.astimezone(zone).date()
    last = _last_change(schedule, today, whole)
    until = (times.closing if now else times.opening)(hours, zone, moment, last)
    return State(now is not None, schedule.on(now[0] if now else today, whole), until)


def _last_change(schedule: Schedule, today: date, whole: Snapshot) -> date:
    """The day after which nothing happens that has not happened before: single days are over, a year of holidays and a week are seen."""
    part = whole.part("schedules", SchedulesPart)
    ends = [today, *(one.day for one in part.days if one.covers(schedule.ref))] if part else [today]
    if schedule.holidays:
        ends += [today + timedelta(days=370), date(federal.known_until(), 12, 31)]
    return max(ends) + timedelta(days=8)


class SchedulesPart(Part, frozen=True, kw_only=True, dict=True):
    schedules: tuple[Schedule, ...] = ()
    days: tuple[SpecialDay, ...] = ()

    @cached_property
    def _by_date(self) -> Mapping[date, tuple[SpecialDay, ...]]:
        """Those for some schedules first."""
        found: dict[date, list[SpecialDay]] = {}
        for one in sorted(self.days, key=lambda d: (d.schedules is None, d.id)):
            found.setdefault(one.day, []).append(one)
        return {day: tuple(ones) for day, ones in found.items()}

    def single(self, schedule: Ref, day: date) -> SpecialDay | None:
        """The single day that counts for a schedule on this date."""
        return next((one for one in self._by_date.get(day, ()) if one.covers(schedule)), None)
