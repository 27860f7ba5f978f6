# SPDX-License-Identifier: Apache-2.0
"""Holidays, single days and the PBX's zone: by examples, and by properties over random schedules, zones and days of 2021–2027."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.sdk import Ref
from plugins.schedules import federal
from plugins.schedules.part import Day, DayGroup, Schedule, SpecialDay, state
from tests.plugins.schedules.worlds import asked, at, hours, ranges, single, verdict, whole

WEEK, SHORTER, REST = ((540, 1080),), ((540, 1020),), ((600, 900),)
OFFICE = hours(("01234w", WEEK), ("s", SHORTER), ("56o", REST), holidays=True)
"""Mon–Fri 9–18 and moved working days, short days 9–17, weekends and days off 10–15."""
PLAIN = hours(("01234", WEEK), ("5", REST), holidays=True)
"""Nothing is assigned."""


def day_of(schedule: Schedule, day: str, *days: SpecialDay) -> Day:
    return schedule.on(date.fromisoformat(day), whole(schedule, *days))


@pytest.mark.feature("SCH-4")
@pytest.mark.parametrize(
    ("day", "kind", "times"),
    [
        ("2025-11-01", "short", SHORTER),  # a Saturday that works and is short: short is asked first
        ("2024-04-27", "working", WEEK),
        ("2026-01-05", "off", REST),
        ("2026-01-09", "off", REST),
        ("2026-06-11", "short", SHORTER),
        ("2026-06-10", "weekday", WEEK),
        ("2026-06-13", "weekday", REST),
    ],
)
def test_each_kind_has_the_hours_of_its_day_group(day: str, kind: str, times: tuple[tuple[int, int], ...]) -> None:
    found = day_of(OFFICE, day)
    assert (found.kind, found.ranges) == (kind, ranges(*times))
    off = msgspec.structs.replace(OFFICE, holidays=False)
    assert day_of(off, day).ranges == ranges(*(WEEK if date.fromisoformat(day).weekday() < 5 else REST)), "the switch is off"


@pytest.mark.feature("SCH-4")
def test_a_short_saturday_that_works_is_a_working_day_where_short_days_are_not_assigned() -> None:
    schedule = hours(("01234w", WEEK), holidays=True)
    assert day_of(schedule, "2025-11-01").ranges == ranges(*WEEK)
    closed = msgspec.structs.replace(schedule, closed=("short",))
    assert day_of(closed, "2025-11-01").ranges == ()


@pytest.mark.feature("SCH-4")
def test_unassigned_kinds_keep_their_weekday_and_days_off_are_closed() -> None:
    assert day_of(PLAIN, "2024-04-27").ranges == ranges(*REST), "a Saturday stays one"
    assert day_of(hours(("01234", WEEK), holidays=True), "2024-04-27").ranges == ()
    assert day_of(PLAIN, "2026-06-11").ranges == ranges(*WEEK)
    assert day_of(PLAIN, "2026-06-12").ranges == ()
    assert day_of(PLAIN, "2026-01-03").ranges == (), "a holiday on a Saturday, where Saturdays are open"
    said = verdict(PLAIN, at("2026-06-11 22:00"))
    assert (said.holds, said.reason) == (False, "outside_hours"), "nothing is special about its hours"


@pytest.mark.feature("SCH-4")
def test_each_kind_may_be_closed() -> None:
    shut = msgspec.structs.replace(PLAIN, closed=federal.KINDS)
    for day in ("2024-04-27", "2026-06-11", "2026-06-12"):
        assert day_of(shut, day).ranges == ()
    assert verdict(shut, at("2026-06-11 12:00")).reason == federal.SHORT


@pytest.mark.feature("SCH-4", "R6")
def test_the_holidays_name_is_the_reason_and_until_goes_over_all_of_them() -> None:
    before = asked(PLAIN, at("2025-12-30 18:30"))
    assert (before.open, before.why, before.until) == (False, "outside_hours", at("2026-01-10 10:00"))
    now = asked(PLAIN, at("2026-01-01 12:00"))
    assert (now.open, now.why, now.params, now.until) == (False, "New Year holidays", {}, at("2026-01-10 10:00"))
    moved = verdict(PLAIN, at("2026-01-09 12:00"))
    assert moved.told == {"why": "day off moved from {date}", "why_date": "03.01.2026"}
    always = hours(("0123456", ((0, 1440),)), holidays=True)
    assert asked(always, at("2026-06-13 00:00")).until == at("2026-11-04 00:00")
    assert asked(hours(("o", WEEK), holidays=True), at("2026-06-12 18:00")).until == at("2026-11-04 09:00")
    assert asked(hours(("w", WEEK), holidays=True), at("2025-11-01 18:00")).until == at("2027-02-20 09:00")
    assert asked(hours(("w", WEEK), holidays=True), at("2027-02-20 18:00")).until is None, "as far as is known"


@pytest.mark.feature("SCH-5")
def test_a_single_day_wins_over_holidays_and_weekdays() -> None:
    closed = single("2026-11-26")
    said = verdict(OFFICE, at("2026-11-26 12:00"), closed)
    assert (said.holds, said.told) == (False, {"why": "special day “{title}”", "why_title": "Day 1"})
    late = single("2026-11-26", (900, 1200))
    assert asked(OFFICE, at("2026-11-26 12:00"), late).until == at("2026-11-26 15:00")
    assert asked(OFFICE, at("2026-11-26 15:00"), late).until == at("2026-11-26 20:00")
    assert verdict(OFFICE, at("2026-01-01 16:00"), single("2026-01-01", (900, 1200))).holds
    assert not verdict(OFFICE, at("2026-11-25 23:59"), late).holds
    assert asked(hours(), at("2026-11-26 12:00"), single("2029-03-01", (600, 700))).until == at("2029-03-01 10:00")
    assert asked(hours(("0123456", ((0, 1440),))), at("2026-11-26 12:00"), single("2029-03-01")).until == at("2029-03-01 00:00")


@pytest.mark.feature("SCH-5")
def test_one_for_a_schedule_wins_over_one_for_all_and_foreign_ones_do_not_count() -> None:
    everywhere, own = single("2026-11-26"), single("2026-11-26", (600, 700), only=1, id=2)
    for days in ((everywhere, own), (own, everywhere)):
        assert verdict(OFFICE, at("2026-11-26 10:30"), *days).holds
    assert verdict(OFFICE, at("2026-11-26 10:30"), single("2026-11-26", only=2)).holds


@pytest.mark.feature("SCH-5", "R6")
def test_a_range_belongs_to_the_day_it_starts_on_also_around_single_days() -> None:
    bar = hours(("0123456", ((1200, 120),)))
    assert verdict(bar, at("2026-11-26 01:00"), single("2026-11-26")).holds, "the night of the day before"
    assert not verdict(bar, at("2026-11-27 01:00"), single("2026-11-26")).holds
    assert verdict(bar, at("2026-11-27 03:00"), single("2026-11-26", (1320, 240))).holds
    new_year = hours(("0123456", ((1200, 120),)), holidays=True)
    assert asked(new_year, at("2025-12-30 23:00")).until == at("2025-12-31 02:00")
    assert asked(new_year, at("2025-12-31 02:00")).until == at("2026-01-10 20:00"), "31 December was moved off"


@pytest.mark.feature("SCH-5")
def test_the_zone_is_the_pbxs_unless_it_has_its_own() -> None:
    plain = hours(("01234", WEEK), zone=None)
    nine_in_kaliningrad = at("2026-11-26 09:00", ZoneInfo("Europe/Kaliningrad"))
    assert asked(plain, nine_in_kaliningrad - timedelta(minutes=1), timezone="Europe/Kaliningrad").until == nine_in_kaliningrad
    assert verdict(plain, nine_in_kaliningrad - timedelta(minutes=1), timezone="Europe/Moscow").holds
    own = hours(("01234", WEEK), zone="Asia/Omsk")
    assert asked(own, at("2026-11-26 05:00"), timezone="Europe/Kaliningrad").until == at("2026-11-26 06:00")
    there = single("2026-11-27")  # by each schedule's own clock
    assert not verdict(own, at("2026-11-26 21:30"), there).holds
    assert verdict(hours(("0123456", ((0, 1440),))), at("2026-11-26 21:30"), there).holds


# properties -----------------------------------------------------------------------------------------------------------

ZONES = ("Europe/Kaliningrad", "Europe/Berlin", "America/New_York", "Asia/Kamchatka", "America/Nuuk", "Australia/Lord_Howe")
FIRST, LAST = date(2021, 1, 1), date(2027, 12, 31)
dates = st.integers(0, (LAST - FIRST).days).map(lambda n: FIRST + timedelta(days=n))
special_dates = st.sampled_from([day for year in range(2021, 2028) for day in federal.specials(year)])
changes = st.sampled_from([date(2026, m, d) for m, d in ((3, 8), (3, 28), (3, 29), (10, 24), (10, 25), (11, 1))])
turns = st.sampled_from([date(y, m, d) for y in range(2021, 2028) for m, d in ((1, 1), (12, 31))])
some_dates = st.one_of(dates, special_dates, changes, turns)
times_of_day = st.sampled_from([0, 1, 59, 60, 90, 120, 150, 180, 1380, 1410, 1439]) | st.integers(0, 1439)
some_range = st.tuples(times_of_day, times_of_day | st.just(1440)).filter(lambda r: r[0] != r[1])
some_ranges = st.lists(some_range, max_size=2).map(lambda r: ranges(*r))
some_scope = st.sampled_from([None, (Ref(Schedule.kind, 1),)])


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Schedule, tuple[SpecialDay, ...]]:
    dealt = draw(st.lists(st.integers(0, 2), min_size=7, max_size=7))
    kinds = draw(st.lists(st.integers(0, 4), min_size=3, max_size=3))  # 0–2 a day group, 3 closed, 4 not assigned
    groups = tuple(
        DayGroup(
            str(n), tuple(d for d in range(7) if dealt[d] == n), draw(some_ranges),
            tuple(kind for kind, where in zip(federal.KINDS, kinds, strict=True) if where == n),
        )
        for n in range(3)
    )  # fmt: skip
    closed = tuple(kind for kind, where in zip(federal.KINDS, kinds, strict=True) if where == 3)
    schedule = Schedule(
        id=1, title="Hours", timezone=draw(st.sampled_from(ZONES)), days=groups, holidays=draw(st.booleans()), closed=closed
    )
    days = tuple(
        SpecialDay(id=n, title=f"Day {n}", day=day, ranges=draw(some_ranges), schedules=draw(some_scope))
        for n, day in enumerate(draw(st.lists(some_dates, max_size=3, unique=True)))
    )
    return schedule, days


def boundary(draw_day: date, minutes: int, zone: str) -> datetime:
    begin = datetime(draw_day.year, draw_day.month, draw_day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    return begin + timedelta(minutes=minutes)


@pytest.mark.feature("SCH-4", "SCH-5", "R6", "R28")
@settings(max_examples=400, deadline=None)
@given(worlds(), some_dates, st.integers(-180, 1620), st.integers(0, 999))
def test_until_is_exact(world: tuple[Schedule, tuple[SpecialDay, ...]], day: date, minutes: int, part: int) -> None:
    """The state does not change before `until` and changes at it; asked at every edge of the ranges around it, and in between."""
    schedule, days = world
    here = whole(schedule, *days)
    moment = boundary(day, minutes, schedule.timezone or "UTC")
    now = state(schedule, moment, here)
    end = now.until or moment + timedelta(days=15)
    assert end > moment
    if now.until is not None:
        assert state(schedule, end, here).open is not now.open
        assert state(schedule, end - timedelta(microseconds=1), here).open is now.open
    for step in range(1, 12):
        assert state(schedule, moment + (end - moment) * step // 12, here).open is now.open
    between = moment + (end - moment) * part // 1000
    assert state(schedule, between, here).open is now.open
    assert state(schedule, between, here).until == now.until
    assert here.verdict(schedule.ref, moment, None).holds is now.open


@pytest.mark.feature("SCH-4", "R28")
def test_all_days_of_2021_to_2027_by_the_wall_clock() -> None:
    """At noon of every day the office is open exactly when the calendar says so; every change is met by following `until`."""
    here = whole(OFFICE)
    moment, last = at("2021-01-01 00:00"), at("2028-01-01 00:00")
    opened: dict[date, tuple[datetime, datetime]] = {}
    while moment < last:
        now = state(OFFICE, moment, here)
        assert now.until is not None
        if now.open:
            opened[moment.astimezone(OFFICE.zone(here)).date()] = (moment, now.until)
        moment = now.until
    day = FIRST
    while day <= LAST:
        special = federal.special(day)
        kind = special.kinds[0] if special else "weekday"
        begin, end = {"working": (9, 18), "short": (9, 17), "off": (10, 15), "weekday": (9, 18) if day.weekday() < 5 else (10, 15)}[kind]
        assert opened.pop(day) == (at(f"{day} {begin:02}:00"), at(f"{day} {end:02}:00")), day
        day += timedelta(days=1)
    assert not opened
