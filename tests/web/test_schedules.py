# SPDX-License-Identifier: Apache-2.0
"""The pages of schedules, as a browser without script uses them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
import pytest

from engine import clock
from engine.sdk import Ref
from plugins.numbers.part import Rule
from plugins.numbers.service import save_rule
from plugins.schedules import editor
from plugins.schedules.part import DayGroup, HourRange, Schedule, SchedulesPart
from tests.web.conftest import Visitor
from tests.web.house import SYSTEM, House

WEEK: Mapping[str, Any] = {"group": "0", "title_0": "Будни", "days_0": ["0", "1"], "from_0": ["9", "1300"], "to_0": ["12:00", "18.30"]}


def of(house: House, title: str) -> Schedule | None:
    part = house.ctx.snapshot(house.one.id).part("schedules", SchedulesPart)
    assert part is not None
    return next((s for s in part.schedules if s.title == title), None)


@pytest.mark.feature("SCH-1", "SCH-2", "SCH-3")
async def test_one_is_created(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    page = await admin.get("/schedules/new")
    assert page.count(" checked") == 5
    night: dict[str, Any] = {"group": ["0", "1"], "title_1": "Ночь", "days_1": "5", "from_1": ["20:00", ""], "to_1": ["2:00", ""]}
    where = await admin.post("/schedules/new", title="Новые часы", timezone="Asia/Omsk", **{**WEEK, **night})
    made = of(house, "Новые часы")
    assert made is not None
    assert where == f"/schedules/{made.id}"
    assert made.timezone == "Asia/Omsk"
    assert made.days == (
        DayGroup("Будни", (0, 1), (HourRange(540, 720), HourRange(780, 1110))),
        DayGroup("Ночь", (5,), (HourRange(1200, 120),)),
    )
    page = await admin.get(where)
    assert 'value="18:30"' in page
    assert "Сохранено" in page


@pytest.mark.feature("SCH-2", "SCH-3")
async def test_buttons_change_the_form_and_save_nothing(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    address = f"/schedules/{house.one.things['schedule']}"
    revision = house.ctx.snapshot(house.one.id).revision
    await admin.get(address)
    form: dict[str, Any] = {"title": "Рабочее время", "timezone": "Europe/Moscow", **WEEK}

    async def pressed(button: str) -> tuple[int, int]:
        page = await admin.post(address, 200, do=button, **form)
        return len(re.findall('name="group"', page)), len(re.findall('name="from_', page))

    assert await pressed("group") == (2, 3)
    assert await pressed("range:0") == (1, 3)
    assert await pressed("drop:0:1") == (1, 1)
    assert await pressed("drop:0") == (0, 0)
    for nonsense in ("drop:7", "drop:0:9", "range:9", "drop:", "range:x", "drop:0:0:0:0"):
        groups, _ = await pressed(nonsense)
        assert groups == 1
    assert house.ctx.snapshot(house.one.id).revision == revision


async def test_there_are_no_more_than_seven_groups(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    await admin.get("/schedules/new")
    page = await admin.post("/schedules/new", 200, do="group", title="x", timezone="UTC", group=[str(n) for n in range(30)])
    assert len(re.findall('name="group"', page)) == 7
    assert 'value="group"' not in page


@pytest.mark.feature("SCH-2", "R6")
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"from_0": "25:00", "to_0": "9"}, "«25:00» — не время"),
        ({"from_0": "9", "to_0": ""}, "«» — не время"),
        ({"from_0": "9", "to_0": "09:00"}, "Начало и конец диапазона не могут совпад"),
        ({"title_0": ""}, "Дайте название каждой группе дней"),
        ({"group": ["0", "1"], "title_1": "Ещё", "days_1": "1"}, "«Будни» и «Ещё»"),
        ({"timezone": "Europe/Springfield"}, "Europe/Springfield"),
        ({"title": ""}, "Заполните это поле."),
    ],
)
async def test_what_is_wrong_is_told_and_what_was_typed_stays(
    house: House, visitor: Visitor, changed: dict[str, Any], said: str
) -> None:
    admin = await visitor("romashka-admin")
    address = f"/schedules/{house.one.things['schedule']}"
    await admin.get(address)
    before = of(house, "Рабочее время")
    page = await admin.post(address, 422, **{"title": "Рабочее время", "timezone": "Europe/Moscow", **WEEK, **changed})
    assert said in page
    assert of(house, "Рабочее время") == before
    for value in changed.get("from_0"), changed.get("title_1"):
        assert value is None or f'value="{value}"' in page


@pytest.mark.feature("SCH-1")
async def test_it_is_not_deleted_while_used_and_the_page_says_where(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    ref = Ref(Schedule.kind, house.one.things["schedule"])
    rule = house.ctx.snapshot(house.one.id).get(Ref(Rule.kind, house.one.things["rule"]), Rule)
    assert rule is not None
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        await save_rule(edit, msgspec.structs.replace(rule, schedule=ref))
    page = await admin.get(f"/schedules/{ref.id}/delete")
    assert f'<a href="/rules/{rule.id}">Всем в меню</a>' in page
    assert "Всем в меню" in await admin.get(f"/schedules/{ref.id}")
    assert "Всем в меню" in await admin.post(f"/schedules/{ref.id}/delete", 422)
    assert of(house, "Рабочее время") is not None
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        await save_rule(edit, rule)
    await admin.get(f"/schedules/{ref.id}/delete")
    await admin.post(f"/schedules/{ref.id}/delete")
    assert of(house, "Рабочее время") is None


@pytest.mark.feature("SCH-1")
@pytest.mark.parametrize(
    ("now", "state"),
    [  # working days 9:00–18:00, Saturday from 20:00 to 02:00, by Moscow's clock
        ("2026-11-23T12:00+03:00", "открыто до 18:00"),
        ("2026-11-23T08:00+03:00", "закрыто до 09:00"),
        ("2026-11-27T18:00+03:00", "закрыто до сб 20:00"),
        ("2026-11-28T23:00+03:00", "открыто до вс 02:00"),
        ("2026-11-29T02:00+03:00", "закрыто до пн 09:00"),
    ],
)
async def test_the_list_says_whether_it_is_open_now(house: House, visitor: Visitor, now: str, state: str) -> None:
    admin = await visitor("romashka-admin")
    revised = clock.now()
    with clock.shifted(datetime.fromisoformat(now) - revised):
        admin = await visitor("romashka-admin")
        page = await admin.get("/schedules")
        assert state in page
        assert "Пн–Пт 09:00–18:00" in page
        assert "Сб 20:00–02:00" in page
        assert state in await admin.get(f"/schedules/{house.one.things['schedule']}")


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("9", 540), ("09", 540), ("9:05", 545), ("0905", 545), ("905", 545), ("9.05", 545), ("9-05", 545), ("0", 0), ("24:00", 1440)]
    + [(wrong, None) for wrong in ("", "24:01", "25", "9:60", "9:5", "nine", "12:00:00", "-1", "٩", "1 2 3")],
)
def test_times_as_people_write_them(text: str, minutes: int | None) -> None:
    assert editor.minutes_of(text) == minutes
