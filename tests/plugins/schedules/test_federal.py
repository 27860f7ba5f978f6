# SPDX-License-Identifier: Apache-2.0
"""The federal calendar against the official production calendars of 2021–2027 (SCH-4, R28)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from plugins.schedules import federal

YEARS = range(2021, 2028)
WORKED = {2021: "20.02", 2022: "05.03", 2023: "", 2024: "27.04 02.11 28.12", 2025: "01.11", 2026: "", 2027: "20.02"}
"""Working days moved to a weekend, as the government's resolutions on moved days name them."""
SHORT = {
    2021: "20.02 30.04 11.06 03.11",
    2022: "22.02 05.03 03.11",
    2023: "22.02 07.03 03.11",
    2024: "22.02 07.03 08.05 11.06 02.11",
    2025: "07.03 30.04 11.06 01.11",
    2026: "30.04 08.05 11.06 03.11",
    2027: "20.02 30.04 11.06 03.11",
}
WORKING_DAYS = {2021: 247, 2022: 247, 2023: 247, 2024: 248, 2025: 247, 2026: 247, 2027: 247}
"""As the production calendar of a five-day week counts them."""


def days(year: int) -> Iterator[date]:
    day = date(year, 1, 1)
    while day.year == year:
        yield day
        day += timedelta(days=1)


def of_kind(year: int, kind: str) -> str:
    return " ".join(f"{day:%d.%m}" for day, one in federal.specials(year).items() if kind in one.kinds)


@pytest.mark.feature("SCH-4", "R28")
@pytest.mark.parametrize("year", YEARS)
def test_a_year_is_that_of_the_production_calendar(year: int) -> None:
    assert of_kind(year, "working") == WORKED[year]
    assert of_kind(year, "short") == SHORT[year]
    off = {day for day, one in federal.specials(year).items() if "off" in one.kinds}
    work = {day for day, one in federal.specials(year).items() if "working" in one.kinds}
    assert sum(1 for day in days(year) if day in work or (day.weekday() < 5 and day not in off)) == WORKING_DAYS[year]
    statutory = {date(year, 1, n) for n in range(1, 9)} | {date(year, m, d) for m, d in ((2, 23), (3, 8), (5, 1), (5, 9), (6, 12), (11, 4))}
    assert statutory <= off
    assert not off & work


@pytest.mark.feature("R28")
@pytest.mark.parametrize("year", YEARS)
def test_every_day_off_is_called_by_a_name_that_is_translated(year: int) -> None:
    known = {*federal.STATUTORY.values(), federal.MOVED_OFF, federal.MOVED_WORK, federal.SHORT}
    assert {one.reason for one in federal.specials(year).values()} <= known


@pytest.mark.feature("SCH-4")
def test_names() -> None:
    def told(day: date) -> tuple[str, dict[str, str]]:
        one = federal.special(day)
        assert one is not None
        return one.reason, dict(one.params)

    assert told(date(2026, 1, 7)) == ("Christmas", {})
    assert told(date(2026, 1, 9)) == (federal.MOVED_OFF, {"date": "03.01.2026"})
    assert told(date(2026, 5, 11)) == ("Victory Day", {}), "the holiday's day off after a weekend"
    assert told(date(2024, 4, 27)) == (federal.MOVED_WORK, {"date": "29.04.2024"})
    assert told(date(2024, 11, 2)) == (federal.MOVED_WORK, {"date": "30.04.2024"}), "and short, since it works instead of 30 April"
    assert told(date(2026, 6, 11)) == (federal.SHORT, {})
    assert federal.special(date(2026, 1, 10)) is None, "a weekend like any other"
    assert federal.special(date(2023, 5, 5)) is None, "before a day off that was merely moved, and a weekend"
    assert federal.special(date(2026, 12, 30)) is None


@pytest.mark.feature("R28")
def test_after_what_is_known_only_the_holidays_of_the_law_count() -> None:
    assert federal.known_until() >= 2027
    year = federal.known_until() + 1
    off = [day for day, one in federal.specials(year).items() if "off" in one.kinds]
    assert len(off) == 14
    assert of_kind(year, "working") == ""
    for far in (1, 1990, 2101, 9999):
        assert not [day for day, one in federal.specials(far).items() if "working" in one.kinds]
