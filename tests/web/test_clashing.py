# SPDX-License-Identifier: Apache-2.0
"""Two people at the same settings: what the other has saved is shown, what was typed is kept, and nothing is overwritten unseen."""

from __future__ import annotations

import re

import msgspec
import pytest
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser as Chromium
from playwright.async_api import ViewportSize, expect

from engine.revisions import Actor
from engine.sdk import Ref
from plugins.numbers.part import Rule
from plugins.numbers.service import save_rule
from tests.web import test_browser
from tests.web.conftest import Browser, Visitor
from tests.web.house import SYSTEM, House
from tests.web.test_browser import AUDIT, PHONE, WIDE, chromium, screen
from tests.web.test_history import change_group, group_of, words
from tests.web.test_trying import group_fields

__all__ = ["chromium"]  # a fixture

BROWSER = test_browser.pytestmark
BOTH = pytest.mark.parametrize("language", ["ru", "en"])
_REVISION = re.compile(r'name="revision" value="(\d+)"')


async def opened(browser: Browser, path: str) -> str:
    """The revision that the forms of a page are made from."""
    found = _REVISION.search(await browser.get(path))
    assert found
    return found[1]


def clash_of(page: str) -> str:
    return words("<main" + page.partition('id="clash"')[2].partition("</section>")[0] + "</main>")


@BOTH
async def test_the_same_element(house: House, visitor: Visitor, language: str) -> None:
    admin = await visitor("romashka-admin")
    await admin.post("/preferences", language=language, back="/")
    address = f"/groups/{house.one.things['group']}"
    revision = await opened(admin, address)
    await change_group(house, Actor(7, "Пётр", "bot"), title="Отдел заботы", method="RANDOM")
    await change_group(house, Actor(8, "Ольга", "web"), recording=True)  # an unticked box of the form would undo it
    page = await admin.post(address, 422, revision=revision, **group_fields(house, title="Отдел роста", method="BY_USER"))
    assert 'value="Отдел роста"' in page  # what was typed is kept
    told = clash_of(page)
    if language == "ru":
        assert "Уже изменено" in told
        assert re.search(r"изменили: Ольга \(.+?\) , Пётр \(.+?\) \.", told)
        assert "Группа Отдел заботы Название Отдел продаж → Отдел заботы Отдел заботы → Отдел роста" in told
        assert "Метод распределения звонков Последовательный с первого → Случайный Случайный → Одновременный по пользователям" in told
        assert "Запись звонков нет → да да → нет" in told
    else:
        assert "Changed meanwhile" in told
        assert "Group Отдел заботы Title Отдел продаж → Отдел заботы Отдел заботы → Отдел роста" in told
    assert group_of(house).title == "Отдел заботы"
    again = _REVISION.search(page.partition('id="settings"')[2])
    assert again
    await admin.post(address, revision=again[1], **group_fields(house, title="Отдел роста", method="BY_USER"))  # knowingly
    assert group_of(house).title == "Отдел роста"


async def test_another_element_is_just_saved(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    address = f"/users/{house.one.users['user']}"
    revision = await opened(admin, address)
    await change_group(house, title="Отдел заботы")
    await admin.post(address, revision=revision, form="main", title="Ульяна Иванова", extension="203", active="1", language="ru")
    user = house.ctx.snapshot(house.one.id).element(Ref("core.user", house.one.users["user"]))
    assert user is not None
    assert user.title == "Ульяна Иванова"
    assert group_of(house).title == "Отдел заботы"


async def test_a_refused_form_does_not_forget_what_it_was_made_from(house: House, visitor: Visitor) -> None:
    """Else whoever mends a wrong field would overwrite what others have saved before, unseen."""
    admin = await visitor("romashka-admin")
    address = f"/groups/{house.one.things['group']}"
    revision = await opened(admin, address)
    await change_group(house, title="Отдел заботы")
    page = await admin.post(address, 422, revision=revision, **group_fields(house, priority="none"))
    shown = _REVISION.search(page.partition('id="settings"')[2])
    assert shown
    assert shown[1] == revision
    page = await admin.post(address, 422, revision=shown[1], **group_fields(house))
    assert "Отдел продаж → Отдел заботы Отдел заботы → Отдел продаж" in clash_of(page)


async def test_oneself_in_another_window(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    address = f"/groups/{house.one.things['group']}"
    revision = await opened(admin, address)
    await admin.post(address, revision=revision, **group_fields(house, title="Первое окно"))
    told = clash_of(await admin.post(address, 422, revision=revision, **group_fields(house, title="Второе окно")))
    assert "изменили: вы, в другом окне" in told


async def test_only_tried_the_clash_is_told_too(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    address = f"/groups/{house.one.things['group']}"
    revision = await opened(admin, address)
    await change_group(house, title="Отдел заботы")
    page = await admin.post(address, 422, revision=revision, **{"try": "1"}, **group_fields(house))
    assert "Отдел продаж → Отдел заботы" in clash_of(page)


async def test_deleting_what_somebody_has_changed(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    address = f"/rules/{house.one.things['rule']}/delete"
    revision = await opened(admin, address)
    rule = house.ctx.snapshot(house.one.id).get(Ref(Rule.kind, house.one.things["rule"]), Rule)
    assert rule is not None
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        await save_rule(edit, msgspec.structs.replace(rule, title="Ночные звонки"))
    told = clash_of(await admin.post(address, 422, revision=revision))
    assert "Ночные звонки изменено удалено" in told
    again = await opened(admin, address)
    await admin.post(address, revision=again)
    assert house.ctx.snapshot(house.one.id).element(rule.ref) is None


@BROWSER
@pytest.mark.parametrize("size", [WIDE, PHONE])
async def test_two_windows(house: House, server: TestServer, chromium: Chromium, size: ViewportSize) -> None:
    shown = await screen(chromium, server, size=size)
    await shown.go(f"/groups/{house.one.things['group']}")
    await change_group(house, Actor(7, "Пётр", "web"), title="Отдел заботы", members=group_of(house).members[:1])
    page = shown.page
    await page.fill("#settings #title", "Отдел роста")
    await page.click("#settings button.primary")
    await expect(page.locator("#clash")).to_contain_text("Отдел заботы → Отдел роста")
    await expect(page.locator("#settings #title")).to_have_value("Отдел роста")
    await expect(page.locator("#settings [role=alert]")).to_contain_text("Ничего не сохранено")
    assert await page.evaluate(AUDIT) == []
    await page.click("#settings button.primary")
    await expect(page.locator(".notice.good")).to_be_visible()
    assert group_of(house).title == "Отдел роста"
    assert len(group_of(house).members) == 1  # the members, which this form does not hold, stay as the other has left them
