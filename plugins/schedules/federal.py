# SPDX-License-Identifier: Apache-2.0
"""The federal calendar of Russia (SCH-4, R28): days off, working days moved to a weekend, and short days, from the `holidays` library.

The library is loaded when the first schedule asks: only those with the switch on do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from engine.sdk import N_

if TYPE_CHECKING:
    from holidays import HolidayBase

SpecialKind: TypeAlias = Literal["working", "off", "short"]
"""Рабочие дни, Выходные, Короткие дни (2.1.7.5)."""
KINDS: Final[tuple[SpecialKind, ...]] = ("working", "off", "short")
TITLES: Final[Mapping[SpecialKind, str]] = {"working": N_("Moved working days"), "off": N_("Days off"), "short": N_("Short days")}

STATUTORY: Final[Mapping[str, str]] = {
    "Новогодние каникулы": N_("New Year holidays"),
    "Рождество Христово": N_("Christmas"),
    "День защитника Отечества": N_("Defender of the Fatherland Day"),
    "Международный женский день": N_("International Women’s Day"),
    "Праздник Весны и Труда": N_("Spring and Labour Day"),
    "День Победы": N_("Victory Day"),
    "День России": N_("Russia Day"),
    "День народного единства": N_("National Unity Day"),
}
"""The holidays of article 112 of the Labour Code by the names the library gives them in Russian."""
MOVED_OFF: Final = N_("day off moved from {date}")
MOVED_WORK: Final = N_("working day instead of {date}")
SHORT: Final = N_("short day before a holiday")

_DAY: Final = timedelta(days=1)
_MOVED: Final = re.compile(r"перенесено с (\d\d)\.(\d\d)\.(\d{4})")
_NEXT_WORKING_DAY: Final = " (выходной)"
"""The library's mark of a holiday's day off that follows a holiday at a weekend."""


@dataclass(frozen=True, slots=True)
class Special:
    """A day that differs from its weekday. `kinds`: the one asked first stands first; `reason` with `params`: what it is, a message id."""

    kinds: tuple[SpecialKind, ...]
    reason: str
    params: Mapping[str, str]


def special(day: date) -> Special | None:
    return _year(day.year).get(day)


def specials(year: int) -> Mapping[date, Special]:
    """The special days of a year, in order."""
    return _year(year)


@cache
def known_until() -> int:
    """The last year whose moved days are known: of later ones only the holidays of article 112 are, since the government moves days
    year by year."""
    moved: Mapping[int, object] = _calendar().special_public_holidays
    return max(moved)


def load(year: int) -> None:
    """Read what calls of these months will ask, in a thread: the library takes a third of a second."""
    known_until()
    for one in (year - 1, year, year + 1):
        _year(one)


def _calendar(*years: int) -> HolidayBase:
    import holidays

    return holidays.country_holidays("RU", language="ru", years=years)


@cache
def _year(year: int) -> Mapping[date, Special]:
    if not date.min.year < year < date.max.year:
        return {}
    calendar = _calendar(year - 1, year, year + 1)
    names = {day: name.split("; ")[0] for day, name in calendar.items()}
    instead = {_moved_from(name): day for day, name in names.items()}
    work = set(calendar.weekend_workdays)

    def works(day: date) -> bool:
        return day in work or (day.weekday() < 5 and day not in names)

    def before_a_holiday(day: date) -> bool:
        return names.get(day + _DAY) in STATUTORY

    found: dict[date, Special] = {}
    day = date(year, 1, 1)
    while day.year == year:
        # Article 95: the day directly before a holiday is an hour shorter. A weekend that works instead of such a day is as long as
        # it (order 588n of 2009); a day before one that was merely moved is not shortened.
        short = works(day) and (before_a_holiday(day) or (day in work and day in instead and before_a_holiday(instead[day])))
        if day in work:
            kinds: tuple[SpecialKind, ...] = ("short", "working") if short else ("working",)
            found[day] = Special(kinds, MOVED_WORK if day in instead else N_("moved working day"), _date(instead.get(day)))
        elif short:
            found[day] = Special(("short",), SHORT, {})
        elif day in names:
            moved = _moved_from(names[day])
            name = names[day].removesuffix(_NEXT_WORKING_DAY)
            found[day] = Special(("off",), MOVED_OFF if moved else STATUTORY.get(name, name), _date(moved))
        day += _DAY
    return found


def _moved_from(name: str) -> date | None:
    moved = _MOVED.search(name)
    return date(int(moved[3]), int(moved[2]), int(moved[1])) if moved else None


def _date(day: date | None) -> Mapping[str, str]:
    return {"date": f"{day:%d.%m.%Y}"} if day else {}
