# SPDX-License-Identifier: Apache-2.0
"""One's own settings: password, PIN, language, contacts; and the Telegram chats linked to oneself."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from engine import people
from engine.db import models
from engine.sdk import Actor, Ref, clock
from plugins.groups.part import Group
from plugins.groups.service import save_group
from tests.web.conftest import NewBrowser, Visitor
from tests.web.house import PASSWORD, House

NEW = "zelenyi-kot-5"


@pytest.mark.feature("ACC-4")
async def test_a_password_is_changed_and_other_browsers_are_logged_out(house: House, visitor: Visitor, browser: NewBrowser) -> None:
    here, elsewhere = await visitor("romashka-user"), await visitor("romashka-user")
    wrong = {"form": "password", "present": "wrong", "password": NEW, "again": NEW}
    assert "Это не ваш нынешний пароль." in await here.post("/profile", status=422, **wrong)
    assert "Пароли не совпадают." in await here.post("/profile", status=422, **{**wrong, "present": PASSWORD, "again": "x"})
    short = {"present": PASSWORD, "password": "x", "again": "x"}
    assert "Не меньше 8 символов." in await here.post("/profile", status=422, **{**wrong, **short})
    await here.post("/profile", **{**wrong, "present": PASSWORD})
    await here.get("/profile")
    await elsewhere.get("/profile", status=303)
    await browser().log_in("romashka-user", NEW)


async def test_the_present_password_cannot_be_guessed_here(visitor: Visitor) -> None:
    here = await visitor("romashka-user")
    fields = {"form": "password", "password": NEW, "again": NEW}
    for _ in range(6):
        await here.post("/profile", status=422, present="wrong", **fields)
    assert "Слишком много попыток" in await here.post("/profile", status=422, present=PASSWORD, **fields)


async def test_the_present_password_cannot_be_guessed_by_many_posts_at_once(visitor: Visitor) -> None:
    here = await visitor("romashka-user")
    fields = {"form": "password", "password": NEW, "again": NEW}
    pages = await asyncio.gather(*(here.post("/profile", status=422, present=f"wrong{n}", **fields) for n in range(12)))
    assert sum("Это не ваш нынешний пароль." in page for page in pages) == 6


@pytest.mark.feature("ACC-4")
async def test_an_employee_sets_his_contact_and_pin_but_nothing_else(house: House, visitor: Visitor) -> None:
    here = await visitor("romashka-user")
    contact, user = house.one.contacts["user"], house.one.users["user"]
    await here.post("/profile", form=f"contact{contact}", timeout_seconds=33, priority=9, lines=9)
    changed = house.ctx.snapshot(house.one.id).contacts[contact][1]
    assert (changed.timeout_seconds, changed.active, changed.priority, changed.lines) == (33, False, 1, 1)
    await here.post("/profile", form="own", language="en", pin="4711", extension="999", role="admin", title="Boss")
    assert ">Saved.<" in await here.get("/profile")
    element = house.ctx.snapshot(house.one.id).users[user]
    assert (element.pin, element.language) == ("4711", "en")
    assert (element.extension, element.role, element.title) == ("203", "user", "Ульяна Петрова")
    assert "My settings" in await here.get("/profile")


async def test_somebody_elses_contact_is_no_form_of_mine(house: House, visitor: Visitor) -> None:
    here = await visitor("romashka-user")
    await here.post("/profile", status=200, form=f"contact{house.one.contacts['admin']}", timeout_seconds=33)
    assert house.ctx.snapshot(house.one.id).contacts[house.one.contacts["admin"]][1].timeout_seconds == 20


@pytest.mark.feature("BOT-1")
async def test_a_chat_is_linked_by_a_code_that_ends_the_one_before(house: House, visitor: Visitor) -> None:
    here = await visitor("romashka-admin")
    await here.get("/telegram")
    await here.post("/telegram/code")
    first = await models.TelegramCode.of(house.one.id).get()
    page = await here.get("/telegram")
    assert f"/link {first.code}" in page
    assert "t.me" not in page  # the bot has never run, so nobody knows its name
    assert first.expires_at > clock.now()
    people.bot_name_file(house.ctx.settings.state).write_text("vats_test_bot")
    assert f'href="https://t.me/vats_test_bot?start={first.code}"' in await here.get("/telegram")
    await here.post("/telegram/code")
    second = await models.TelegramCode.of(house.one.id).get()
    assert second.code != first.code


@pytest.mark.feature("BOT-1")
async def test_a_chat_is_unlinked_by_its_user_only(house: House, visitor: Visitor) -> None:
    colleague = await visitor("romashka-manager")
    await colleague.post(f"/telegram/{house.one.things['link']}/unlink", status=404)
    here = await visitor("romashka-admin")
    assert "Анна" in await here.get("/telegram")
    await here.post(f"/telegram/{house.one.things['link']}/unlink")
    assert await models.TelegramLink.of(house.one.id).count() == 0


@pytest.mark.feature("BOT-1", "GRP-7")
async def test_the_telegram_page_says_which_missed_calls_come_to_a_chat(house: House, visitor: Visitor) -> None:
    anna = await visitor("romashka-admin")
    user = await models.User.filter(login="romashka-admin").first()
    assert user is not None
    link = await models.TelegramLink.create(
        account_id=user.account_id, user_id=user.id, chat_id=777001, chat_type="private", title="Анна в Telegram", language="ru"
    )
    page = await anna.get("/telegram")
    row = page[page.index("Анна в Telegram") :]
    assert "Пропущенные вызовы сюда пока не приходят." in row
    group = Ref(Group.kind, house.one.things["group"])
    assert f'href="/groups/{group.id}"' in page
    async with house.ctx.edit(house.one.id, Actor(None, "test", "cli")) as edit:
        element = edit.before.get(group, Group)
        assert element is not None
        await save_group(edit, msgspec.structs.replace(element, missed_chats=(link.chat_id,)))
    page = await anna.get("/telegram")
    row = page[page.index("Анна в Telegram") :]
    assert "сюда пока не приходят" not in row
    assert f'href="/groups/{group.id}"' in row
