# SPDX-License-Identifier: Apache-2.0
"""Pages of schedules (SCH-1…SCH-3): list with “open now”, create, edit with day groups and time ranges, delete."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from engine.sdk import N_, Page, clock
from plugins.schedules import editor, service
from plugins.schedules.part import DayGroup, HourRange, Schedule, SchedulesPart
from web.sdk import Form, Nothing, Visit, confirm, http, timezones

WEEKDAYS: Final = (
    (N_("Mon"), N_("Monday")), (N_("Tue"), N_("Tuesday")), (N_("Wed"), N_("Wednesday")), (N_("Thu"), N_("Thursday")),
    (N_("Fri"), N_("Friday")), (N_("Sat"), N_("Saturday")), (N_("Sun"), N_("Sunday")),
)  # fmt: skip


class ScheduleForm(msgspec.Struct, frozen=True, kw_only=True):
    title: Annotated[str, Meta(min_length=1, max_length=200)]
    timezone: str
    days: str = ""
    """Never sent: the place where problems of the day groups are shown."""


async def schedules(visit: Visit) -> http.Response:
    part = visit.snapshot.part("schedules", SchedulesPart)
    found = sorted(part.schedules, key=lambda s: s.title.casefold()) if part else []
    rows = [(s, *state(visit, s, clock.now()), _summary(visit, s), _used(visit, s)) for s in found]
    return visit.render("schedules/list.html", rows=rows)


def state(visit: Visit, schedule: Schedule, now: datetime) -> tuple[bool, str]:
    """(open now, in words until when)."""
    verdict = schedule.verdict(now, None)
    if verdict.holds:
        closes = verdict.until
        return True, visit.t("open until {when}", when=_when(visit, schedule, closes, now)) if closes else visit.t("always open")
    opens = schedule.opens_at(now)
    return False, visit.t("closed until {when}", when=_when(visit, schedule, opens, now)) if opens else visit.t("always closed")


def _when(visit: Visit, schedule: Schedule, moment: datetime, now: datetime) -> str:
    """A moment of the coming week by the clock of the schedule: the time alone today, else the weekday with it."""
    local, today = moment.astimezone(ZoneInfo(schedule.timezone)), now.astimezone(ZoneInfo(schedule.timezone)).date()
    time = f"{local:%H:%M}"
    day = visit.t(WEEKDAYS[local.weekday()][0])
    return time if local.date() == today else f"{day.lower() if visit.language == 'ru' else day} {time}"


def _summary(visit: Visit, schedule: Schedule) -> list[tuple[str, str]]:
    """(weekdays, hours) of each day group: “Mon–Fri”, “09:00–18:00”."""
    lines = []
    for day in schedule.days:
        hours = ", ".join(f"{editor.time_of(r.start)}–{editor.time_of(r.end)}" for r in day.ranges) or visit.t("closed")
        lines.append((_weekdays(visit, day.weekdays) or day.title, hours))
    return lines


def _weekdays(visit: Visit, numbers: tuple[int, ...]) -> str:
    """“Mon–Fri, Sun”: neighbours are drawn together from three on."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    short = [visit.t(name) for name, _ in WEEKDAYS]
    said = [f"{short[r[0]]}–{short[r[-1]]}" if len(r) > 2 else ", ".join(short[n] for n in r) for r in runs]
    return ", ".join(said)


def _used(visit: Visit, schedule: Schedule) -> list[tuple[str, str]]:
    """(title, address) of what keeps these hours."""
    return [(e.title, visit.url_of(e.ref)) for e in visit.snapshot.referers(schedule.ref)] if schedule.id else []


async def new_schedule(visit: Visit) -> http.Response:
    days = (DayGroup(visit.t("Working days"), (0, 1, 2, 3, 4), (HourRange(9 * 60, 18 * 60),)),)
    return await _edit(visit, Schedule(id=0, title="", timezone=visit.snapshot.account.timezone, days=days))


async def schedule(visit: Visit) -> http.Response:
    return await _edit(visit, visit.element(Schedule))


async def _edit(visit: Visit, element: Schedule) -> http.Response:
    form = Form(visit, ScheduleForm, element)
    rows = editor.posted_rows(visit) if visit.is_post else editor.rows_of(element.days)
    if visit.is_post and not editor.changed(rows, visit.text("do")):
        with form.saving():
            wish = form.read()
            wanted = msgspec.structs.replace(element, title=wish.title, timezone=wish.timezone, days=editor.days_of(rows))
            async with visit.edit() as edit:
                made = await service.save_schedule(edit, wanted)
            return visit.go(visit.url(Schedule.kind, id=made.id), message=visit.t("Saved."))
    now = clock.now()
    return visit.render(
        "schedules/schedule.html", status=form.status, form=form, element=element, rows=rows, used=_used(visit, element),
        **_words(visit, element), state=state(visit, element, now) if element.id else None,
        clock_there=f"{now.astimezone(ZoneInfo(element.timezone)):%H:%M}",
    )  # fmt: skip


def _words(visit: Visit, element: Schedule) -> dict[str, Any]:
    return {
        "zones": timezones(element.timezone),
        "weekdays": [(n, visit.t(short), visit.t(full)) for n, (short, full) in enumerate(WEEKDAYS)],
        "most_groups": editor.MOST_GROUPS,
    }


async def delete_schedule(visit: Visit) -> http.Response:
    element = visit.element(Schedule)
    form = Form(visit, Nothing)
    if visit.is_post:
        with form.saving():
            async with visit.edit() as edit:
                await service.delete_schedule(edit, element.ref)
            return visit.go(visit.url("schedules.list"), message=visit.t("“{title}” is deleted.", title=element.title))
    question = visit.t("Delete the schedule “{title}”?", title=element.title)
    return confirm(visit, question, back=visit.url(Schedule.kind, id=element.id), form=form, of=element.ref)


PAGES = (
    Page("GET", "/schedules", schedules, "admin", name="schedules.list", menu=N_("Schedules"), menu_section="directories", icon="clock"),
    Page("GET", "/schedules/new", new_schedule, "admin", name="schedules.new"),
    Page("POST", "/schedules/new", new_schedule, "admin"),
    Page("GET", "/schedules/{id}", schedule, "admin", name=Schedule.kind),
    Page("POST", "/schedules/{id}", schedule, "admin"),
    Page("GET", "/schedules/{id}/delete", delete_schedule, "admin", name="schedules.delete"),
    Page("POST", "/schedules/{id}/delete", delete_schedule, "admin"),
)
