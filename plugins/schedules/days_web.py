# SPDX-License-Identifier: Apache-2.0
"""Pages of single days (SCH-5): the coming ones and the past, create, edit, delete."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from engine.sdk import N_, Invalid, Page, Problem, Ref, clock, format_date
from plugins.schedules import editor, service, words
from plugins.schedules.part import HourRange, Schedule, SchedulesPart, SpecialDay
from web.sdk import Form, Nothing, Visit, confirm, http

_PAST: Final = 30
"""Days that are over and still shown."""


class DayForm(msgspec.Struct, frozen=True, kw_only=True):
    day: Annotated[str, Meta(min_length=1, max_length=40)]
    title: Annotated[str, Meta(max_length=200)] = ""
    how: Literal["closed", "hours"] = "closed"
    hours: Annotated[str, Meta(max_length=400)] = ""
    scope: Literal["all", "some"] = "all"
    schedules: tuple[Ref, ...] = ()


async def days(visit: Visit) -> http.Response:
    today = clock.now().astimezone(visit.zone).date()
    part = visit.snapshot.part("schedules", SchedulesPart)
    found = sorted(part.days, key=lambda d: (d.day, d.schedules is None, d.id)) if part else []
    coming = [_row(visit, d) for d in found if d.day >= today]
    past = [_row(visit, d) for d in reversed(found) if d.day < today][:_PAST]
    return visit.render("schedules/days.html", coming=coming, past=past)


def _row(visit: Visit, day: SpecialDay) -> tuple[SpecialDay, str, str, str]:
    """(day, its date, its hours, for which schedules)."""
    date_words = f"{visit.t(words.WEEKDAYS[day.day.weekday()][0])}, {format_date(visit.language, day.day)}"
    return day, date_words, words.hours(visit, day.ranges), _for(visit, day)


def _for(visit: Visit, day: SpecialDay) -> str:
    if day.schedules is None:
        return visit.t("all schedules")
    return ", ".join(e.title for ref in day.schedules if (e := visit.snapshot.get(ref, Schedule)))


async def new_day(visit: Visit) -> http.Response:
    """`?schedule=` ticks one: its page links here."""
    wish = visit.query.get("schedule", "")
    chosen = visit.snapshot.get(Ref(Schedule.kind, int(wish)), Schedule) if wish.isascii() and wish.isdigit() and len(wish) < 18 else None
    today = clock.now().astimezone(visit.zone).date()
    return await _edit(visit, SpecialDay(id=0, title="", day=today, schedules=(chosen.ref,) if chosen else None))


async def day(visit: Visit) -> http.Response:
    return await _edit(visit, visit.element(SpecialDay))


async def _edit(visit: Visit, element: SpecialDay) -> http.Response:
    start = {
        "day": element.day.isoformat(), "title": element.title, "how": "hours" if element.ranges else "closed",
        "hours": editor.hours_text(element.ranges),
        "scope": "all" if element.schedules is None else "some", "schedules": element.schedules or (),
    }  # fmt: skip
    form = Form(visit, DayForm, start)
    if visit.is_post:
        with form.saving():
            wanted = _wanted(element, form.read())
            async with visit.edit() as edit:
                try:
                    await service.save_day(edit, wanted)
                except Invalid as invalid:
                    raise Invalid([_placed(problem) for problem in invalid.problems]) from invalid
            return visit.go(visit.url("schedules.days"), message=visit.t("Saved."))
    everything = sorted((e for e in visit.snapshot.elements() if isinstance(e, Schedule)), key=lambda e: e.title.casefold())
    return visit.render(
        "schedules/day.html", status=form.status, form=form, element=element, pairs=[(str(e.ref), e.title) for e in everything],
    )  # fmt: skip


def _placed(problem: Problem) -> Problem:
    """The service speaks of ranges, the form has one field for them."""
    return Problem("hours", problem.message, **problem.params) if problem.field == "ranges" else problem


def _wanted(element: SpecialDay, wish: DayForm) -> SpecialDay:
    """Raises Invalid."""
    problems: list[Problem] = []
    ranges: tuple[HourRange, ...] = ()
    try:
        on = date.fromisoformat(wish.day)
    except ValueError:
        on = element.day
        problems.append(Problem("day", N_("Enter a date.")))
    if wish.how == "hours":
        try:
            ranges = editor.ranges_of("hours", wish.hours)
        except Problem as problem:
            problems.append(problem)
    if wish.scope == "some" and not wish.schedules:
        problems.append(Problem("schedules", N_("Choose at least one schedule.")))
    if problems:
        raise Invalid(problems)
    return msgspec.structs.replace(
        element, title=wish.title, day=on, ranges=ranges, schedules=None if wish.scope == "all" else tuple(sorted(wish.schedules))
    )


async def delete_day(visit: Visit) -> http.Response:
    element = visit.element(SpecialDay)
    form = Form(visit, Nothing)
    if visit.is_post:
        with form.saving():
            async with visit.edit() as edit:
                await service.delete_day(edit, element.ref)
            return visit.go(visit.url("schedules.days"), message=visit.t("“{title}” is deleted.", title=element.title))
    question = visit.t("Delete the special day “{title}”?", title=element.title)
    return confirm(visit, question, back=visit.url(SpecialDay.kind, id=element.id), form=form)


PAGES = (
    Page(
        "GET", "/special-days", days, "admin", name="schedules.days", menu=N_("Special days"), menu_section="directories", icon="calendar"
    ),
    Page("GET", "/special-days/new", new_day, "admin", name="schedules.day.new"),
    Page("POST", "/special-days/new", new_day, "admin"),
    Page("GET", "/special-days/{id}", day, "admin", name=SpecialDay.kind),
    Page("POST", "/special-days/{id}", day, "admin"),
    Page("GET", "/special-days/{id}/delete", delete_day, "admin", name="schedules.day.delete"),
    Page("POST", "/special-days/{id}/delete", delete_day, "admin"),
)
