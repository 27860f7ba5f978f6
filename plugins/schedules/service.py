# SPDX-License-Identifier: Apache-2.0
"""Creating, changing and deleting schedules and single days. Every function works inside an edit; nothing is saved when it raises."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from engine.sdk import N_, Edit, Element, ElementStore, Finding, InUse, Invalid, NotFound, Problem, Ref, Snapshot, clock
from plugins.schedules.models import ScheduleRow, SpecialDayRow
from plugins.schedules.part import DayGroup, HourRange, Schedule, SchedulesPart, SpecialDay
from plugins.schedules.times import MINUTES_A_DAY

MOST_RANGES = 24
_TIMES = N_("Times run from 00:00 to 24:00.")
_EQUAL = N_("A range must not begin and end at the same time.")
OVERLAP = N_("“{title}”: the hours {first} and {second} overlap. It is open in both; is one of them a mistake?")
_TWICE = N_("On {date} there is already “{title}” for the same schedules.")


def check(part: SchedulesPart, whole: Snapshot) -> Iterable[Finding]:
    """What holds whatever wrote the rows: also a restored revision."""
    for schedule in part.schedules:
        yield from (Finding("error", schedule.ref, p.message, _texts(p)) for p in problems(schedule))
        for group in schedule.days:
            yield from _overlaps(schedule.ref, f"{schedule.title}: {group.title}", group.ranges)
    by_date: dict[date, list[SpecialDay]] = {}
    for day in part.days:
        others = by_date.setdefault(day.day, [])
        yield from (Finding("error", day.ref, p.message, _texts(p)) for p in (*day_problems(day), *_twice(day, others)))
        yield from _overlaps(day.ref, day.title, day.ranges)
        others.append(day)


store: ElementStore[SchedulesPart] = ElementStore(SchedulesPart, {"schedules": ScheduleRow, "days": SpecialDayRow}, check)


def _overlaps(where: Ref, title: str, ranges: Sequence[HourRange]) -> Iterable[Finding]:
    """Hours of one day of which one begins before another has ended; a range over midnight may meet those of the next day."""
    last: HourRange | None = None
    for hours in sorted(ranges, key=lambda r: (r.start, r.length)):
        if last is not None and hours.start < last.start + last.length:
            yield Finding("warning", where, OVERLAP, {"title": title, "first": str(last), "second": str(hours)})
        if last is None or hours.start + hours.length > last.start + last.length:
            last = hours


def _texts(problem: Problem) -> dict[str, str]:
    return {name: str(value) for name, value in problem.params.items()}


# schedules ------------------------------------------------------------------------------------------------------------


def problems(schedule: Schedule) -> list[Problem]:
    """What is wrong with the fields (SCH-2…SCH-5, R6)."""
    found = []
    if not schedule.title.strip():
        found.append(Problem("title", N_("Enter a name.")))
    if schedule.timezone is not None:
        try:
            ZoneInfo(schedule.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            found.append(Problem("timezone", N_("Unknown time zone “{zone}”."), zone=schedule.timezone))
    for number, day in enumerate(schedule.days):
        if not day.title.strip():
            found.append(Problem("days", N_("Give every day group a name.")))
        if any(not 0 <= d <= 6 for d in day.weekdays) or len(set(day.weekdays)) < len(day.weekdays):
            found.append(Problem("days", N_("A week has seven days.")))
        for other in schedule.days[:number]:
            if set(day.weekdays) & set(other.weekdays):
                text = N_("A weekday may be in one day group only: “{first}” and “{second}” share one.")
                found.append(Problem("days", text, first=other.title, second=day.title))
        found += _range_problems("days", day.ranges)
    kinds = [kind for group in (*(day.special for day in schedule.days), schedule.closed) for kind in group]
    if len(set(kinds)) < len(kinds):
        found.append(Problem("holidays", N_("A kind of special days may be in one day group only.")))
    return found


def _range_problems(field: str, ranges: Sequence[HourRange]) -> list[Problem]:
    found = []
    for hours in ranges:
        if not (0 <= hours.start < MINUTES_A_DAY and 0 <= hours.end <= MINUTES_A_DAY):
            found.append(Problem(field, _TIMES))
        elif hours.start == hours.end:
            found.append(Problem(field, _EQUAL))
    return found


async def save_schedule(edit: Edit, schedule: Schedule) -> Schedule:
    """Create (id 0) or change. Raises Invalid, NotFound."""
    found = problems(schedule)
    if found:
        raise Invalid(found)
    schedule = msgspec.structs.replace(schedule, title=schedule.title.strip(), days=tuple(_tidy(d) for d in schedule.days))
    if schedule.id:
        await store.save(edit.account_id, schedule, edit.tx)
        return schedule
    return await store.insert(edit.account_id, schedule, edit.tx)


def _tidy(day: DayGroup) -> DayGroup:
    return msgspec.structs.replace(day, title=day.title.strip(), weekdays=tuple(sorted(day.weekdays)))


async def delete_schedule(edit: Edit, ref: Ref) -> None:
    """Single days that name it no longer do, and are deleted when they name no other. Raises NotFound, InUse while something keeps its
    hours."""
    schedule = edit.before.get(ref, Schedule)
    if schedule is None:
        raise NotFound
    places = [e.title for e in users_of(edit.before, ref)]
    if places:
        raise InUse(schedule.title, places)
    for day in (await store.load(edit.account_id, edit.tx)).days:
        if day.schedules is not None and ref in day.schedules:
            await _take_out(edit, day, [ref])
    await store.remove(edit.account_id, schedule, edit.tx)


def users_of(whole: Snapshot, ref: Ref) -> list[Element]:
    """What keeps these hours; single days don't, they change them."""
    return [e for e in whole.referers(ref) if not isinstance(e, SpecialDay)]


# single days ----------------------------------------------------------------------------------------------------------


def day_problems(day: SpecialDay) -> list[Problem]:
    found = _range_problems("ranges", day.ranges)
    if len(day.ranges) > MOST_RANGES:
        found.append(Problem("ranges", N_("At most {count} time ranges."), count=MOST_RANGES))
    if day.schedules is not None and (not day.schedules or len(set(day.schedules)) < len(day.schedules)):
        found.append(Problem("schedules", N_("Choose at least one schedule.")))
    if not 2000 <= day.day.year <= 2200:
        found.append(Problem("day", N_("Enter a date.")))
    return found


def _twice(day: SpecialDay, others: Iterable[SpecialDay]) -> Iterable[Problem]:
    """A date may have one for all schedules, and one for each."""
    for other in others:
        if other.id != day.id and other.day == day.day and _meet(day, other):
            yield Problem("day", _TWICE, date=f"{day.day:%d.%m.%Y}", title=other.title)


def _meet(one: SpecialDay, other: SpecialDay) -> bool:
    if one.schedules is None or other.schedules is None:
        return one.schedules is other.schedules
    return bool(set(one.schedules) & set(other.schedules))


async def save_day(edit: Edit, day: SpecialDay) -> SpecialDay:
    """Create (id 0) or change a single day; without a title it is called by its date. Raises Invalid, NotFound."""
    part = await store.load(edit.account_id, edit.tx)
    before = next((d for d in part.days if d.id == day.id), None)
    if day.id and before is None:
        raise NotFound
    found = [*day_problems(day), *_twice(day, part.days)]
    if (before is None or before.day != day.day) and day.day < clock.now().date() - timedelta(days=1):  # over in every time zone
        found.append(Problem("day", N_("This day is over.")))
    known = {schedule.ref for schedule in part.schedules}
    if any(ref not in known for ref in day.schedules or ()):
        found.append(Problem("schedules", N_("Choose one of the list.")))
    if found:
        raise Invalid(found)
    ranges = tuple(sorted(set(day.ranges), key=lambda r: (r.start, r.end)))
    day = msgspec.structs.replace(day, title=day.title.strip() or f"{day.day:%d.%m.%Y}", ranges=ranges)
    if day.id:
        await store.save(edit.account_id, day, edit.tx)
        return day
    return await store.insert(edit.account_id, day, edit.tx)


async def set_day(
    edit: Edit, day: date, ranges: Sequence[HourRange] = (), title: str = "", schedules: Sequence[Ref] | None = None
) -> SpecialDay:
    """Give a date these hours (none: closed), in place of what was set for the same schedules (None: for all of them). Raises Invalid."""
    await _clear(edit, day, schedules)
    named = None if schedules is None else tuple(dict.fromkeys(schedules))
    return await save_day(edit, SpecialDay(id=0, title=title, day=day, ranges=tuple(ranges), schedules=named))


async def clear_day(edit: Edit, day: date, schedules: Sequence[Ref] | None = None) -> None:
    """Let a date be like any other again, for the schedules named or what was set for all. Raises NotFound when nothing was set."""
    if not await _clear(edit, day, schedules):
        raise NotFound


async def _clear(edit: Edit, day: date, schedules: Sequence[Ref] | None) -> bool:
    cleared = False
    for one in (await store.load(edit.account_id, edit.tx)).days:
        if one.day != day or (one.schedules is None) is not (schedules is None):
            continue
        if one.schedules is None or set(one.schedules) & set(schedules or ()):
            await _take_out(edit, one, schedules or ())
            cleared = True
    return cleared


async def _take_out(edit: Edit, day: SpecialDay, schedules: Sequence[Ref]) -> None:
    """A day that is left without schedules is deleted, since without any it would count for all."""
    left = tuple(ref for ref in day.schedules or () if ref not in schedules)
    if left:
        await store.save(edit.account_id, msgspec.structs.replace(day, schedules=left), edit.tx)
    else:
        await store.remove(edit.account_id, day, edit.tx)


async def delete_day(edit: Edit, ref: Ref) -> None:
    """Raises NotFound."""
    day = edit.before.get(ref, SpecialDay)
    if day is None:
        raise NotFound
    await store.remove(edit.account_id, day, edit.tx)
