# SPDX-License-Identifier: Apache-2.0
"""Missed-call cards as Telegram stores them: once, after every refusal, in every chat's language (BOT-2, R1)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from engine import clock
from engine.db import models
from tests.bot.office import Office
from tests.fakes.botapi_chats import Failure

pytestmark = [pytest.mark.kind("bot"), pytest.mark.feature("BOT-2", "R1", "GRP-7")]


async def missed(office: Office, **fields: Any) -> str:
    fact = office.call(**{"failed_groups": (office.ours.groups["Продажи"],), **fields})
    await office.end(fact)
    return fact.call


async def test_429_then_500_for_a_minute_then_one_card(quiet_office: Office) -> None:
    """Acceptance 3: the clock is virtual, the requests are real."""
    office = quiet_office
    team = office.api.group("Team")
    await office.alert("Продажи", chats=(team.id,))
    office.api.fail_next(Failure(429, retry_after=7), Failure(500, lasting=timedelta(minutes=1)), method="sendMessage")
    start = clock.now()
    await missed(office)
    passed = timedelta()
    while not team.messages:
        with clock.shifted(passed):
            await office.deliver()
        passed += timedelta(seconds=1)
        assert passed < timedelta(minutes=5), "the card was never sent"
    calls = office.api.made("sendMessage")
    assert [c.status for c in calls][:2] == [429, 500]
    assert calls[-1].status == 200
    assert calls[1].at - calls[0].at >= timedelta(seconds=6.9), "retry_after was not honoured"
    assert calls[-1].at - start >= timedelta(seconds=60)
    assert len(calls) < 12, "no backoff"
    with clock.shifted(timedelta(hours=12)):
        assert await office.deliver() == 0
    assert [m.text.splitlines()[:2] for m in team.messages] == [["Пропущенный вызов", "+7 927 123-45-67"]]
    assert (await models.OutboxRow.get()).status == "done"


async def test_every_chat_once_and_no_other(quiet_office: Office) -> None:
    office = quiet_office
    sales, both, boss = office.api.group("Sales"), office.api.group("Both"), office.api.group("Boss")
    await office.linked("manager", chat=sales, language="en")
    await office.alert("Продажи", chats=(sales.id, both.id))
    await office.alert("Сервис", chats=(both.id,))
    await office.alert("", chats=(boss.id,))
    groups = (office.ours.groups["Продажи"], office.ours.groups["Сервис"])
    await missed(office, failed_groups=groups)
    await office.deliver()
    assert [len(c.messages) for c in (sales, both, boss)] == [1, 1, 0]
    assert sales.messages[0].text.startswith("Missed call\n")
    assert list(sales.messages[0].buttons) == ["Call back", "I take it"]
    assert both.messages[0].text.startswith("Пропущенный вызов\n")
    assert list(both.messages[0].buttons) == ["Перезвонить", "Взял"]
    await missed(office, failed_groups=(), missed_why="menu", caller_number=None)
    await office.deliver()
    assert [len(c.messages) for c in (sales, both, boss)] == [1, 1, 1]
    assert "Звонивший положил трубку в меню" in boss.messages[0].text
    assert list(boss.messages[0].buttons) == ["Взял"]  # nobody to call back


async def test_a_crash_between_telegram_and_the_outbox_shows_no_second_card(quiet_office: Office) -> None:
    office = quiet_office
    team = office.api.group("Team")
    await office.alert("Продажи", chats=(team.id,))
    await missed(office)
    await office.deliver()
    await models.OutboxRow.all().update(status="pending", claimed_by=None, lease_until=None)  # as if "done" was never written
    assert await office.deliver() == 1
    assert len(team.messages) == 1


async def test_a_chat_that_does_not_want_us_is_a_dead_letter(quiet_office: Office) -> None:
    office = quiet_office
    gone, team = office.api.group("Gone"), office.api.group("Team")
    gone.blocked = True
    await office.alert("Продажи", chats=(gone.id, team.id, 12345))
    await missed(office)
    await office.deliver()
    states = {row.payload["chat"]: (row.status, row.error) for row in await models.OutboxRow.all()}
    assert states[gone.id] == ("dead", "Forbidden: bot was kicked from the supergroup chat")
    assert states[12345] == ("dead", "Bad Request: chat not found")
    assert states[team.id][0] == "done"


async def test_a_group_with_a_new_number_gets_its_card(quiet_office: Office) -> None:
    office = quiet_office
    old = office.api.group("Team")
    new = office.api.group("Team")
    old.migrated_to = new.id
    await office.linked("manager", chat=old)
    await office.alert("Продажи", chats=(old.id,))
    await missed(office)
    await office.deliver()
    assert len(new.messages) == 1
    assert [link.chat_id for link in await models.TelegramLink.all()] == [new.id]


@pytest.mark.feature("ACC-1")
async def test_another_customers_chat_gets_nothing(quiet_office: Office) -> None:
    office = quiet_office
    theirs = office.api.group("Their team")
    await office.linked("manager", office.theirs, chat=theirs)
    await office.alert("Продажи", chats=(theirs.id,))
    await missed(office)
    assert await office.deliver() == 0
    assert theirs.messages == []


async def test_without_a_token_no_card_is_owed(quiet_office: Office) -> None:
    import msgspec

    office = quiet_office
    team = office.api.group("Team")
    await office.alert("Продажи", chats=(team.id,))
    office.ctx.settings = msgspec.structs.replace(office.ctx.settings, bot=msgspec.structs.replace(office.ctx.settings.bot, token=""))
    await missed(office)
    assert await models.OutboxRow.all().count() == 0
