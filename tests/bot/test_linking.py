# SPDX-License-Identifier: Apache-2.0
"""Linking by one-time codes, whose rights a chat has, unlinking (BOT-1), languages (BOT-6)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot.links import Place, WrongCodes, link
from engine import clock, people
from engine.db import models
from tests.bot.office import SYSTEM, Office

pytestmark = [pytest.mark.kind("bot"), pytest.mark.feature("BOT-1")]


async def test_a_code_links_once(office: Office) -> None:
    anna, thief = office.api.user("Anna", "en"), office.api.user("Thief", "en")
    code = await office.code("manager")
    assert people.deep_link(office.ctx.settings.state, code) == f"https://t.me/vats_test_bot?start={code}"
    await anna.send(f"/start {code}")
    assert (await anna.read()).text == "Linked: Максим, Ромашка. /help lists what I can do."
    link = await models.TelegramLink.get(chat_id=anna.id)
    assert (link.account_id, link.user_id, link.language) == (office.ours.id, office.ours.users["manager"], "en")
    await thief.send(f"/link {code}")
    assert "wrong or out of date" in (await thief.read()).text
    await thief.send("/last")
    assert "not linked" in (await thief.read()).text


async def test_a_code_grows_old_and_is_replaced(office: Office) -> None:
    anna = office.api.user("Anna", "en")
    old, code = await office.code("user"), await office.code("user")
    await anna.send(f"/link {old}")
    assert "out of date" in (await anna.read()).text
    with clock.shifted(timedelta(minutes=16)):
        await anna.send(f"/link {code}")
        assert "out of date" in (await anna.read()).text
    await anna.send(f"/link {code.lower()}")
    assert "Linked: Ульяна" in (await anna.read()).text


async def test_guessing_is_braked(office: Office) -> None:
    thief, anna = office.api.user("Thief", "en"), office.api.user("Anna", "en")
    code = await office.code("admin")
    for _ in range(5):
        await thief.send("/link 00000000")
        assert "out of date" in (await thief.read()).text
    await thief.send(f"/link {code}")
    assert "Too many wrong codes" in (await thief.read()).text
    await anna.send(f"/link {code}")  # others are not braked
    assert "Linked" in (await anna.read()).text
    with clock.shifted(timedelta(minutes=11)):
        await thief.send(f"/link {await office.code('user')}")
        assert "Linked" in (await thief.read()).text


async def test_codes_tried_all_at_once_are_braked_too(office: Office) -> None:
    place, wrong = Place(4711, "private", "Thief", 4711), WrongCodes()
    tries = await asyncio.gather(*(link(office.ctx, place, f"{n:08}", wrong) for n in range(9)), return_exceptions=True)
    assert [str(t).partition(" ")[0] for t in tries] == ["This"] * 5 + ["Too"] * 4


async def test_a_new_link_replaces_the_old_one_and_unlink_ends_it(office: Office) -> None:
    anna = await office.linked("admin")
    await anna.send(f"/link {await office.code('user', office.theirs)}")
    assert "Василёк" in (await anna.read()).text
    assert [link.account_id for link in await models.TelegramLink.filter(chat_id=anna.id)] == [office.theirs.id]
    await anna.send("/unlink")
    assert (await anna.read()).text == "This chat is unlinked."
    assert not await models.TelegramLink.filter(chat_id=anna.id).exists()
    await anna.send("/unlink")
    assert "not linked" in (await anna.read()).text


async def test_groups_speak_with_capped_rights(office: Office) -> None:
    team = office.api.group("Team")
    admin, guest, manager = office.api.user("Admin", "en"), office.api.user("Guest", "en"), await office.linked("manager")
    await admin.send(f"/link {await office.code('admin')}", team)
    assert "This group is linked: Анна Админ" in (await team.read()).text
    await guest.send("/calls", team)  # a guest reads with the group's rights
    assert (await team.read()).text == "Nobody is calling at the moment."
    await guest.send("/unlink", team)
    assert "Only the one who linked this group" in (await team.read()).text
    await manager.send("/unlink", team)
    assert "Only the one who linked this group" in (await team.read()).text
    stranger = await office.linked("admin", office.theirs)
    await stranger.send("/unlink", team)  # another company's administrator is a guest here
    assert "Only the one who linked this group" in (await team.read()).text
    await stranger.send(f"/link {await office.code('admin', office.theirs)}", team)
    assert "belongs to another company" in (await team.read()).text
    boss = await office.linked("admin")
    await boss.send("/unlink", team)
    assert (await team.read()).text == "This chat is unlinked."
    await guest.send("/calls", team)
    assert "not linked" in (await team.read()).text


async def test_rights_follow_the_user(office: Office) -> None:
    anna = await office.linked("manager")
    async with office.ctx.edit(office.ours.id, SYSTEM) as edit:
        await models.User.filter(id=office.ours.users["manager"]).using_db(edit.tx).update(active=False)
    await anna.send("/last")
    assert "not linked" in (await anna.read()).text


async def test_a_group_that_moves_or_ends(office: Office) -> None:
    team = office.api.group("Team")
    await office.linked("manager", chat=team)
    office.api.push({"message": {"message_id": 5, "date": 1, "chat": team.describe(), "migrate_to_chat_id": -100777}})
    moved = office.api.group("Team", id=-100777)
    guest = office.api.user("Guest", "en")
    await guest.send("/calls", moved)
    assert "Nobody is calling" in (await moved.read()).text
    me = office.api._me()
    change = {"chat": moved.describe(), "from": guest.who(), "date": 1}
    change |= {"old_chat_member": {"status": "member", "user": me}, "new_chat_member": {"status": "left", "user": me}}
    office.api.push({"my_chat_member": change})
    await guest.send("/calls", moved)
    await guest.send("/help", moved)
    await office.api.wait(lambda: len(moved.messages) > 2)
    assert not await models.TelegramLink.filter(chat_id=moved.id).exists()


@pytest.mark.feature("BOT-6")
async def test_languages(office: Office) -> None:
    anna = office.api.user("Анна", "ru")
    await anna.send("/last")
    assert "не привязан" in (await anna.read()).text
    await anna.send(f"/start {await office.code('user')}")
    assert (await anna.read()).text.startswith("Привязано: Ульяна, Ромашка")
    await anna.send("/language")
    await anna.read()
    press = await anna.press("English")
    await press.answered()
    assert anna.messages[-1].text == "I speak English now."
    await anna.send("/missed")
    assert (await anna.read()).text == "No missed calls."
    await anna.send("/language fr")
    assert (await anna.read()).text == "This language is not there."


async def test_help_shows_what_the_role_may_do(office: Office) -> None:
    stranger, anna = office.api.user("Stranger", "en"), await office.linked("user")
    await stranger.send("/help")
    text = (await stranger.read()).text
    assert "/link" in text
    assert "/missed" not in text
    await anna.send("/start")
    text = (await anna.read()).text
    assert "/missed — Missed calls" in text
    assert {c["command"] for c in office.api.commands["ru"]} >= {"calls", "last", "missed", "link", "unlink", "language", "help"}
    assert office.api.commands["ru"] != office.api.commands["en"]
    await anna.send("/nonsense")
    assert "I don't know this command" in (await anna.read()).text
