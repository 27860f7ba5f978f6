# SPDX-License-Identifier: Apache-2.0
"""The pages of single days, the holidays of a schedule and its calendar, as a browser without script uses them (SCH-4, SCH-5, R28)."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import msgspec
import pytest

from engine import clock
from engine.sdk import Ref
from plugins.schedules import editor
from plugins.schedules.part import HourRange, Schedule, SchedulesPart, SpecialDay
from plugins.schedules.service import save_schedule, set_day
from tests.web.conftest import Visitor
from tests.web.house import SYSTEM, House

DAY = {"day": "2099-03-05", "title": "Закрыто до 15:00", "how": "hours", "hours": "15:00-18, 20–2", "scope": "all"}


def part(house: House) -> SchedulesPart:
    found = house.ctx.snapshot(house.one.id).part("schedules", SchedulesPart)
    assert found is not None
    return found


def on(house: House, day: str) -> SpecialDay | None:
    return next((d for d in part(house).days if d.day == date.fromisoformat(day)), None)


def hours(house: House) -> Schedule:
    found = house.ctx.snapshot(house.one.id).get(Ref(Schedule.kind, house.one.things["schedule"]), Schedule)
    assert found is not None
    return found


async def with_holidays(house: House, **fields: Any) -> None:
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        await save_schedule(edit, msgspec.structs.replace(hours(house), holidays=True, **fields))


@pytest.mark.feature("SCH-5")
async def test_a_day_is_created_changed_and_deleted(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    await admin.get("/special-days/new")
    assert await admin.post("/special-days/new", **DAY) == "/special-days"
    made = on(house, "2099-03-05")
    assert made is not None
    assert (made.title, made.ranges, made.schedules) == ("Закрыто до 15:00", (HourRange(900, 1080), HourRange(1200, 120)), None)
    page = await admin.get("/special-days")
    assert "15:00–18:00, 20:00–02:00" in page
    assert "все графики" in page
    page = await admin.get(f"/special-days/{made.id}")
    assert 'value="15:00–18:00, 20:00–02:00"' in page
    chosen = str(hours(house).ref)
    await admin.post(f"/special-days/{made.id}", **{**DAY, "title": "", "how": "closed", "scope": "some", "schedules": ["", chosen]})
    changed = on(house, "2099-03-05")
    assert changed is not None
    assert (changed.id, changed.title, changed.ranges, changed.schedules) == (made.id, "05.03.2099", (), (hours(house).ref,))
    await admin.get(f"/special-days/{made.id}/delete")
    await admin.post(f"/special-days/{made.id}/delete")
    assert on(house, "2099-03-05") is None


@pytest.mark.feature("SCH-5", "R6")
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"day": ""}, "Заполните это поле."),
        ({"day": "5 марта"}, "Укажите дату."),
        ({"day": "2026-02-30"}, "Укажите дату."),
        ({"day": "2020-01-01"}, "Этот день уже прошёл."),
        ({"hours": ""}, "Укажите, с какого и до какого времени"),
        ({"hours": "25:00–26:00"}, "«25:00–26:00» — не диапазон времени"),
        ({"hours": "9"}, "«9» — не диапазон времени"),
        ({"hours": "9–9"}, "Начало и конец диапазона не могут совпад"),
        ({"hours": "24:00–9"}, "от 00:00 до 24:00"),
        ({"scope": "some"}, "Выберите хотя бы один график."),
        ({"scope": "some", "schedules": ["", "schedules.schedule:999"]}, "Выберите значение из списка."),
        ({"how": "maybe"}, "Выберите значение из списка."),
        ({"day": "2099-06-01", "scope": "some", "schedules": ["", "own"]}, "уже есть «Инвентаризация»"),
    ],
)
async def test_what_is_wrong_is_told_and_what_was_typed_stays(
    house: House, visitor: Visitor, changed: dict[str, Any], said: str
) -> None:
    if changed.get("schedules") == ["", "own"]:
        changed = {**changed, "schedules": ["", str(hours(house).ref)]}
    admin = await visitor("romashka-admin")
    await admin.get("/special-days/new")
    before = part(house)
    page = await admin.post("/special-days/new", 422, **{**DAY, **changed})
    assert said in page
    assert 'value="Закрыто до 15:00"' in page
    assert part(house) == before


async def test_another_customers_schedule_can_not_be_chosen(house: House, visitor: Visitor) -> None:
    foreign = await visitor("vasilek-admin")
    await foreign.get("/special-days/new")
    await foreign.post("/special-days/new", 422, **{**DAY, "scope": "some", "schedules": ["", str(hours(house).ref)]})
    assert "Рабочее время" in await foreign.get(f"/special-days/new?schedule={house.two.things['schedule']}")
    assert " checked" not in await foreign.get(f"/special-days/new?schedule={house.one.things['schedule']}")
    for nonsense in ("x", "9" * 30, "-1"):
        await foreign.get(f"/special-days/new?schedule={nonsense}")


@pytest.mark.feature("SCH-4")
async def test_holidays_are_switched_on_and_each_kind_gets_a_day_group(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    address = f"/schedules/{hours(house).id}"
    page = await admin.get(address)
    assert "2027" not in page, "the calendar is not asked while the switch is off"
    form: dict[str, Any] = {
        "title": "Рабочее время", "timezone": "", "holidays": "1", "group": ["0", "1"],
        "title_0": "Будни", "days_0": ["0", "1"], "from_0": "9", "to_0": "18", "title_1": "Короткие", "from_1": "9", "to_1": "17",
        "special_working": "group:0", "special_off": "", "special_short": "group:1",
    }  # fmt: skip
    await admin.post(address, **form)
    kept = hours(house)
    assert (kept.holidays, kept.timezone, kept.closed, [d.special for d in kept.days]) == (True, None, (), [("working",), ("short",)])
    page = await admin.get(address)
    assert "Переносы известны до конца 2027 года" in page
    assert "Как у ВАТС: Москва (UTC+03:00)" in page
    assert page.count(" selected") == 2, "the third kind is not assigned; the zone is the PBX's"
    await admin.post(address, **{**form, "special_short": "closed", "special_off": "group:1"})
    assert (hours(house).closed, [d.special for d in hours(house).days]) == (("short",), [("working",), ("off",)])
    before = hours(house)
    for wrong in ("group:7", "group:", "nonsense"):
        assert "Выберите значение из списка." in await admin.post(address, 422, **{**form, "special_short": wrong})
    assert hours(house) == before
    page = await admin.post(address, 200, do="drop:0", **form)
    assert 'value="group:0" selected' in page, "the group that is left keeps its kind"
    assert page.count(" selected") == 1


@pytest.mark.feature("SCH-4", "SCH-5", "R28")
async def test_the_calendar_shows_what_happens_on_each_day(house: House, visitor: Visitor) -> None:
    await with_holidays(house)
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        await set_day(edit, date(2099, 3, 5), (HourRange(600, 700),), "Открытие")
    admin = await visitor("romashka-admin")
    address = f"/schedules/{hours(house).id}/calendar"
    page = await admin.get(f"{address}?year=2025")
    assert '<td class="day-special-closed" title="Чт 01.05: закрыто (Праздник Весны и Труда)">1</td>' in page
    assert '<td class="day-open" title="Вт 06.05: 09:00–18:00">6</td>' in page
    assert "01.01 – 06.01" in page
    assert "рабочий день вместо 03.11.2025" in page
    assert "неизвестны" not in page
    page = await admin.get(f"{address}?year=2028")
    assert "Переносы 2028 года неизвестны: правительство перенесло дни только до 2027 года включительно." in page
    assert "Открытие" in await admin.get(f"{address}?year=2099")
    for odd in ("0", "99999", "x", "2100", "-5", "٣"):
        await admin.get(f"{address}?year={odd}")
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        await save_schedule(edit, msgspec.structs.replace(hours(house), holidays=False))
    page = await admin.get(f"{address}?year=2028")
    assert "неизвестны" not in page
    assert "Федеральные праздники в этом графике выключены." in page


@pytest.mark.feature("SCH-4", "SCH-5")
@pytest.mark.parametrize(
    ("now", "until", "why"),
    [
        ("2025-12-30T18:00+03:00", "закрыто до 12 янв. 2026", ""),
        ("2026-01-07T12:00+03:00", "закрыто до сб 20:00", "Рождество Христово"),
        ("2026-11-26T12:00+03:00", "закрыто до 15:00", "особый день «Поздно»"),
    ],
)
async def test_the_list_tells_the_day_and_until_when(house: House, visitor: Visitor, now: str, until: str, why: str) -> None:
    weekdays_only = tuple(d for d in hours(house).days if 0 in d.weekdays)
    await with_holidays(house, **({"days": weekdays_only} if not why else {}))
    with clock.shifted(datetime.fromisoformat(now) - clock.now()):
        async with house.ctx.edit(house.one.id, SYSTEM) as edit:
            await set_day(edit, date(2026, 11, 26), (HourRange(900, 1080),), "Поздно")
        admin = await visitor("romashka-admin")
        for address in ("/schedules", f"/schedules/{hours(house).id}"):
            page = (await admin.get(address)).replace("\u202f", " ").replace("\xa0", " ")
            assert until in page
            assert why in page


@pytest.mark.feature("SCH-5")
async def test_past_days_stand_apart_and_an_empty_list_says_what_it_is_for(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    assert "Прошедшие" not in await admin.get("/special-days")
    with clock.shifted(timedelta(days=365 * 80)):
        admin = await visitor("romashka-admin")
        page = await admin.get("/special-days")
        assert "Прошедшие" in page
        assert "Инвентаризация" in page
        assert "Впереди нет особых дней" in page


@pytest.mark.feature("SCH-1", "SCH-5")
async def test_deleting_a_schedule_names_the_days_that_go_with_it(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    address = f"/schedules/{hours(house).id}/delete"
    page = await admin.get(address)
    assert "Инвентаризация" in page
    assert "не может быть удал" not in page
    await admin.post(address)
    assert on(house, "2099-06-01") is None


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("9-18", ((540, 1080),)),
        ("9:00 – 13:00; 14—18.30", ((540, 780), (840, 1110))),
        (" 22:00–2:00 ,", ((1320, 120),)),
        ("0:00–24:00", ((0, 1440),)),
    ],
)
def test_ranges_as_people_write_them(text: str, ranges: tuple[tuple[int, int], ...]) -> None:
    assert editor.ranges_of("hours", text) == tuple(HourRange(*r) for r in ranges)
