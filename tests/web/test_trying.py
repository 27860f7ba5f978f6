# SPDX-License-Identifier: Apache-2.0
"""“Check before saving”: what would become of the last calls, from the form as it is typed, with nothing saved."""

from __future__ import annotations

import pytest

from engine.sdk import Ref
from plugins.ivr.part import Menu
from tests.web.conftest import Visitor
from tests.web.house import House
from tests.web.test_history import words

BOTH = pytest.mark.parametrize("language", ["ru", "en"])


def group_fields(house: House, **changed: str) -> dict[str, str]:
    one = house.one
    parent = f"groups.group:{one.things['root']}"
    return {"title": "Отдел продаж", "parent": parent, "priority": "1", "active": "1", "extension": "300", **changed}


@BOTH
async def test_calls_that_would_go_elsewhere_are_counted_and_shown(house: House, visitor: Visitor, language: str) -> None:
    admin = await visitor("romashka-admin")
    await admin.post("/preferences", language=language, back="/")
    menu = house.ctx.snapshot(house.one.id).get(Ref(Menu.kind, house.one.things["menu"]), Menu)
    assert menu is not None
    before, address = house.ctx.snapshot(house.one.id), f"/menus/{menu.id}"
    assert 'name="try"' in await admin.get(address)
    fields = {"title": "Другое имя", "parent": str(menu.parent), "file": str(menu.file), "active": "1", "key_1": "core.hangup:0"}
    page = await admin.post(address, 200, **{"try": "1"}, **fields)
    told = words(page)
    assert {"ru": "Ещё ничего не сохранено", "en": "Nothing is saved yet"}[language] in told
    assert {"ru": "пошли бы иначе", "en": "would go elsewhere"}[language] in told
    card = page.partition('id="tried"')[2].partition("</section>")[0]
    assert "/calls/" in card
    assert {"ru": "<h2>Проверка до сохранения</h2>", "en": "<h2>The check before saving</h2>"}[language] in card
    heads = {"ru": ("Сейчас", "Станет"), "en": ("Now", "Would be")}[language]
    assert "".join(f"<th>{head}</th>" for head in heads) in card
    assert 'value="Другое имя"' in page  # what was typed is still there
    assert house.ctx.snapshot(house.one.id) is before
    await admin.post(address, 303, **fields)  # and can be saved from there
    assert house.ctx.snapshot(house.one.id).revision == before.revision + 1


async def test_new_warnings_are_told(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    address = f"/groups/{house.one.things['group']}"
    await admin.get(address)
    told = words(await admin.post(address, 200, **{"try": "1"}, **group_fields(house, method="NONE")))
    assert "Никто никогда не ответит в группе «Отдел продаж»" in told or "Отдел продаж" in told.partition("Предупреждение")[2]
    assert "Предупреждение" in told


async def test_what_may_not_be_saved_is_told_as_ever(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    address = f"/groups/{house.one.things['group']}"
    await admin.get(address)
    before = house.ctx.snapshot(house.one.id)
    page = await admin.post(address, 422, **{"try": "1"}, **group_fields(house, extension="201"))
    assert "201" in words(page)
    assert 'id="tried"' not in page
    assert house.ctx.snapshot(house.one.id) is before


async def test_nothing_changed_is_said(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    address = f"/users/{house.one.users['user']}"
    await admin.get(address)
    page = await admin.post(address, 200, **{"try": "1"}, form="main", title="Ульяна Петрова", extension="203", active="1", language="ru")
    assert "Ничего не изменится" in words(page)


async def test_a_form_that_asks_before_deleting_is_only_tried_too(house: House, visitor: Visitor) -> None:
    """The button stands nowhere there; a forged field saves nothing all the same."""
    admin = await visitor("romashka-admin")
    before = house.ctx.snapshot(house.one.id)
    rule = f"/rules/{house.one.things['rule']}/delete"
    await admin.get(rule)
    await admin.post(rule, 200, **{"try": "1"})
    assert house.ctx.snapshot(house.one.id) is before


@pytest.mark.parametrize("path", ["/pbx", "/schedules/{schedule}", "/special-days/{day}", "/rules/{rule}", "/contacts/{contact}"])
async def test_the_button_stands_on_the_pages_that_decide_where_calls_go(house: House, visitor: Visitor, path: str) -> None:
    admin = await visitor("romashka-admin")
    assert 'name="try"' in await admin.get(path.format(**house.one.things, contact=house.one.contacts["user"]))
