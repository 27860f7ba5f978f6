# SPDX-License-Identifier: Apache-2.0
"""Days, hours and states in the visitor's words, for the pages of schedules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from engine.sdk import N_, format_date
from plugins.schedules import editor
from plugins.schedules.part import HourRange, Schedule, State
from web.sdk import Visit

WEEKDAYS: Final = (
    (N_("Mon"), N_("Monday")), (N_("Tue"), N_("Tuesday")), (N_("Wed"), N_("Wednesday")), (N_("Thu"), N_("Thursday")),
    (N_("Fri"), N_("Friday")), (N_("Sat"), N_("Saturday")), (N_("Sun"), N_("Sunday")),
)  # fmt: skip
MONTHS: Final = (
    N_("January"), N_("February"), N_("March"), N_("April"), N_("May"), N_("June"),
    N_("July"), N_("August"), N_("September"), N_("October"), N_("November"), N_("December"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """“open until 18:00”, and by which special day: “Victory Day”, or "" on a day like any other."""

    open: bool
    until: str
    why: str


def told(visit: Visit, schedule: Schedule, found: State, now: datetime) -> Told:
    when = moment(visit, schedule, found.until, now) if found.until else ""
    if found.open:
        until = visit.t("open until {when}", when=when) if when else visit.t("always open")
    else:
        until = visit.t("closed until {when}", when=when) if when else visit.t("always closed")
    return Told(found.open, until, visit.t(found.day.reason, **found.params))


def moment(visit: Visit, schedule: Schedule, at: datetime, now: datetime) -> str:
    """By the clock of the schedule: the time alone today, the weekday with it within six days, else the date."""
    zone = schedule.zone(visit.snapshot)
    local, today = at.astimezone(zone), now.astimezone(zone).date()
    time = f"{local:%H:%M}"
    if local.date() == today:
        return time
    if local.date() < today + timedelta(days=7):
        day = visit.t(WEEKDAYS[local.weekday()][0])
        return f"{day.lower() if visit.language == 'ru' else day} {time}"
    return f"{format_date(visit.language, local.date())}, {time}"


def hours(visit: Visit, ranges: Sequence[HourRange]) -> str:
    return ", ".join(f"{editor.time_of(r.start)}–{editor.time_of(r.end)}" for r in ranges) or visit.t("closed")


def short_day(visit: Visit, day: date) -> str:
    """Without its year: “09.01”, “Jan 9”."""
    return f"{day:%d.%m}" if visit.language == "ru" else f"{day:%b} {day.day}"


def with_weekday(visit: Visit, day: date) -> str:
    """“Чт 26.11”, “Thu Nov 26”."""
    return f"{visit.t(WEEKDAYS[day.weekday()][0])} {short_day(visit, day)}"


def weekdays(visit: Visit, numbers: Sequence[int]) -> str:
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
