# SPDX-License-Identifier: Apache-2.0
"""The buttons under missed-call cards and the list of missed calls, pressed over HTTP (BOT-2)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from engine import clock
from engine.db import models
from engine.sdk import CallEnded, Settings
from plugins.notifications import service
from plugins.notifications.models import Attempt, Claim
from plugins.notifications.service import Presser
from tests.bot.office import SYSTEM, Office, bot_running, open_office
from tests.fakes.botapi_chats import Chat, Failure, Person, StoredMessage

pytestmark = [pytest.mark.kind("bot"), pytest.mark.feature("BOT-2")]


@pytest.fixture
async def office(database_settings: Settings) -> AsyncIterator[Office]:
    """On both databases: claims and orders lean on their transactions."""
    async with open_office(database_settings.state, database=database_settings.database) as made, bot_running(made):
        yield made


async def card_in(office: Office, *chats: Chat, **fields: Any) -> CallEnded:
    """A call that the sales group missed, with its cards in these chats."""
    await office.alert("Продажи", chats=[c.id for c in chats])
    fact = office.call(**{"failed_groups": (office.ours.groups["Продажи"],), **fields})
    await office.end(fact)
    await office.deliver()
    return fact


async def test_taken_by_the_first_one_in_every_chat(office: Office) -> None:
    team, boss = office.api.group("Team"), office.api.group("Boss")
    owner = await office.linked("admin", chat=team)
    await office.linked("admin", chat=boss)
    anna, oleg = await office.linked("user"), await office.linked("other")
    fact = await card_in(office, team, boss)
    press = await anna.press("I take it", team)
    assert await press.answered() == "This call is yours."
    await office.deliver()
    for chat in (team, boss):
        [card] = chat.messages
        assert "Taken by Ульяна at " in card.text
        assert list(card.buttons) == ["Call back"]
    late = await oleg.press_data(f"missed-take:{fact.call}", team.messages[0])
    assert await late.answered() == "Ульяна has already taken this call."
    again = await anna.press_data(f"missed-take:{fact.call}", team.messages[0])
    assert await again.answered() == "This call is yours."
    guest = await owner.press_data(f"missed-take:{fact.call}", team.messages[0])  # not linked himself: nobody in particular
    assert "First link your own Telegram account" in await guest.answered()
    assert await Claim.all().count() == 1
    assert await office.deliver() == 0


async def test_two_press_in_the_same_moment(office: Office) -> None:
    fact = await card_in(office, office.api.group("Team"))
    pressers = [Presser(office.ours.id, office.ours.users[role], role, 0, True) for role in ("admin", "manager", "user", "other")]
    done = await asyncio.gather(*(service.take(office.ctx, p, fact.call) for p in pressers), return_exceptions=True)
    winner = (await Claim.get()).user_title
    refusals = [str(r) for r in done if r is not None]
    assert refusals == [f"{winner} has already taken this call."] * 3
    await asyncio.gather(*(service.call_back(office.ctx, pressers[0], fact.call) for _ in range(4)))
    assert await models.CallOrder.all().count() == 1


async def test_a_card_that_waits_in_the_outbox_shows_who_took_the_call(office: Office) -> None:
    team, slow = office.api.group("Team"), office.api.group("Slow")
    await office.linked("admin", chat=team)
    await office.linked("admin", chat=slow)
    anna = await office.linked("user")
    await office.alert("Продажи", chats=(team.id,))
    await office.alert("Сервис", chats=(slow.id,))
    fact = office.call(failed_groups=(office.ours.groups["Продажи"], office.ours.groups["Сервис"]))
    await office.end(fact)
    await models.OutboxRow.filter(lane=str(slow.id)).update(next_at=clock.now() + timedelta(seconds=30))
    await office.deliver()
    await (await anna.press("I take it", team)).answered()
    with clock.shifted(timedelta(seconds=31)):
        await office.deliver()
    assert "Taken by Ульяна" in slow.messages[0].text
    assert "Taken by Ульяна" in team.messages[0].text


async def test_call_back_orders_one_call_at_a_time(office: Office) -> None:
    team = office.api.group("Team")
    await office.linked("admin", chat=team)
    anna = await office.linked("user")
    await card_in(office, team)
    for _ in range(2):
        press = await anna.press("Call back", team)
        assert await press.answered() == "Your phone will ring now, then +7 927 123-45-67 is called."
    order = await models.CallOrder.get()
    assert (order.account_id, order.kind) == (office.ours.id, "callback")
    assert order.arguments == {"user": office.ours.users["user"], "number": "+79271234567", "did": "+74951234567"}
    await office.deliver()
    assert "Taken by Ульяна" in team.messages[0].text  # whoever calls back has taken it
    # the engine carries it out; while that call lives a press orders nothing, afterwards it does
    await models.CallOrder.all().update(status="done", result={"call": "order-1"})
    await models.LiveCallRow.create(account_id=office.ours.id, call_id="order-1", state={}, updated_at=clock.now())
    with clock.shifted(timedelta(minutes=1)):
        await (await anna.press("Call back", team)).answered()
        assert await models.CallOrder.all().count() == 1
        await models.LiveCallRow.all().delete()
        await (await anna.press("Call back", team)).answered()
        assert await models.CallOrder.all().count() == 2
    assert await Attempt.all().count() == 2


async def test_no_call_back_without_number_or_phone(office: Office) -> None:
    team = office.api.group("Team")
    await office.linked("admin", chat=team)
    anna = await office.linked("user")
    fact = await card_in(office, team, caller_number=None)
    press = await anna.press_data(f"missed-back:{fact.call}", team.messages[0])
    assert await press.answered() == "The caller's number is withheld."
    async with office.ctx.edit(office.ours.id, SYSTEM) as edit:
        await models.Contact.filter(user_id=office.ours.users["user"]).using_db(edit.tx).update(active=False)
    fact = await card_in(office, team)
    press = await anna.press_data(f"missed-back:{fact.call}", team.messages[0])
    assert "You have no phone" in await press.answered()
    assert await models.CallOrder.all().count() == 0


@pytest.mark.feature("ACC-1", "ACC-4")
@pytest.mark.parametrize("button", ["missed-back:", "missed-take:"])
async def test_whose_call_it_is(office: Office, button: str) -> None:
    """Strangers, another customer's people, employees whom the call does not concern, and forged data get nothing."""
    team = office.api.group("Team")
    fact = await card_in(office, team)
    stranger, theirs = office.api.user("Stranger", "en"), await office.linked("admin", office.theirs)
    oleg, boss = await office.linked("other"), await office.linked("manager")

    async def press(person: Person, data: str, message: StoredMessage | None = None) -> str:
        if not person.messages:
            await person.send("/help")
            await person.read()
        return await (await person.press_data(data, message or person.messages[-1])).answered()

    assert (await press(stranger, button + fact.call)).startswith("This chat is not linked yet")
    assert await press(theirs, button + fact.call) == "Not found."
    assert (await press(theirs, button + fact.call, team.messages[0])).startswith("This chat is not linked yet")
    assert await press(oleg, button + fact.call) == "Not found."
    for junk in ("", "x", "0", "'; --"):
        assert await press(boss, button + junk) == "Not found."
    assert await models.CallOrder.all().count() == await Claim.all().count() == 0
    await press(boss, button + fact.call)  # a manager may act on every call of his company
    assert await Claim.all().count() == 1


async def test_the_list_of_missed_calls(office: Office) -> None:
    boss, oleg, anna = await office.linked("manager"), await office.linked("other"), await office.linked("user")
    theirs = await office.linked("admin", office.theirs)
    await office.end(office.call(caller_number="+79270000001", missed_why="closed"), rang=office.ours.users["user"])
    await office.end(office.call(caller_number=None, started_at=clock.now() - timedelta(seconds=3)))
    await boss.send("/missed")
    text = (await boss.read()).text.splitlines()
    assert text[0] == "Missed calls"
    assert "Number withheld" in text[1]
    assert "+7 927 000-00-01" in text[2]
    assert "Outside working hours" in text[2]
    assert list(boss.messages[-1].buttons) == ["Call back 2. +7 927 000-00-01"]
    await anna.send("/missed")  # her phone rang
    assert "+7 927 000-00-01" in (await anna.read()).text
    await (await anna.press("Call back 1. +7 927 000-00-01")).answered()
    assert (await models.CallOrder.get()).arguments["user"] == office.ours.users["user"]
    await boss.send("/missed")
    assert "Taken by Ульяна" in (await boss.read()).text
    for other in (oleg, theirs):
        await other.send("/missed")
        assert (await other.read()).text == "No missed calls."


async def test_an_edit_that_telegram_refuses_for_a_while(office: Office) -> None:
    team = office.api.group("Team")
    await office.linked("admin", chat=team)
    anna = await office.linked("user")
    await card_in(office, team)
    office.api.fail_next(Failure(429, retry_after=4), method="editMessageText")
    await (await anna.press("I take it", team)).answered()
    await office.deliver()
    assert "Taken" not in team.messages[0].text
    with clock.shifted(timedelta(seconds=5)):
        await office.deliver()
    assert "Taken by Ульяна" in team.messages[0].text
