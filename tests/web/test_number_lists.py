# SPDX-License-Identifier: Apache-2.0
"""The pages of number lists, and the state of lines, as a browser uses them."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from engine.sdk import Ref, Trunk
from plugins.numbers.part import ListEntry, NumberList, NumbersPart, Rule
from plugins.numbers.service import save_list, save_rule, save_trunk
from tests.web.conftest import Visitor
from tests.web.house import SYSTEM, House

IVANOV, STORE = ListEntry("+79271234567", "Иванов"), ListEntry("+78452123456", "Склад", active=False)


def kept(house: House, title: str = "Постоянные клиенты") -> NumberList:
    part = house.ctx.snapshot(house.one.id).part("numbers", NumbersPart)
    assert part is not None
    return next(x for x in part.lists if x.title == title)


@pytest.mark.feature("DIR-1")
async def test_one_is_created_with_pasted_numbers(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    await admin.get("/number-lists/new")
    page = await admin.post("/number-lists/new", 422, title="Чёрный список", entries="8 927 000-00-01 Спам\nнет номера")
    assert "«нет номера» — не номер телефона" in page
    assert "8 927 000-00-01 Спам" in page
    where = await admin.post("/number-lists/new", title="Чёрный список", entries="8 927 000-00-01 Спам\n\n2-22-22-22; Банк")
    made = kept(house, "Чёрный список")
    assert where == f"/number-lists/{made.id}"
    assert made.entries == (ListEntry("+79270000001", "Спам"), ListEntry("+74952222222", "Банк"))
    assert "Чёрный список" in await admin.get("/number-lists")


@pytest.mark.feature("DIR-1")
async def test_it_is_renamed_and_switched_off(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    address = f"/number-lists/{house.one.things['list']}"
    await admin.get(address)
    await admin.post(address, form="settings", title="VIP")
    assert (kept(house, "VIP").active, kept(house, "VIP").entries) == (False, (IVANOV, STORE))
    assert "Отключено" in await admin.get("/number-lists")


@pytest.mark.feature("DIR-1")
async def test_numbers_are_added_on_top_and_known_ones_left_alone(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    address = f"/number-lists/{house.one.things['list']}"
    await admin.get(address)
    where = await admin.post(address, form="add", entries="8 916 000-00-01 Петров\n8 927 123 45 67 Другое имя")
    assert kept(house).entries == (ListEntry("+79160000001", "Петров"), IVANOV, STORE)
    page = await admin.get(where)
    assert "Добавлено номеров: 1" in page
    assert "Уже были в списке: 1" in page
    assert "Заполните это поле." in await admin.post(address, 422, form="add", entries="  \n ")


@pytest.mark.feature("DIR-1")
async def test_entries_are_edited_in_place(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    address = f"/number-lists/{house.one.things['list']}"
    page = await admin.get(address)
    assert re.findall(r'name="was" value="([^"]+)"', page) == ["+79271234567", "+78452123456"]
    was = ["+79271234567", "+78452123456"]
    rows: dict[str, Any] = {"form": "table", "was": was, "number": ["8 927 123-45-68", "+7 845 212-34-56"], "name": ["Иванова", "Склад 2"]}
    await admin.post(address, **rows, active="+78452123456")
    assert kept(house).entries == (ListEntry("+79271234568", "Иванова", active=False), ListEntry("+78452123456", "Склад 2"))


@pytest.mark.feature("DIR-1")
async def test_a_wrong_number_is_marked_in_its_row(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    address = f"/number-lists/{house.one.things['list']}"
    await admin.get(address)
    rows: dict[str, Any] = {"form": "table", "was": ["+79271234567", "+78452123456"], "name": ["Иванов", "Склад"]}
    page = await admin.post(address, 422, **rows, number=["8 927 123-45-67", "12"])
    assert page.count("«12» — не номер телефона") == 1
    assert 'id="wrong-2"' in page
    page = await admin.post(address, 422, **rows, number=["8 927 123-45-67", "8 927 123 45 67"])
    assert "уже есть в списке" in page
    assert kept(house).entries == (IVANOV, STORE)


@pytest.mark.feature("DIR-1")
async def test_a_rows_delete_button_saves_the_other_rows_too(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    address = f"/number-lists/{house.one.things['list']}"
    await admin.get(address)
    was = ["+79271234567", "+78452123456"]
    await admin.post(address, form="table", was=was, number=["broken", *was[1:]], name=["Иванов", "Склад 3"], drop="+79271234567")
    assert kept(house).entries == (ListEntry("+78452123456", "Склад 3", active=False),)


async def test_a_long_list_has_pages_and_a_search_and_saving_keeps_what_is_not_shown(house: House, visitor: Visitor) -> None:
    many = tuple(ListEntry(f"+7900{n:07}", f"Клиент {n}") for n in range(250))
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        made = await save_list(edit, NumberList(id=0, title="Длинный", entries=many))
    admin = await visitor("romashka-admin")
    address = f"/number-lists/{made.id}"
    shown = {"": 100, "?page=3": 50, "?page=99": 50, "?page=x": 100, "?q=клиент+24": 11, "?q=8+900+000+00+07": 1, "?q=нет": 0}
    for page, count in shown.items():
        assert len(re.findall('name="was"', await admin.get(address + page))) == count, page
    found = "?q=клиент+249"
    await admin.get(address + found)
    number = many[249].number
    where = await admin.post(address + found, form="table", was=number, number=number, name="Последний", active=number)
    assert where.startswith(address + "?q=")
    assert kept(house, "Длинный").entries == (*many[:249], ListEntry(number, "Последний"))


async def test_a_change_by_somebody_else_is_not_overwritten(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    address = f"/number-lists/{house.one.things['list']}"
    page = await admin.get(address)
    revision = re.search(r'name="revision" value="(\d+)"', page)
    assert revision
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        await save_list(edit, msgspec.structs.replace(kept(house), title="Переименован"))
    page = await admin.post(address, 422, form="settings", title="VIP", revision=revision[1])
    assert "изменил" in page
    assert kept(house, "Переименован").entries == (IVANOV, STORE)


@pytest.mark.feature("DIR-1")
async def test_it_is_not_deleted_while_a_rule_asks_it(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    made = kept(house)
    rule = house.ctx.snapshot(house.one.id).get(Ref(Rule.kind, house.one.things["rule"]), Rule)
    assert rule is not None
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        await save_rule(edit, msgspec.structs.replace(rule, numbers=made.ref))
    assert f'<a href="/rules/{rule.id}">Всем в меню</a>' in await admin.get(f"/number-lists/{made.id}/delete")
    assert "Всем в меню" in await admin.post(f"/number-lists/{made.id}/delete", 422)
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        await save_rule(edit, rule)
    await admin.get(f"/number-lists/{made.id}/delete")
    await admin.post(f"/number-lists/{made.id}/delete")
    assert house.ctx.snapshot(house.one.id).element(made.ref) is None


@pytest.mark.feature("NUM-1")
async def test_a_rule_takes_a_list_and_a_schedule_and_only_where_they_belong(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    page = await admin.get(f"/rules/{house.one.things['rule']}")
    hours, callers = f"schedules.schedule:{house.one.things['schedule']}", f"{NumberList.kind}:{house.one.things['list']}"
    menu = f"ivr.menu:{house.one.things['menu']}"
    await admin.post(f"/rules/{house.one.things['rule']}", title="Днём", priority=1, numbers=callers, schedule=hours, target=menu, active=1)
    rule = house.ctx.snapshot(house.one.id).get(Ref(Rule.kind, house.one.things["rule"]), Rule)
    assert rule is not None
    assert (str(rule.numbers), str(rule.schedule)) == (callers, hours)
    await admin.post(f"/rules/{rule.id}", 422, title="Днём", priority=1, numbers=hours, schedule=callers, target=menu, active=1)
    group = await admin.get(f"/groups/{house.one.things['group']}")
    assert hours in group
    assert callers in page
    assert callers not in group


@pytest.mark.feature("NUM-2")
async def test_the_state_of_a_line_is_told_in_plain_words(house: House, visitor: Visitor) -> None:
    line = Trunk(id=0, title="Ростелеком", registers=True, server="sip.example", login="7495")
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        made = await save_trunk(edit, line, "secret")
        await save_trunk(edit, msgspec.structs.replace(line, title="Отключённая", active=False), "secret")
    admin = await visitor("romashka-admin")
    for state, words in (
        ("REGED", "регистрация у оператора есть"),
        ("TRYING", "регистрация выполняется"),
        ("FAIL_WAIT", "оператор отказал или не отвечает"),
        ("SOMETHING_NEW", "состояние неизвестно"),
    ):
        house.ctx.trunks = {made.id: state}
        assert words in await admin.get("/trunks")
        assert words in await admin.get(f"/trunks/{made.id}")
        assert state not in await admin.get("/trunks")
    house.ctx.trunks = {}
    page = await admin.get("/trunks")
    assert page.count("состояние неизвестно") == 1
    assert page.count("отключено") == 1
