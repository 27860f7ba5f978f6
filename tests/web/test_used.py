# SPDX-License-Identifier: Apache-2.0
"""Each element's page says where it is used, by which of the other's fields."""

from __future__ import annotations

import re

import pytest

from tests.web.conftest import Visitor
from tests.web.house import House

TAGS = re.compile(r"<[^>]+>|\s+")


def used(page: str) -> str:
    """The words of the page's part about uses."""
    found = re.search(r'<section class="card flush" id="used">(.*?)</section>', page, re.DOTALL)
    assert found is not None
    return TAGS.sub(" ", found[1])


@pytest.mark.parametrize(
    ("path", "thing", "words"),
    [
        ("/groups/{}", "group", ("Главное меню", ": Клавиши")),
        ("/menus/{}", "menu", ("Всем в меню", "Правило: Действие")),
        ("/trunks/{}", "trunk", ("Главный", "Номер: Линия")),
        ("/numbers/{}", "did", ("Всем в меню", "Правило: Номер")),
        ("/schedules/{}", "schedule", ("Инвентаризация", "Особый день: Графики работы")),
        ("/voice-files/{}", "file", ("Главное меню", "IVR-меню: Файл пунктов меню")),
        ("/number-lists/{}", "list", ("", "")),
    ],
)
async def test_where_it_is_used(house: House, visitor: Visitor, path: str, thing: str, words: tuple[str, str]) -> None:
    admin = await visitor("romashka-admin")
    page = await admin.get(path.format(house.one.things[thing]))
    assert page.count("Где используется") == 1
    told = re.sub(r" +", " ", used(page))
    for word in words:
        assert word in told


async def test_a_users_page_names_his_groups_and_a_stranger_nothing(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    told = re.sub(r" +", " ", used(await admin.get(f"/users/{house.one.users['user']}")))
    assert "Отдел продаж" in told
    assert "Группа: Пользователи" in told
    assert "SIP" not in told


async def test_whatever_an_action_offers_belongs_to_something_that_can_be_missed(house: House) -> None:
    """A target that is no element is a place at one (`Part.places`), or nothing could keep its owner from being deleted."""
    whole = house.ctx.snapshot(house.one.id)
    offered = [choice.target for action in house.ctx.registry.actions().values() for choice in action.choices(whole)]
    assert len(offered) > 10
    assert [target for target in offered if target.id and whole.element(whole.owner(target)) is None] == []
