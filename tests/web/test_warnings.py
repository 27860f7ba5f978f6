# SPDX-License-Identifier: Apache-2.0
"""What may be saved and is worth a warning is told with “Saved”, once, and stands in the check of settings."""

from __future__ import annotations

import re
from typing import Any

import pytest

from engine.people import UserWish, create_user
from tests.web.conftest import Visitor
from tests.web.house import SYSTEM, House
from tests.web.test_history import words
from tests.web.test_rehearsal import settled
from tests.web.test_trying import group_fields

BOTH = pytest.mark.parametrize("language", ["ru", "en"])


def notice_of(page: str) -> str:
    """The notice above the page, with its tone."""
    found = re.search(r'<div class="notice (\w+)" role="status">(.*?)</div>', page, re.DOTALL)
    assert found
    return f"{found[1]}: {' '.join(re.sub('<[^>]+>', ' ', found[2]).split())}"


@BOTH
async def test_a_second_group_of_the_same_name(house: House, visitor: Visitor, language: str) -> None:
    admin = await visitor("romashka-admin")
    await admin.post("/preferences", language=language, back="/")
    root = f"/groups/{house.one.things['root']}/new"
    await admin.get(root)
    told = notice_of(await admin.get(await admin.post(root, title="отдел Продаж")))
    named = {"ru": "«отдел Продаж» уже есть", "en": "There is another “отдел Продаж” already"}[language]
    assert named in told
    assert told.startswith("warn: ")
    assert named in words(await admin.get("/check"))


async def test_what_was_so_before_is_not_told_again(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    address = f"/groups/{house.one.things['group']}"
    await admin.get(address)
    assert notice_of(await admin.get(await admin.post(address, **group_fields(house, title="Ромашка")))).startswith("warn: ")
    assert notice_of(await admin.get(await admin.post(address, **group_fields(house, title="Ромашка", attempts="3")))).startswith("good: ")


@BOTH
@pytest.mark.parametrize(
    ("ranges", "overlap"),
    [
        ((("9:00", "13:00"), ("12:00", "18:00")), ("09:00–13:00", "12:00–18:00")),
        ((("20:00", "2:00"), ("23:00", "24:00")), ("20:00–02:00", "23:00–24:00")),
        ((("9:00", "13:00"), ("13:00", "18:00")), None),
        ((("9:00", "18:00"), ("10:00", "11:00"), ("17:00", "19:00")), ("09:00–18:00", "17:00–19:00")),
    ],
)
async def test_hours_of_one_day_that_overlap(
    house: House, visitor: Visitor, language: str, ranges: tuple[tuple[str, str], ...], overlap: tuple[str, str] | None
) -> None:
    admin = await visitor("romashka-admin")
    await admin.post("/preferences", language=language, back="/")
    address = f"/schedules/{house.one.things['schedule']}"
    await admin.get(address)
    week: dict[str, Any] = {
        "title": "Рабочее время", "group": "0", "title_0": "Будни", "days_0": ["0", "1"], "from_0": [r[0] for r in ranges],
        "to_0": [r[1] for r in ranges],
    }  # fmt: skip
    told = notice_of(await admin.get(await admin.post(address, **week)))
    if overlap is None:
        assert told.startswith("good: ")
    else:
        both = {"ru": "{} и {} пересекаются", "en": "{} and {} overlap"}[language].format(*overlap)
        assert told.startswith("warn: ")
        assert both in told
        assert "Рабочее время: Будни" in told


async def test_a_menu_in_which_nobody_has_time_to_choose(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    address = f"/menus/{house.one.things['menu']}"
    page = await admin.get(address)
    assert "0 — " in page.partition('name="timeout_seconds"')[2][:600]  # what it means
    fields = {"title": "Главное меню", "parent": f"groups.group:{house.one.things['root']}", "active": "1", "key_1": "core.hangup:0"}
    told = notice_of(await admin.get(await admin.post(address, timeout_seconds="0", file="", **fields)))
    assert "никто ничего не сможет выбрать" in told


@BOTH
async def test_a_key_that_leads_to_a_user_without_a_phone(house: House, visitor: Visitor, language: str) -> None:
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        bare = await create_user(edit, UserWish(title="Вера", extension="250"))
    admin = await visitor("romashka-admin")
    await admin.post("/preferences", language=language, back="/")
    hint = {"ru": "К сведению", "en": "Hint"}[language]
    found = words(await settled(admin))
    assert hint in found
    assert "Вера (250)" in found
    address = f"/menus/{house.one.things['menu']}"
    await admin.get(address)
    fields = {"title": "Главное меню", "parent": f"groups.group:{house.one.things['root']}", "active": "1", "key_1": f"core.user:{bare}"}
    told = notice_of(await admin.get(await admin.post(address, file=f"voicefiles.file:{house.one.things['file']}", **fields)))
    leads = {"ru": "«Главное меню» ведёт вызовы к пользователю «Вера»", "en": "“Главное меню” leads calls to “Вера”"}[language]
    assert told.startswith("warn: ")
    assert leads in told
    found = words(await settled(admin))
    assert leads in found
    assert hint not in found


@BOTH
@pytest.mark.feature("R17")
async def test_a_service_hidden_and_a_prefix_in_vain(house: House, visitor: Visitor, language: str) -> None:
    admin = await visitor("romashka-admin")
    await admin.post("/preferences", language=language, back="/")
    hidden, in_vain = {
        "ru": ("Кто наберёт 103 с телефона АТС, попадёт не в экстренную службу", "Запрещённый префикс 112 («Вера») не останавливает"),
        "en": ("Whoever dials 103 from a phone of the PBX reaches “Вера”", "The forbidden prefix 112 of “Вера” does not stop calls to 112"),
    }[language]
    await admin.get("/users/new")
    fields = {"title": "Вера", "extension": "103", "forbidden_prefixes": "112", "language": "ru", "active": "1"}
    page = await admin.get(await admin.post("/users/new", **fields))
    for text in (notice_of(page), words(await settled(admin))):
        assert hidden in text
        assert in_vain in text
    assert notice_of(page).startswith("warn: ")
    address = f"/groups/{house.one.things['group']}"
    await admin.get(address)
    told = notice_of(await admin.get(await admin.post(address, **group_fields(house, extension="104"))))
    assert "104" in told
    assert told.startswith("warn: ")
