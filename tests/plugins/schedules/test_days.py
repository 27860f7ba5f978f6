# SPDX-License-Identifier: Apache-2.0
"""Single days are set, changed and cleared by their service, on both databases, and go back with a revision (SCH-5)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import msgspec
import pytest

from engine.sdk import Invalid, NotFound, Ref, clock
from plugins.schedules.api import HourRange, Schedule, SpecialDay, clear_day, set_day
from plugins.schedules.part import DayGroup, SchedulesPart
from plugins.schedules.service import delete_day, delete_schedule, save_day, save_schedule, store
from tests.plugins.configured import ANNA, Configured

TODAY = clock.now().date()
SOON = TODAY + timedelta(days=30)
LATE = (HourRange(900, 1200),)


async def schedules(house: Configured, *titles: str) -> tuple[Ref, ...]:
    async with house.edit() as edit:
        return tuple([(await save_schedule(edit, Schedule(id=0, title=title))).ref for title in titles])


async def days(house: Configured) -> tuple[SpecialDay, ...]:
    part = (await house.anew()).part("schedules", SchedulesPart)
    assert part is not None
    return part.days


@pytest.mark.feature("SCH-5")
async def test_a_day_is_set_replaced_and_cleared(house: Configured) -> None:
    async with house.edit() as edit:
        await set_day(edit, SOON, title=" Inventory ")
    (kept,) = await days(house)
    assert (kept.title, kept.day, kept.ranges, kept.schedules) == ("Inventory", SOON, (), None)
    async with house.edit() as edit:
        await set_day(edit, SOON, LATE)
    (kept,) = await days(house)
    assert (kept.title, kept.ranges) == (f"{SOON:%d.%m.%Y}", LATE), "without a title it is called by its date"
    async with house.edit() as edit:
        await clear_day(edit, SOON)
    assert await days(house) == ()
    with pytest.raises(NotFound):
        async with house.edit() as edit:
            await clear_day(edit, SOON)


@pytest.mark.feature("SCH-5")
async def test_a_day_for_some_schedules_leaves_the_others_alone(house: Configured) -> None:
    one, two = await schedules(house, "One", "Two")
    async with house.edit() as edit:
        await set_day(edit, SOON, title="Both", schedules=(one, two))
        await set_day(edit, SOON, title="All")
    async with house.edit() as edit:
        await set_day(edit, SOON, LATE, "One", (one,))
    assert {(d.title, d.schedules) for d in await days(house)} == {("Both", (two,)), ("All", None), ("One", (one,))}
    async with house.edit() as edit:
        await clear_day(edit, SOON, (two,))
    assert {d.title for d in await days(house)} == {"All", "One"}


@pytest.mark.feature("SCH-5")
@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("ranges", {"ranges": (HourRange(600, 600),)}),
        ("ranges", {"ranges": (HourRange(600, 1500),)}),
        ("ranges", {"ranges": tuple(HourRange(n, n + 1) for n in range(25))}),
        ("schedules", {"schedules": ()}),
        ("schedules", {"schedules": (Ref("schedules.schedule", 99),)}),
        ("schedules", {"schedules": (Ref("groups.group", 1),)}),
        ("day", {"day": TODAY - timedelta(days=3)}),
        ("day", {"day": date(2999, 1, 1)}),
        ("day", {}),  # there is one for all already
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_saved(house: Configured, field: str, wrong: dict[str, Any]) -> None:
    async with house.edit() as edit:
        await set_day(edit, SOON, title="First")
    before = await days(house)
    with pytest.raises(Invalid) as refused:
        async with house.edit() as edit:
            await save_day(edit, SpecialDay(id=0, title="Second", **{"day": SOON if not wrong else SOON + timedelta(days=1), **wrong}))
    assert {p.field for p in refused.value.problems} == {field}
    assert await days(house) == before


@pytest.mark.feature("SCH-5")
async def test_rows_by_another_door_are_held_to_the_same_rules(house: Configured) -> None:
    async with house.edit() as edit:
        await set_day(edit, SOON, title="First")
    for wrong in (SpecialDay(id=0, title="Wrong", day=TODAY, ranges=(HourRange(5, 5),)), SpecialDay(id=0, title="Twice", day=SOON)):
        with pytest.raises(Invalid):
            async with house.edit() as edit:
                await store.insert(house.account, wrong, edit.tx)
    with pytest.raises(Invalid):
        async with house.edit() as edit:
            await store.insert(house.account, Schedule(id=0, title="Kinds", closed=("off", "off")), edit.tx)
    assert [d.title for d in await days(house)] == ["First"]


@pytest.mark.feature("SCH-5")
async def test_a_day_that_is_over_can_still_be_corrected_but_none_is_set(house: Configured) -> None:
    async with house.edit() as edit:
        past = await store.insert(house.account, SpecialDay(id=0, title="Past", day=TODAY - timedelta(days=9)), edit.tx)
    async with house.edit() as edit:
        await save_day(edit, msgspec.structs.replace(past, title="Long past"))
    assert [d.title for d in await days(house)] == ["Long past"]
    async with house.edit() as edit:
        await set_day(edit, TODAY)
    async with house.edit() as edit:
        await delete_day(edit, past.ref)
    assert [d.day for d in await days(house)] == [TODAY]
    for missing in (delete_day, delete_schedule):
        with pytest.raises(NotFound):
            async with house.edit() as edit:
                await missing(edit, Ref(SpecialDay.kind, past.id))
    with pytest.raises(NotFound):
        async with house.edit() as edit:
            await save_day(edit, past)


@pytest.mark.feature("SCH-1", "SCH-5")
async def test_a_deleted_schedule_leaves_its_days(house: Configured) -> None:
    one, two = await schedules(house, "One", "Two")
    async with house.edit() as edit:
        await set_day(edit, SOON, title="Both", schedules=(one, two))
        await set_day(edit, SOON + timedelta(days=1), title="Only one", schedules=(one,))
        await set_day(edit, SOON, title="All")
    async with house.edit() as edit:
        await delete_schedule(edit, one)
    assert {(d.title, d.schedules) for d in await days(house)} == {("Both", (two,)), ("All", None)}


@pytest.mark.feature("SCH-4", "SCH-5")
async def test_days_and_holidays_come_back_with_a_revision(house: Configured) -> None:
    (one,) = await schedules(house, "One")
    hours = DayGroup("All", (0,), LATE, ("off", "short"))
    async with house.edit() as edit:
        await save_schedule(edit, Schedule(id=one.id, title="One", days=(hours,), holidays=True, closed=("working",)))
        await set_day(edit, SOON, LATE, "Late", (one,))
    good = (await house.anew()).parts["schedules"]
    number = house.snapshot.revision
    async with house.edit() as edit:
        await delete_schedule(edit, one)
    assert await days(house) == ()
    await house.revisions.restore(house.account, ANNA, number)
    assert (await house.anew()).parts["schedules"] == good
    part = msgspec.json.decode(msgspec.json.encode(good), type=SchedulesPart)
    assert part == good, "as it is exported"


def test_a_configuration_of_before_is_read() -> None:
    """Kept by a version without holidays and single days: the zone it was given stays its own."""
    old = {
        "version": 1,
        "schedules": [
            {
                "id": 4, "title": "Hours", "parent": None, "timezone": "Asia/Omsk",
                "days": [{"title": "Week", "weekdays": [0], "ranges": [{"start": 1, "end": 2}]}],
            }
        ],
    }  # fmt: skip
    (schedule,) = msgspec.convert(old, SchedulesPart).schedules
    assert (schedule.timezone, schedule.holidays, schedule.closed, schedule.days[0].special) == ("Asia/Omsk", False, (), ())
