# SPDX-License-Identifier: Apache-2.0
"""Pages of schedules (SCH-1…SCH-5): list with “open now”, create, edit with day groups, time ranges and holidays, delete."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from engine.sdk import N_, Page, clock
from plugins.schedules import calendar_web, days_web, editor, federal, service, words
from plugins.schedules.calendar_web import ready
from plugins.schedules.federal import SpecialKind
from plugins.schedules.part import DayGroup, HourRange, Schedule, SchedulesPart, SpecialDay, state
from web.sdk import Form, Nothing, Visit, confirm, http, timezones, zone_title

SPECIAL: tuple[tuple[SpecialKind, str, str, str], ...] = (
    ("working", N_("Moved working days"), N_("As the weekday"), N_("A weekend that was declared a working day")),
    ("off", N_("Days off"), N_("Closed"), N_("Official holidays, and days off moved to working days")),
    ("short", N_("Short days"), N_("As the weekday"), N_("Working days directly before a holiday, officially an hour shorter")),
)
"""(kind, name, what it means when nothing is chosen, explanation)."""


class ScheduleForm(msgspec.Struct, frozen=True, kw_only=True):
    title: Annotated[str, Meta(min_length=1, max_length=200)]
    timezone: str | None = None
    holidays: bool = False
    days: str = ""
    """Never sent: the place where problems of the day groups are shown."""


async def schedules(visit: Visit) -> http.Response:
    await ready(visit)
    part = visit.snapshot.part("schedules", SchedulesPart)
    found = sorted(part.schedules, key=lambda s: s.title.casefold()) if part else []
    rows = [(s, _told(visit, s), _summary(visit, s), _used(visit, s)) for s in found]
    return visit.render("schedules/list.html", rows=rows)


def _told(visit: Visit, schedule: Schedule) -> words.Told:
    now = clock.now()
    return words.told(visit, schedule, state(schedule, now, visit.snapshot), now)


def _summary(visit: Visit, schedule: Schedule) -> list[tuple[str, str]]:
    """(weekdays, hours) of each day group: “Mon–Fri”, “09:00–18:00”."""
    return [(words.weekdays(visit, day.weekdays) or day.title, words.hours(visit, day.ranges)) for day in schedule.days]


def _used(visit: Visit, schedule: Schedule) -> list[tuple[str, str]]:
    """(title, address) of what keeps these hours."""
    return [(e.title, visit.url_of(e.ref)) for e in service.users_of(visit.snapshot, schedule.ref)] if schedule.id else []


async def new_schedule(visit: Visit) -> http.Response:
    days = (DayGroup(visit.t("Working days"), (0, 1, 2, 3, 4), (HourRange(9 * 60, 18 * 60),)),)
    return await _edit(visit, Schedule(id=0, title="", days=days))


async def schedule(visit: Visit) -> http.Response:
    return await _edit(visit, visit.element(Schedule))


async def _edit(visit: Visit, element: Schedule) -> http.Response:
    form = Form(visit, ScheduleForm, element)
    rows = editor.posted_rows(visit) if visit.is_post else editor.rows_of(element.days)
    closed = editor.posted_closed(visit) if visit.is_post else element.closed
    if visit.is_post and not editor.changed(rows, visit.text("do")):
        with form.saving():
            wish = form.read()
            editor.check_special(visit, rows)
            wanted = msgspec.structs.replace(
                element, title=wish.title, timezone=wish.timezone, days=editor.days_of(rows), holidays=wish.holidays, closed=closed
            )
            async with visit.edit() as edit:
                made = await service.save_schedule(edit, wanted)
            return visit.go(visit.url(Schedule.kind, id=made.id), message=visit.t("Saved."))
    await ready(visit)
    return visit.render(
        "schedules/schedule.html", status=form.status, form=form, element=element, rows=rows,
        closed=closed, **_words(visit, element), state=_told(visit, element) if element.id else None,
        clock_there=f"{clock.now().astimezone(element.zone(visit.snapshot)):%H:%M}",
    )  # fmt: skip


def _words(visit: Visit, element: Schedule) -> dict[str, Any]:
    return {
        "zones": timezones(visit, element.timezone or visit.snapshot.account.timezone),
        "pbx_zone": zone_title(visit, visit.snapshot.account.timezone),
        "weekdays": [(n, visit.t(short), visit.t(full)) for n, (short, full) in enumerate(words.WEEKDAYS)],
        "most_groups": editor.MOST_GROUPS,
        "kinds": [(kind, visit.t(title), visit.t(unassigned), visit.t(about)) for kind, title, unassigned, about in SPECIAL],
        "known_until": federal.known_until() if element.holidays else 0,
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
    goes = [day.title for day in _days_of(visit, element)]
    return confirm(
        visit, question, back=visit.url(Schedule.kind, id=element.id), form=form, of=element.ref, besides=SpecialDay, goes=goes
    )


def _days_of(visit: Visit, schedule: Schedule) -> list[SpecialDay]:
    """Single days that concern no other schedule."""
    return [e for e in visit.snapshot.elements() if isinstance(e, SpecialDay) and e.schedules == (schedule.ref,)]


PAGES = (
    Page("GET", "/schedules", schedules, "admin", name="schedules.list", menu=N_("Schedules"), menu_section="directories", icon="clock"),
    Page("GET", "/schedules/new", new_schedule, "admin", name="schedules.new"),
    Page("POST", "/schedules/new", new_schedule, "admin"),
    Page("GET", "/schedules/{id}", schedule, "admin", name=Schedule.kind),
    Page("POST", "/schedules/{id}", schedule, "admin"),
    Page("GET", "/schedules/{id}/delete", delete_schedule, "admin", name="schedules.delete"),
    Page("POST", "/schedules/{id}/delete", delete_schedule, "admin"),
    *calendar_web.PAGES,
    *days_web.PAGES,
)
