# SPDX-License-Identifier: Apache-2.0
"""Creating, changing and deleting schedules. Every function works inside an edit; nothing is saved when it raises."""

from __future__ import annotations

from collections.abc import Iterable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from engine.sdk import N_, Edit, ElementStore, Finding, InUse, Invalid, NotFound, Problem, Ref, Snapshot
from plugins.schedules.models import ScheduleRow
from plugins.schedules.part import MINUTES_A_DAY, Schedule, SchedulesPart


def check(part: SchedulesPart, whole: Snapshot) -> Iterable[Finding]:
    return ()


store: ElementStore[SchedulesPart] = ElementStore(SchedulesPart, {"schedules": ScheduleRow}, check)


def problems(schedule: Schedule) -> list[Problem]:
    """What is wrong with the fields (SCH-2, SCH-3, R6)."""
    found = []
    if not schedule.title.strip():
        found.append(Problem("title", N_("Enter a name.")))
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
        for hours in day.ranges:
            if not (0 <= hours.start < MINUTES_A_DAY and 0 <= hours.end <= MINUTES_A_DAY):
                found.append(Problem("days", N_("Times run from 00:00 to 24:00.")))
            elif hours.start == hours.end:
                found.append(Problem("days", N_("A range must not begin and end at the same time.")))
    return found


async def save_schedule(edit: Edit, schedule: Schedule) -> Schedule:
    """Create (id 0) or change. Raises Invalid, NotFound."""
    found = problems(schedule)
    if found:
        raise Invalid(found)
    days = tuple(msgspec.structs.replace(d, title=d.title.strip(), weekdays=tuple(sorted(d.weekdays))) for d in schedule.days)
    schedule = msgspec.structs.replace(schedule, title=schedule.title.strip(), days=days)
    if schedule.id:
        await store.save(edit.account_id, schedule, edit.tx)
        return schedule
    return await store.insert(edit.account_id, schedule, edit.tx)


async def delete_schedule(edit: Edit, ref: Ref) -> None:
    """Raises NotFound, InUse while something keeps its hours."""
    schedule = edit.before.get(ref, Schedule)
    if schedule is None:
        raise NotFound
    places = [e.title for e in edit.before.referers(ref)]
    if places:
        raise InUse(schedule.title, places)
    await store.remove(edit.account_id, schedule, edit.tx)
