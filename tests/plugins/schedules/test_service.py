# SPDX-License-Identifier: Apache-2.0
"""Schedules are created, changed and deleted by their service, on both databases."""

from __future__ import annotations

import msgspec
import pytest

from engine.sdk import InUse, Invalid, NotFound, Ref
from plugins.groups.part import Group
from plugins.groups.service import store as groups
from plugins.schedules.part import DayGroup, HourRange, Schedule
from plugins.schedules.service import delete_schedule, save_schedule
from tests.plugins.configured import Configured

WEEK = DayGroup("Weekdays", (0, 1, 2, 3, 4), (HourRange(540, 1080),))
NIGHT = DayGroup("Night", (5,), (HourRange(1200, 120), HourRange(0, 1440)))


async def saved(house: Configured, **fields: object) -> Schedule:
    values: dict[str, object] = {"title": "Hours", "days": (WEEK, NIGHT), **fields}
    async with house.edit() as edit:
        return await save_schedule(edit, Schedule(id=0, **values))  # type: ignore[arg-type]  # fields of the struct


@pytest.mark.feature("SCH-1", "SCH-2", "SCH-3")
async def test_it_is_kept_and_changed(house: Configured) -> None:
    made = await saved(house, title=" Hours ", timezone="Asia/Omsk", days=(msgspec.structs.replace(WEEK, weekdays=(4, 0)), NIGHT))
    kept = (await house.anew()).get(made.ref, Schedule)
    assert kept == Schedule(id=made.id, title="Hours", timezone="Asia/Omsk", days=(msgspec.structs.replace(WEEK, weekdays=(0, 4)), NIGHT))
    async with house.edit() as edit:
        await save_schedule(edit, msgspec.structs.replace(kept, title="Other", days=()))
    assert (await house.anew()).get(made.ref, Schedule) == Schedule(id=made.id, title="Other", timezone="Asia/Omsk")


@pytest.mark.feature("SCH-2", "R6")
@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("title", {"title": "  "}),
        ("timezone", {"timezone": "Europe/Springfield"}),
        ("timezone", {"timezone": "../../etc/passwd"}),
        ("timezone", {"timezone": ""}),
        ("days", {"days": (WEEK, DayGroup("Again", (4,), ()))}),
        ("days", {"days": (DayGroup("Twice", (4, 4), ()),)}),
        ("days", {"days": (DayGroup("Eighth", (7,), ()),)}),
        ("days", {"days": (DayGroup(" ", (1,), ()),)}),
        ("days", {"days": (DayGroup("Equal", (1,), (HourRange(600, 600),)),)}),
        ("days", {"days": (DayGroup("Late", (1,), (HourRange(1440, 60),)),)}),
        ("days", {"days": (DayGroup("Later", (1,), (HourRange(600, 1441),)),)}),
    ],
)
async def test_what_is_wrong_is_named_and_nothing_is_saved(house: Configured, field: str, wrong: dict[str, object]) -> None:
    with pytest.raises(Invalid) as refused:
        await saved(house, **wrong)
    assert {p.field for p in refused.value.problems} == {field}
    assert not [e for e in (await house.anew()).elements() if isinstance(e, Schedule)]


@pytest.mark.feature("SCH-1")
async def test_it_can_not_be_deleted_while_something_keeps_its_hours(house: Configured) -> None:
    made = await saved(house)
    async with house.edit() as edit:
        sales = await groups.insert(house.account, Group(id=0, title="Sales", parent=house.root.ref, schedule=made.ref), edit.tx)
    with pytest.raises(InUse) as refused:
        async with house.edit() as edit:
            await delete_schedule(edit, made.ref)
    assert refused.value.places == ("Sales",)
    async with house.edit() as edit:
        await groups.save(house.account, msgspec.structs.replace(sales, schedule=None), edit.tx)
    async with house.edit() as edit:
        await delete_schedule(edit, made.ref)
    assert (await house.anew()).element(made.ref) is None


async def test_what_is_not_there_is_not_found(house: Configured) -> None:
    with pytest.raises(NotFound):
        async with house.edit() as edit:
            await delete_schedule(edit, Ref(Schedule.kind, 999))
    with pytest.raises(NotFound):
        async with house.edit() as edit:
            await save_schedule(edit, Schedule(id=999, title="Hours"))
