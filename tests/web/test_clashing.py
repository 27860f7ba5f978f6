# SPDX-License-Identifier: Apache-2.0
"""Two people at the same settings: what the other has saved is shown, what was typed is kept, and nothing is overwritten unseen."""

from __future__ import annotations

import re

import pytest
from aiohttp.test_utils import TestServer
from msgspec.structs import replace
from playwright.async_api import Browser as Chromium
from playwright.async_api import ViewportSize, expect

from engine.revisions import Actor
from engine.sdk import HANGUP, Branch, Ref, people
from plugins.ivr.part import Menu, MenuKey
from plugins.ivr.service import save_menu
from plugins.numbers.part import ListEntry, NumberList, Rule
from plugins.numbers.service import delete_rule, save_list, save_rule
from plugins.schedules.part import Schedule
from plugins.schedules.service import delete_schedule, save_schedule
from plugins.voicemail import service as voicemail
from plugins.voicemail.part import Mailbox
from tests.web import test_browser
from tests.web.conftest import Browser, Visitor
from tests.web.house import SYSTEM, House
from tests.web.test_browser import AUDIT, PHONE, WIDE, chromium, screen
from tests.web.test_history import change_group, group_of, row_of, words
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


def field_of(page: str, name: str) -> str:
    found = re.search(rf'name="{name}"[^>]*? value="([^"]*)"', page)
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
    await change_group(house, Actor(8, "Ольга", "web"), recording=True, attempts=3)
    page = await admin.post(address, 422, revision=revision, **group_fields(house, title="Отдел роста", method="BY_USER"))
    assert 'value="Отдел роста"' in page  # what was typed is kept
    assert "Отдел роста" not in page.partition('data-tree')[2].partition("</nav>")[0]  # the menu shows what is saved
    assert field_of(page, "attempts") == "3"  # what was not touched is what the other has saved, to be saved again as such
    assert re.search(r'name="recording"[^>]* checked', page)
    told = clash_of(page)
    if language == "ru":
        assert "Уже изменено" in told
        assert re.search(r"изменили: Пётр \(.+?\) \.", told)
        assert "Группа Отдел заботы Название Отдел продаж → Отдел заботы Отдел заботы → Отдел роста" in told
        assert "Метод распределения звонков Последовательный с первого → Случайный Случайный → Одновременный по пользователям" in told
        assert "Ничего не сохранено: за это время то же самое уже изменено." in words(page)
    else:
        assert "Changed meanwhile" in told
        assert "Group Отдел заботы Title Отдел продаж → Отдел заботы Отдел заботы → Отдел роста" in told
    assert not re.search("Запись|Recording|Ольга", told)
    assert group_of(house).title == "Отдел заботы"
    again = _REVISION.search(page.partition('id="settings"')[2])
    assert again
    fields = group_fields(house, title="Отдел роста", method="BY_USER", attempts="3", recording="1")
    await admin.post(address, revision=again[1], **fields)  # knowingly
    assert (group_of(house).title, group_of(house).attempts, group_of(house).recording) == ("Отдел роста", 3, True)


@BOTH
async def test_another_field_of_the_same_element(house: House, visitor: Visitor, language: str) -> None:
    """A form holds all fields; those that its visitor has left alone are not put back to what they were, and he is told."""
    admin = await visitor("romashka-admin")
    await admin.post("/preferences", language=language, back="/")
    address = f"/groups/{house.one.things['group']}"
    revision = await opened(admin, address)
    await change_group(house, Actor(7, "Пётр", "bot"), title="Отдел заботы", recording=True, extension="309")
    await admin.post(address, revision=revision, **group_fields(house, attempts="4"))
    group = group_of(house)
    assert (group.title, group.recording, group.extension, group.attempts) == ("Отдел заботы", True, "309", 4)
    assert house.ctx.snapshot(house.one.id).extension("309") == group.ref
    assert house.ctx.snapshot(house.one.id).extension("300") is None
    told = words(await admin.get(address))
    if language == "ru":
        assert "Изменено за это время и оставлено так: Группа «Отдел заботы»: Название, Внутренний номер, Запись звонков." in told
    else:
        assert "Changed meanwhile, and left so: Group “Отдел заботы”: Title, Extension, Call recording." in told


async def test_another_key_of_the_same_menu(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    menu = house.ctx.snapshot(house.one.id).get(Ref(Menu.kind, house.one.things["menu"]), Menu)
    assert menu is not None
    revision = await opened(admin, f"/menus/{menu.id}")
    keys = {k.key: k.target for k in menu.keys}
    async with house.ctx.edit(house.one.id, Actor(7, "Пётр", "bot")) as edit:
        await save_menu(edit, replace(menu, keys=(*menu.keys, MenuKey("7", HANGUP))))
    values = {"title": menu.title, "parent": str(menu.parent), "file": str(menu.file or ""), "active": "1"}
    posted = {f"key_{key}": str(target) for key, target in {**keys, "8": HANGUP}.items()}
    await admin.post(f"/menus/{menu.id}", revision=revision, **values, **posted)
    saved = house.ctx.snapshot(house.one.id).get(menu.ref, Menu)
    assert saved is not None
    assert {k.key: k.target for k in saved.keys} == {**keys, "7": HANGUP, "8": HANGUP}


async def test_other_numbers_into_the_same_list(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    numbers = house.ctx.snapshot(house.one.id).get(Ref(NumberList.kind, house.one.things["list"]), NumberList)
    assert numbers is not None
    address = f"/number-lists/{numbers.id}"
    revision = await opened(admin, address)
    async with house.ctx.edit(house.one.id, Actor(7, "Пётр", "bot")) as edit:
        await save_list(edit, replace(numbers, entries=(*numbers.entries, ListEntry(number="+79990001122"))))
    await admin.post(address, revision=revision, form="add", entries="+79990001133")
    saved = house.ctx.snapshot(house.one.id).get(numbers.ref, NumberList)
    assert saved is not None
    assert {e.number for e in saved.entries} == {*(e.number for e in numbers.entries), "+79990001122", "+79990001133"}


async def test_another_member_of_the_same_group(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    first, second = group_of(house).members[:2]
    revision = await opened(admin, f"/groups/{house.one.things['group']}")
    address = f"/branches/{group_of(house).ref}/members"
    moved = [replace(m, priority=7) if m.user == first.user else m for m in group_of(house).members]
    await change_group(house, Actor(7, "Пётр", "bot"), members=tuple(moved))
    await admin.post(address, revision=revision, user=f"core.user:{second.user}", priority="9")
    assert {m.user: m.priority for m in group_of(house).members} == {
        **{m.user: m.priority for m in group_of(house).members}, first.user: 7, second.user: 9,
    }  # fmt: skip
    await admin.post(address, revision=revision, user=f"core.user:{first.user}", priority="5")  # the same one
    assert {m.user: m.priority for m in group_of(house).members}[first.user] == 7
    assert "Ничего не сохранено: за это время то же самое уже изменено." in words(await admin.get(f"/groups/{house.one.things['group']}"))


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
    page = await admin.post(address, 422, revision=shown[1], **group_fields(house, title="Отдел роста"))
    assert "Отдел продаж → Отдел заботы Отдел заботы → Отдел роста" in clash_of(page)


async def test_oneself_in_another_window(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    address = f"/groups/{house.one.things['group']}"
    revision = await opened(admin, address)
    await admin.post(address, revision=revision, **group_fields(house, title="Первое окно"))
    told = clash_of(await admin.post(address, 422, revision=revision, **group_fields(house, title="Второе окно")))
    assert "изменили: вы, в другом окне" in told


@pytest.mark.parametrize("revision", ["²", "99999999999999999999", "-1", "1e3", "nonsense"])
async def test_a_revision_that_is_no_number(house: House, visitor: Visitor, revision: str) -> None:
    """As a form that names none."""
    admin = await visitor("romashka-admin")
    await admin.post(f"/groups/{house.one.things['group']}", revision=revision, **group_fields(house, attempts="3"))
    assert group_of(house).attempts == 3
    await admin.post("/groups/99999", 404, revision=revision, title="x")


async def test_a_revision_that_never_was(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    page = await admin.post(f"/groups/{house.one.things['group']}", 422, revision="999999999", **group_fields(house, attempts="3"))
    assert "Сравните" in words(page)
    assert group_of(house).attempts == 1


async def test_only_tried_the_clash_is_told_too(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    address = f"/groups/{house.one.things['group']}"
    revision = await opened(admin, address)
    await change_group(house, title="Отдел заботы")
    page = await admin.post(address, 422, revision=revision, **{"try": "1"}, **group_fields(house, title="Отдел роста"))
    assert "Отдел продаж → Отдел заботы" in clash_of(page)
    page = await admin.post(address, 200, revision=revision, **{"try": "1"}, **group_fields(house, attempts="4"))
    assert "Изменено за это время и оставлено так: Группа «Отдел заботы»: Название." in words(page)
    assert group_of(house).attempts == 1


async def test_deleting_what_somebody_has_changed(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    address = f"/rules/{house.one.things['rule']}/delete"
    revision = await opened(admin, address)
    rule = house.ctx.snapshot(house.one.id).get(Ref(Rule.kind, house.one.things["rule"]), Rule)
    assert rule is not None
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        await save_rule(edit, replace(rule, title="Ночные звонки"))
    told = clash_of(await admin.post(address, 422, revision=revision))
    assert "Ночные звонки изменено удалено" in told
    again = await opened(admin, address)
    await admin.post(address, revision=again)
    assert house.ctx.snapshot(house.one.id).element(rule.ref) is None


async def test_what_both_set_for_the_first_time(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    group = group_of(house).ref
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        if (box := house.ctx.snapshot(house.one.id).attached(group, Mailbox)) is not None:
            await voicemail.store.remove(house.one.id, box, edit.tx)
    address = f"/mailboxes/{group}"
    revision = await opened(admin, address)
    async with house.ctx.edit(house.one.id, Actor(7, "Пётр", "web")) as edit:
        await voicemail.set_mailbox(edit, group, max_seconds=90)
    page = await admin.post(address, 422, revision=revision, max_seconds="30", silence_seconds="5", beep="1", notice="none")
    assert "Наибольшая длина сообщения, секунд не задано → 90 90 → 30" in clash_of(page)
    assert field_of(page, "max_seconds") == "30"


@BOTH
async def test_the_element_has_been_deleted(house: House, visitor: Visitor, language: str) -> None:
    """What was typed is kept, and can be saved once the element is brought back."""
    admin = await visitor("romashka-admin")
    await admin.post("/preferences", language=language, back="/")
    address = f"/rules/{house.one.things['rule']}"
    rule = house.ctx.snapshot(house.one.id).get(Ref(Rule.kind, house.one.things["rule"]), Rule)
    assert rule is not None
    revision = await opened(admin, address)
    fields = {"revision": revision, "title": "Ночные звонки", "priority": "1", "target": str(rule.target), "active": "1"}
    async with house.ctx.edit(house.one.id, Actor(7, "Пётр", "web")) as edit:
        await delete_rule(edit, rule.id)
    page = await admin.post(address, 422, **fields)
    assert 'value="Ночные звонки"' in page
    said = {"ru": "Пока форма была открыта, «{}» удалили (Пётр).", "en": "“{}” has been deleted meanwhile: Пётр."}[language]
    assert said.format(rule.title) in words(page)
    other = await visitor("vasilek-admin")
    await other.post(address, 404, **{**fields, "revision": "1"})  # another customer's: it never was
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        await edit.bring_back(int(revision), rule.ref)
    await admin.post(address, **fields)
    saved = house.ctx.snapshot(house.one.id).get(rule.ref, Rule)
    assert saved is not None
    assert saved.title == "Ночные звонки"


@BOTH
async def test_a_choice_has_been_deleted(house: House, visitor: Visitor, language: str) -> None:
    """The field is marked, and the form does not move to another choice by itself."""
    admin = await visitor("romashka-admin")
    await admin.post("/preferences", language=language, back="/")
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        made = await save_schedule(edit, Schedule(id=0, title="Ночь"))
    address = f"/groups/{house.one.things['group']}"
    revision = await opened(admin, address)
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        await delete_schedule(edit, made.ref)
    page = await admin.post(address, 422, revision=revision, **group_fields(house, schedule=str(made.ref)))
    option = {"ru": "больше нет: выберите другое", "en": "No longer there: choose another"}[language]
    assert re.search(rf'<option value="{made.ref}" selected>[^<]*{option}', page)
    marked = {"ru": "Выбранного здесь больше нет. Выберите", "en": "What was chosen here is no longer there. Choose"}[language]
    assert f'id="schedule-about">{marked}' in page
    assert str(made.ref) not in words(page)
    assert group_of(house).schedule is None


async def test_whom_somebody_has_added_to_another_group_goes_all_the_same(house: House, visitor: Visitor) -> None:
    """The memberships of a user are no decision of who deletes him, and go with him wherever he stands by now."""
    admin = await visitor("romashka-admin")
    user = next(m.user for m in group_of(house).members if m.user != house.one.users["admin"])
    address = f"/users/{user}/delete"
    revision = await opened(admin, address)
    async with house.ctx.edit(house.one.id, Actor(7, "Пётр", "web")) as edit:
        await people.set_membership(edit, Ref("ivr.menu", house.one.things["menu"]), user, 4)
    await admin.post(address, revision=revision)
    saved = house.ctx.snapshot(house.one.id)
    assert user not in saved.users
    assert all(m.user != user for e in saved.elements() if isinstance(e, Branch) for m in e.members)


async def test_a_key_leads_to_what_has_been_deleted(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    menu = house.ctx.snapshot(house.one.id).element(Ref("ivr.menu", house.one.things["menu"]))
    assert menu is not None
    fields = {"title": menu.title, "parent": str(menu.parent), "active": "1", "key_1": "groups.group:99999", "key_2": "core.hangup:0"}
    page = await admin.post(f"/menus/{menu.id}", 422, **fields)
    assert re.search(r'<option value="groups.group:99999" selected>Этого больше нет', page)
    first, second = (page.partition(f'name="key_{key}"')[2].partition("</select>")[0] for key in "12")
    assert first.count(" selected") == second.count(" selected") == 1
    assert '<option value="core.hangup:0" selected>' in second


async def test_going_back_over_what_somebody_has_changed(house: House, visitor: Visitor) -> None:
    """It means everything: nothing is taken over, and what would be lost is shown before."""
    admin = await visitor("romashka-admin")
    before = house.ctx.snapshot(house.one.id).revision
    await change_group(house, title="Отдел заботы", attempts=2)
    address = f"/history/{await row_of(house, before)}/back"
    revision = await opened(admin, address)
    await change_group(house, Actor(7, "Пётр", "bot"), attempts=5)
    page = await admin.post(address, 422, revision=revision)
    assert "5 → 1" in clash_of(page)
    again = _REVISION.search(page)
    assert again
    await admin.post(address, revision=again[1])
    assert (group_of(house).title, group_of(house).attempts) == ("Отдел продаж", 1)


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
