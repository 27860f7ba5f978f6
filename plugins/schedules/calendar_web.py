# SPDX-License-Identifier: Apache-2.0
"""The page on which one looks what a schedule does: the coming two weeks in words, a year in colours, its special days by name."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from engine.sdk import Page, clock
from plugins.schedules import federal, words
from plugins.schedules.part import Day, Schedule
from web.sdk import Visit, http

_FIRST, _LAST = 2005, 2100
"""Years that can be turned to: since 2005 the holidays are those of today's law."""


@dataclass(frozen=True, slots=True)
class Cell:
    """`tone`: open, closed, special-open, special-closed; `about` is read and shown under the pointer."""

    number: int
    tone: str
    about: str
    today: bool


@dataclass(frozen=True, slots=True)
class Line:
    """Neighbouring days that are alike."""

    days: str
    name: str
    hours: str
    open: bool
    single: bool


async def calendar(visit: Visit) -> http.Response:
    schedule = visit.element(Schedule)
    today = clock.now().astimezone(schedule.zone(visit.snapshot)).date()
    wish = visit.query.get("year", "")
    year = min(max(int(wish), _FIRST), _LAST) if wish.isascii() and wish.isdigit() and len(wish) < 6 else today.year
    await ready(visit, year)
    months = [(visit.t(words.MONTHS[month - 1]), _weeks(visit, schedule, year, month, today)) for month in range(1, 13)]
    near = [_line(visit, (today + timedelta(days=n),), schedule.on(today + timedelta(days=n), visit.snapshot)) for n in range(14)]

    def at(number: int) -> str:
        return visit.url("schedules.calendar", id=schedule.id, year=number) if _FIRST <= number <= _LAST else ""

    return visit.render(
        "schedules/calendar.html", element=schedule, year=year, months=months, near=near, special=_special(visit, schedule, year),
        weekdays=[(visit.t(short), visit.t(full)) for short, full in words.WEEKDAYS], before=at(year - 1), after=at(year + 1),
        known_until=federal.known_until() if schedule.holidays else 0,
    )  # fmt: skip


async def ready(visit: Visit, year: int | None = None) -> None:
    """Have the library read in a thread before a page asks it, so that calls of this process do not wait meanwhile."""
    if any(isinstance(e, Schedule) and e.holidays for e in visit.snapshot.elements()):
        await asyncio.to_thread(federal.load, year or clock.now().year)


def _weeks(visit: Visit, schedule: Schedule, year: int, month: int, today: date) -> list[list[Cell | None]]:
    first = date(year, month, 1)
    cells: list[Cell | None] = [None] * first.weekday()
    day = first
    while day.month == month:
        cells.append(_cell(visit, day, schedule.on(day, visit.snapshot), today))
        day += timedelta(days=1)
    cells += [None] * (-len(cells) % 7)
    return [cells[n : n + 7] for n in range(0, len(cells), 7)]


def _cell(visit: Visit, day: date, found: Day, today: date) -> Cell:
    tone = ("special-" if found.kind != "weekday" else "") + ("open" if found.ranges else "closed")
    name = _name(visit, day, found)
    hours = words.hours(visit, found.ranges)
    return Cell(day.day, tone, f"{words.with_weekday(visit, day)}: {hours}" + (f" ({name})" if name else ""), day == today)


def _name(visit: Visit, day: date, found: Day) -> str:
    """What is special about a day, also where its hours are those of the weekday."""
    if found.reason or found.kind == "weekday":
        return visit.t(found.reason, **found.params)
    special = federal.special(day)
    return visit.t(special.reason, **special.params) if special else ""


def _line(visit: Visit, days: Sequence[date], found: Day) -> Line:
    first, last = days[0], days[-1]
    said = words.with_weekday(visit, first)
    if last != first:
        said = f"{words.short_day(visit, first)} – {words.short_day(visit, last)}"
    name = _name(visit, first, found)
    return Line(said, name, words.hours(visit, found.ranges), bool(found.ranges), found.kind == "single")


def _special(visit: Visit, schedule: Schedule, year: int) -> list[Line]:
    """Every day of the year that differs from its weekday, neighbours of one name drawn together."""
    runs: list[tuple[list[date], Day]] = []
    day = date(year, 1, 1)
    while day.year == year:
        found = schedule.on(day, visit.snapshot)
        if found.kind != "weekday":
            if runs and runs[-1][1] == found and runs[-1][0][-1] == day - timedelta(days=1) and found.reason:
                runs[-1][0].append(day)
            else:
                runs.append(([day], found))
        day += timedelta(days=1)
    return [_line(visit, days, found) for days, found in runs]


PAGES = (Page("GET", "/schedules/{id}/calendar", calendar, "admin", name="schedules.calendar"),)
