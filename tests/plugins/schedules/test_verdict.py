# SPDX-License-Identifier: Apache-2.0
"""When a schedule is open: by examples, and by properties over random schedules, moments and time zones (R6)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from plugins.schedules.part import Schedule
from tests.plugins.schedules.worlds import BERLIN, asked, at, hours, verdict

WEEK = 7 * 1440
STEADY = ("Europe/Moscow", "UTC", "Asia/Kamchatka", "Asia/Kolkata", "Pacific/Apia")
CHANGING = (
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Africa/Cairo", "Asia/Beirut", "Atlantic/Azores",
    "America/Nuuk", "Africa/Casablanca",
)  # fmt: skip
"""Changes by an hour and by half of one, at night, at midnight and over midnight, and for a month."""


OFFICE = hours(("01234", ((540, 1080),)), ("5", ((1200, 120),)))
"""Mon–Fri 9:00–18:00, Saturday 20:00–02:00 of Sunday. 2026-11-23 is a Monday."""


@pytest.mark.feature("R6", "SCH-3")
@pytest.mark.parametrize(
    ("moment", "open_"),
    [
        ("2026-11-23 08:59:59.999999", False),
        ("2026-11-23 09:00:00", True),
        ("2026-11-23 17:59:59.999999", True),
        ("2026-11-23 18:00:00", False),
        ("2026-11-28 09:00:00", False),
        ("2026-11-28 19:59:59", False),
        ("2026-11-28 20:00:00", True),
        ("2026-11-29 00:00:00", True),
        ("2026-11-29 01:59:59", True),
        ("2026-11-29 02:00:00", False),
        ("2026-11-29 20:00:00", False),  # the range belongs to Saturday
        ("2026-11-28 01:00:00", False),  # and Saturday's night is not Friday's
    ],
)
def test_boundaries_and_midnight(moment: str, open_: bool) -> None:
    assert verdict(OFFICE, at(moment)).holds is open_


@pytest.mark.feature("R6")
def test_closed_without_ranges_without_groups_and_on_days_in_no_group() -> None:
    noon = at("2026-11-23 12:00")
    for schedule in (hours(), hours(("0", ())), hours(("123456", ((0, 1440),)))):
        said = verdict(schedule, noon)
        assert (said.holds, said.reason) == (False, "outside_hours")
    assert asked(hours(), noon).until is None
    assert asked(hours(("0", ())), noon).until is None
    assert asked(hours(("123456", ((0, 1440),))), noon).until == at("2026-11-24 00:00")


@pytest.mark.feature("SCH-3")
def test_it_closes_when_the_last_of_adjoining_ranges_ends() -> None:
    split = hours(("01234", ((540, 720), (720, 1080), (1000, 1100))))
    assert asked(split, at("2026-11-23 10:00")).until == at("2026-11-23 18:20")
    night = hours(("0", ((1200, 1440),)), ("1", ((0, 60),)))
    assert asked(night, at("2026-11-23 21:00")).until == at("2026-11-24 01:00")
    assert asked(hours(("0123456", ((0, 1440),))), at("2026-11-23 21:00")).until is None


def test_it_opens_next_on_the_next_working_day() -> None:
    assert asked(OFFICE, at("2026-11-27 18:00")).until == at("2026-11-28 20:00")
    assert asked(OFFICE, at("2026-11-29 02:00")).until == at("2026-11-30 09:00")
    once = hours(("0", ((540, 600),)))
    assert asked(once, at("2026-11-23 10:00")).until == at("2026-11-30 09:00")


@pytest.mark.feature("R6")
def test_an_hour_that_comes_twice_is_served_once() -> None:
    """Berlin, 25 October 2026: 02:00–03:00 comes twice. The end 02:30 is the first one."""
    night = hours(("5", ((1320, 150),)), zone="Europe/Berlin")
    assert asked(night, at("2026-10-25 02:29", BERLIN)).until == at("2026-10-25 02:30", BERLIN)
    assert not verdict(night, at("2026-10-25 02:30", BERLIN)).holds
    assert not verdict(night, at("2026-10-25 02:10", BERLIN, fold=1)).holds


@pytest.mark.feature("R6")
def test_an_hour_that_is_left_out_moves_its_ends() -> None:
    """Berlin, 29 March 2026: after 01:59 comes 03:00. A range till 02:30 keeps its length, one from 02:30 begins at 03:30."""
    early = hours(("6", ((60, 150),)), zone="Europe/Berlin")
    assert asked(early, at("2026-03-29 01:30", BERLIN)).until == at("2026-03-29 03:30", BERLIN)
    late = hours(("6", ((150, 300),)), zone="Europe/Berlin")
    assert asked(late, at("2026-03-29 01:30", BERLIN)).until == at("2026-03-29 03:30", BERLIN)
    none_left = hours(("6", ((150, 180),)), zone="Europe/Berlin")
    assert asked(none_left, at("2026-03-29 00:00", BERLIN)).until == at("2026-04-05 02:30", BERLIN)


# properties -----------------------------------------------------------------------------------------------------------

ranges = st.tuples(st.integers(0, 1439), st.integers(0, 1440)).filter(lambda r: r[0] != r[1])
moments = st.integers(0, 6 * 365 * 86400).map(lambda s: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=s))


@st.composite
def schedules(draw: st.DrawFn, zones: tuple[str, ...]) -> Schedule:
    """Weekdays dealt out to up to three groups, or to none."""
    dealt = draw(st.lists(st.integers(0, 3), min_size=7, max_size=7))
    groups = []
    for number in range(3):
        days = "".join(str(d) for d in range(7) if dealt[d] == number)
        groups.append((days, tuple(draw(st.lists(ranges, max_size=3)))))
    return hours(*groups, zone=draw(st.sampled_from(zones)))


def by_the_wall_clock(schedule: Schedule, moment: datetime) -> bool:
    """The same question asked of a week of minutes, written apart from the code under test; right where no clock is changed."""
    local = moment.astimezone(ZoneInfo(schedule.timezone or ""))
    minute = local.weekday() * 1440 + local.hour * 60 + local.minute
    for group in schedule.days:
        for weekday in group.weekdays:
            for times in group.ranges:
                length = (times.end - times.start) % 1440 or 1440
                if (minute - weekday * 1440 - times.start) % WEEK < length:
                    return True
    return False


@pytest.mark.feature("R6")
@settings(max_examples=300, deadline=None)
@given(schedules(STEADY + CHANGING), moments)
def test_it_agrees_with_the_clock_on_the_wall(schedule: Schedule, moment: datetime) -> None:
    local = moment.astimezone(ZoneInfo(schedule.timezone or ""))
    around = [(moment + timedelta(hours=h)).astimezone(local.tzinfo).utcoffset() for h in range(-50, 51, 2)]
    assume(len(set(around)) == 1)
    assert verdict(schedule, moment).holds is by_the_wall_clock(schedule, moment)


@pytest.mark.feature("R6")
@settings(max_examples=300, deadline=None)
@given(schedules(STEADY + CHANGING), moments, st.integers(0, 999))
def test_until_is_the_next_change(schedule: Schedule, moment: datetime, part: int) -> None:
    """Nothing changes before it, and at it something does; also on days when clocks are changed."""
    now = asked(schedule, moment)
    change = now.until
    if change is None:
        change = moment + timedelta(days=7)
    else:
        assert change > moment
        assert verdict(schedule, change).holds is not now.open
    assert verdict(schedule, moment + (change - moment) * part // 1000).holds is now.open


@settings(max_examples=150, deadline=None)
@given(schedules(CHANGING), st.sampled_from([date(2026, 3, 8), date(2026, 3, 28), date(2026, 10, 24), date(2026, 11, 1)]))
def test_each_range_is_open_once_over_a_change_of_clocks(schedule: Schedule, day: date) -> None:
    """Walked through in steps of ten minutes, a schedule opens no more often than it has ranges on these days."""
    begin = datetime.combine(day, time(), ZoneInfo(schedule.timezone or "")).astimezone(UTC)
    states = [verdict(schedule, begin + timedelta(minutes=10 * n)).holds for n in range(6 * 48)]
    opened = sum(1 for before, now in pairwise(states) if now and not before)
    touched = {(day.weekday() + n) % 7 for n in range(-1, 3)}
    assert opened <= sum(len(g.ranges) for g in schedule.days for d in g.weekdays if d in touched)
