# SPDX-License-Identifier: Apache-2.0
"""The journal of changes: told in both languages, gone back to as a whole and by element, or said why not."""

from __future__ import annotations

import re

import msgspec
import pytest

from engine import people
from engine.db import models
from engine.revisions import Actor
from engine.sdk import Ref
from plugins.codes.part import DEFAULTS, codes_of
from plugins.codes.service import save_codes
from plugins.groups.part import Group
from plugins.groups.service import save_group
from plugins.ivr.part import Menu, MenuKey
from plugins.ivr.service import save_menu
from plugins.notifications.wording import set_template
from plugins.schedules.service import delete_schedule
from plugins.voicefiles.service import delete_file
from tests.web.conftest import Browser, Visitor
from tests.web.house import SYSTEM, House

_TAGS = re.compile(r"<[^>]+>")


def words(page: str) -> str:
    """What main says, in one line."""
    main = page.partition('<main')[2].partition("</main>")[0]
    return re.sub(r"\s+", " ", _TAGS.sub(" ", main))


async def english(browser: Browser) -> None:
    await browser.post("/preferences", language="en", back="/")
    await browser.get("/history")


async def last(house: House) -> models.Revision:
    row = await models.Revision.of(house.one.id).order_by("-number").first()
    assert row is not None
    return row


async def row_of(house: House, number: int) -> int:
    return (await models.Revision.of(house.one.id).get(number=number)).id


def group_of(house: House) -> Group:
    group = house.ctx.snapshot(house.one.id).get(Ref(Group.kind, house.one.things["group"]), Group)
    assert group is not None
    return group


def number(house: House) -> int:
    return house.ctx.snapshot(house.one.id).revision


async def change_group(house: House, who: Actor = SYSTEM, **fields: object) -> None:
    async with house.ctx.edit(house.one.id, who) as edit:
        await save_group(edit, msgspec.structs.replace(group_of(house), **fields))


async def test_another_priority_of_a_user_is_a_change_of_his(house: House, visitor: Visitor) -> None:
    admin, group = await visitor("romashka-admin"), group_of(house)
    moved = [msgspec.structs.replace(m, priority=m.priority + 40) if m is group.members[0] else m for m in group.members[:2]]
    await change_group(house, members=tuple(moved))
    told = words(await admin.get("/history"))
    name = house.ctx.snapshot(house.one.id).users[moved[0].user].title
    assert re.search(rf"Пользователи: {name}.*? → {name} \(Приоритет: {moved[0].priority}\)", told)
    gone = house.ctx.snapshot(house.one.id).users[group.members[2].user].title
    assert f"Пользователи: удалено {gone}" in told


async def test_who_what_and_by_which_door_in_both_languages(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    anna, fewer = Actor(7, "Анна Админ", "bot"), group_of(house).members[:2]
    await change_group(house, anna, title="Отдел заботы", method="RANDOM", members=fewer, recording=True)
    told = words(await admin.get("/history"))
    assert "Анна Админ Telegram-бот изменено Группа Отдел заботы Название: Отдел продаж → Отдел заботы" in told
    assert "Метод распределения звонков: Последовательный с первого → Случайный" in told
    assert "Запись звонков: нет → да" in told
    assert "Ульяна Петрова" in told  # went from the group
    await english(admin)
    told = words(await admin.get("/history"))
    assert "Анна Админ Telegram bot changed Group Отдел заботы Title: Отдел продаж → Отдел заботы" in told
    assert "Distribution method: Sequential from the first → Random" in told


async def test_things_of_ours_are_called_in_the_language_of_the_page(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        await save_codes(edit, msgspec.structs.replace(DEFAULTS, toggle=("*33", "*34")))
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        kind = house.ctx.registry.letters()["fax.fax"]
        await set_template(edit, kind, "Факс", "<p>{{number}}</p>")
    told = words(await admin.get("/history"))
    assert "добавлено Команды ДВО" in told
    assert "Feature codes" not in told
    assert "fax.fax" not in told
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        await save_codes(edit, msgspec.structs.replace(codes_of(house.ctx.snapshot(house.one.id)), toggle=("*39",)))
    told = words(await admin.get("/history"))
    assert "*33, *34 → *39" in told
    options = (await admin.get("/check")).partition('<select id="since"')[2].partition("</select>")[0]
    assert "добавлено: Команды ДВО" in options
    for raw in ("Feature codes", "groups.group:", "changed", "~", "+ "):
        assert raw not in options


async def test_the_order_of_keys_is_no_change(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    menu = house.ctx.snapshot(house.one.id).get(Ref(Menu.kind, house.one.things["menu"]), Menu)
    assert menu is not None
    two = (*menu.keys, MenuKey("2", menu.keys[0].target))
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        await save_menu(edit, msgspec.structs.replace(menu, keys=two))
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        await save_menu(edit, msgspec.structs.replace(menu, keys=two[::-1], timeout_seconds=9))
    told = words(await admin.get("/history"))
    newest = told.partition(": 5 → 9")
    assert newest[1]
    assert "Главное меню" in newest[0]
    assert "Клавиши" not in newest[0]


async def test_secrets_are_never_shown(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        await people.edit_user(edit, house.one.users["user"], people.UserWish(title="Ульяна Петрова", extension="203", pin="4711"))
    page = await admin.get("/history")
    assert "4711" not in page
    assert "•••" in page
    assert "4711" not in await admin.get(f"/history/{(await last(house)).id}")


async def test_the_list_goes_on_by_pages(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    for n in range(25):
        await change_group(house, title=f"Отдел {n}")
    page = await admin.get("/history")
    older = re.search(r'href="(/history\?below=\d+)"', page)
    assert older is not None
    assert "Отдел 24" in page
    assert "Отдел 2<" not in page
    assert "Отдел 2<" in await admin.get(older[1])
    await admin.get("/history?below=nonsense")


async def test_back_to_a_revision_as_a_whole(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    before = house.ctx.snapshot(house.one.id)
    await change_group(house, title="Отдел заботы")
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        await people.edit_pbx(edit, people.PbxWish(title="Новое имя"))
    address = f"/history/{await row_of(house, before.revision)}/back"
    asked = words(await admin.get(address))
    assert "Отдел заботы → Отдел продаж" in asked
    assert "Новое имя → Ромашка" in asked
    assert number(house) == before.revision + 2  # asking has saved nothing
    assert await admin.post(address) == "/history"
    after = house.ctx.snapshot(house.one.id)
    assert (after.core, after.parts) == (before.core, before.parts)
    assert f"Возврат к ревизии {before.revision}" in words(await admin.get("/history"))
    assert (await last(house)).channel == "web"


async def test_back_to_where_somebody_with_a_login_was_not_there_is_refused(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    start = number(house)
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        user = await people.create_user(edit, people.UserWish(title="Новый администратор"))
        await models.User.of(house.one.id, edit.tx).filter(id=user).update(role="admin", login="romashka-new", password_hash="x")
    address = f"/history/{await row_of(house, start)}/back"
    assert "Пользователя «Новый администратор» тогда ещё не было" in words(await admin.get(address))
    assert "Пользователя «Новый администратор» тогда ещё не было" in words(await admin.post(address, 422))
    assert number(house) == start + 1
    assert await models.User.filter(login="romashka-new").exists()


async def test_back_with_one_element_leaves_the_rest(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    start = number(house)
    await change_group(house, title="Отдел заботы", attempts=3)
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        await people.edit_pbx(edit, people.PbxWish(title="Новое имя"))
    address = f"/history/{await row_of(house, start)}/back/{group_of(house).ref}"
    assert "Отдел заботы → Отдел продаж" in words(await admin.get(address))
    await admin.post(address)
    assert (group_of(house).title, group_of(house).attempts) == ("Отдел продаж", 1)
    assert house.ctx.snapshot(house.one.id).account.title == "Новое имя"
    await admin.post(f"/history/{await row_of(house, start)}/back/pbx")
    assert house.ctx.snapshot(house.one.id).account.title == "Ромашка"


async def test_a_deleted_user_comes_back_with_what_was_his(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    user = Ref("core.user", house.one.users["user"])
    before = house.ctx.snapshot(house.one.id)
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        await people.delete_user(edit, user.id)
    gone = house.ctx.snapshot(house.one.id)
    assert gone.element(user) is None
    assert "Отдел продаж" in words(await admin.get(f"/history/{(await last(house)).id}"))
    await admin.post(f"/history/{await row_of(house, before.revision)}/back/{user}")
    after = house.ctx.snapshot(house.one.id)
    assert after.element(user) == before.element(user)
    assert after.core.sip_accounts == before.core.sip_accounts
    assert after.extension("203") == user
    assert after.parts["voicemail"] == before.parts["voicemail"]
    assert sorted(m.user for m in group_of(house).members) == sorted(house.one.users.values())


RUSSIAN_AND_ENGLISH = pytest.mark.parametrize("language", ["ru", "en"])


async def refused(house: House, visitor: Visitor, language: str, of: str, at: int, expected: tuple[str, str]) -> None:
    """The page of the question says why, offers no button, and a POST all the same saves nothing."""
    admin = await visitor("romashka-admin")
    await admin.post("/preferences", language=language, back="/")
    await admin.get("/history")
    was, address = number(house), f"/history/{await row_of(house, at)}/back{of}"
    page = await admin.get(address)
    assert expected[0 if language == "ru" else 1] in words(page)
    assert "button primary" not in page.partition("<main")[2]
    assert expected[0 if language == "ru" else 1] in words(await admin.post(address, 422))
    assert number(house) == was


@RUSSIAN_AND_ENGLISH
async def test_a_voice_file_whose_sound_is_gone_stays_away(house: House, visitor: Visitor, language: str) -> None:
    ctx, one = house.ctx, house.one
    async with ctx.edit(one.id, SYSTEM) as edit:
        from plugins.voicefiles.part import VoiceFile
        from plugins.voicefiles.service import add_file

        made = await add_file(edit, VoiceFile(id=0, title="", path=f"voice/{one.id}/b.wav"), "Новая запись")
    at = number(house)
    async with ctx.edit(one.id, SYSTEM) as edit:
        await delete_file(edit, made.id)
    expected = ("Звука «Новая запись» больше нет", "The sound of “Новая запись” is no longer there")
    await refused(house, visitor, language, "", at, expected)
    await refused(house, visitor, language, f"/{made.ref}", at, expected)


@RUSSIAN_AND_ENGLISH
async def test_an_internal_number_given_away_since(house: House, visitor: Visitor, language: str) -> None:
    at = number(house)
    await change_group(house, extension=None)
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        await people.create_user(edit, people.UserWish(title="Новичок", extension="300"))
    expected = (
        "Внутренний номер 300 «Отдел продаж» теперь принадлежит «Новичок»",
        "The internal number 300 of “Отдел продаж” belongs to “Новичок” now",
    )
    await refused(house, visitor, language, f"/{group_of(house).ref}", at, expected)


@RUSSIAN_AND_ENGLISH
async def test_what_it_needs_is_gone(house: House, visitor: Visitor, language: str) -> None:
    schedule = Ref("schedules.schedule", house.one.things["schedule"])
    await change_group(house, schedule=schedule)
    at = number(house)
    await change_group(house, schedule=None)
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        await delete_schedule(edit, schedule)
    expected = (
        "«Отдел продаж» нуждается в «Рабочее время», которого больше нет",
        "“Отдел продаж” needs “Рабочее время”, which is no longer there",
    )
    await refused(house, visitor, language, f"/{group_of(house).ref}", at, expected)


async def test_what_did_not_exist_then_is_not_found(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    first = await row_of(house, 1)
    assert "не было" in words(await admin.get(f"/history/{first}/back/{group_of(house).ref}", 404))
    await admin.get(f"/history/{first}/back/nonsense", 404)
    await admin.get("/history/999999999", 404)


async def test_another_customers_revision_is_not_there(house: House, visitor: Visitor) -> None:
    foreign = await visitor("vasilek-admin")
    row = (await last(house)).id
    for path in (f"/history/{row}", f"/history/{row}/back", f"/history/{row}/back/pbx"):
        await foreign.get(path, 404)
    await foreign.post(f"/history/{row}/back", 404)
    assert "Ромашка" not in await foreign.get("/history")
