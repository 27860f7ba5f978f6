# SPDX-License-Identifier: Apache-2.0
"""Missed calls end to end: a real call that nobody answers becomes exactly one notice by SMTP and by Telegram (R1, GRP-7)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from engine import clock
from engine.db import models
from engine.settings import Bot
from plugins.ivr.part import MenuKey
from plugins.schedules.part import Schedule
from plugins.schedules.service import store as schedules
from tests.calls.pbx import OUTSIDER, Pbx, pbx
from tests.fakes.botapi import FakeBotApi
from tests.fakes.botapi_chats import Failure
from tests.phones import sound
from tests.plugins.notifications.test_mail import Letters, smtp

pytestmark = pytest.mark.feature("R1", "GRP-7")
MINUTE = timedelta(minutes=1)


@dataclass
class Watched:
    """An office with a mail server and a Bot API that keep what they were given."""

    office: Pbx
    letters: Letters
    api: FakeBotApi

    async def owed(self) -> list[models.OutboxRow]:
        """Every notice of the account, sent or not; they are written with the CDR."""
        return await models.OutboxRow.of(self.office.account).order_by("id")

    async def delivered(self) -> None:
        """Let everything owed be delivered, however long receivers make it wait: the clock is set to when each is due."""
        ctx = self.office.runtime.ctx
        with ExitStack() as shifts:
            async with asyncio.timeout(60), ctx.doorbell.listen("outbox", self.office.account) as bell:
                while waiting := [r for r in await self.owed() if r.status == "pending"]:
                    due = min(r.next_at for r in waiting)
                    if due > clock.now() and not any(r.lease_until for r in waiting):
                        shifts.enter_context(clock.shifted(due - clock.now() + timedelta(seconds=0.05)))
                        ctx.outbox.wake()
                    await bell.wait(0.5)

    def mails(self) -> list[tuple[str, str]]:
        """(recipient, subject) of each mail taken."""
        return sorted((to, str(message["Subject"])) for tos, message in self.letters.taken for to in tos)


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    async with _watched(tmp_path) as running:
        yield running


@asynccontextmanager
async def _watched(folder: Path) -> AsyncIterator[Watched]:
    async with FakeBotApi() as api:
        with smtp() as (letters, mail):
            async with pbx(folder, mail=mail, bot=Bot(token=api.token, api_url=api.url)) as office:
                yield Watched(office, letters, api)


async def call_until_over(office: Pbx, number: str = OUTSIDER) -> None:
    """A caller who stays until he is sent away."""
    async with office.outsider(number) as outsider:
        call = await outsider.call("74951234567")
        await outsider.over(call, within=30)


async def test_nobody_answers_and_the_notice_arrives_once_through_all_refusals(watched: Watched) -> None:
    office, api = watched.office, watched.api
    chat = api.group("Sales chat")
    last = await office.group("Last", await office.user("202"))
    sales = await office.group(
        "Sales", await office.user("201"), no_answer=last, missed_emails=("sales@example.org",), missed_chats=(chat.id,)
    )
    await office.rule(sales)
    api.fail_next(Failure(429, retry_after=3), Failure(500, lasting=MINUTE), method="sendMessage")
    async with office.phone("201", auto="ring") as phone:
        await phone.registered()
        await office.registered("201")
        await call_until_over(office)
        await phone.incoming()
    (record,) = await office.records(1)
    assert (record.missed, record.missed_why, record.talked) == (True, "no_answer", False)
    entered = [s.get("target") for s in record.trace if s["what"] == "enters"]
    assert entered[-2:] == [str(sales), str(last)], "the no-answer action was taken"
    assert {leg.label: leg.cause for leg in record.legs if leg.reason == "member"} == {"201": "NO_ANSWER"}
    await watched.delivered()
    assert [to for to, _ in watched.mails()] == ["sales@example.org"]
    assert "+7 927 123-45-67" in watched.mails()[0][1]
    (card,) = [m for m in api.messages.values() if m.chat_id == chat.id]
    assert "+7 927 123-45-67" in card.text
    assert len(api.made("sendMessage", 429)) == 1
    refused = api.made("sendMessage", 500)
    assert len(refused) >= 2, "it was tried while the server failed"
    (stored,) = api.made("sendMessage", 200)
    assert stored.at - refused[0].at >= MINUTE
    assert {(r.status, r.channel) for r in await watched.owed()} == {("done", "email"), ("done", "telegram")}
    assert len(await watched.owed()) == 2


async def test_two_groups_that_failed_are_both_told_once(watched: Watched) -> None:
    office, api = watched.office, watched.api
    one, two = api.group("One"), api.group("Two")
    second = await office.group(
        "Second", await office.user("202"), missed_emails=("second@example.org", "both@example.org"), missed_chats=(two.id,)
    )
    first = await office.group(
        "First", await office.user("201"), no_answer=second,
        missed_emails=("first@example.org", "Both@example.org"), missed_chats=(one.id, two.id),
    )  # fmt: skip
    await office.change(office.root, missed_emails=("root@example.org",))
    await office.rule(first)
    await call_until_over(office)
    (record,) = await office.records(1)
    assert record.missed
    await watched.delivered()
    assert [to.casefold() for to, _ in watched.mails()] == ["both@example.org", "first@example.org", "second@example.org"]
    assert sorted(m.chat_id for m in api.messages.values()) == sorted((one.id, two.id))


async def test_nobody_is_told_when_the_second_group_answered(watched: Watched) -> None:
    office = watched.office
    second = await office.group("Second", await office.user("202"), missed_emails=("second@example.org",))
    first = await office.group("First", await office.user("201"), no_answer=second, missed_emails=("first@example.org",))
    await office.rule(first)
    async with office.phone("202", auto=200) as phone, office.outsider() as outsider:
        await phone.registered()
        await office.registered("202")
        call = await outsider.call("74951234567")
        await outsider.talking(call)
        await office.step("talk")
        outsider.hangup(call)
        await outsider.over(call)
    (record,) = await office.records(1)
    assert (record.missed, record.talked) == (False, True)
    assert await watched.owed() == []


async def test_a_caller_who_left_in_the_menu_is_told_to_the_root(watched: Watched) -> None:
    office = watched.office
    await office.change(office.root, missed_emails=("root@example.org",))
    sales = await office.group("Sales", missed_emails=("sales@example.org",))
    file = await office.file("menu", sound.tone(office.folder / "menu.wav", 900, 20))
    await office.rule(await office.menu("Menu", file=file, keys=(MenuKey("1", sales),)))
    async with office.outsider() as outsider:
        call = await outsider.call("74951234567")
        await outsider.talking(call)
        await office.step("play")
        outsider.hangup(call)
        await outsider.over(call)
    (record,) = await office.records(1)
    assert (record.missed, record.missed_why) == (True, "menu")
    await watched.delivered()
    ((to, _),) = watched.mails()
    assert to == "root@example.org"
    ((_, message),) = watched.letters.taken
    body = message.get_body(("plain",))
    assert body is not None
    assert "меню" in body.get_content(), "the tag"


async def test_a_caller_who_leaves_while_it_rings_is_told_to_that_group(watched: Watched) -> None:
    office = watched.office
    await office.change(office.root, missed_emails=("root@example.org",))
    sales = await office.group("Sales", await office.user("201"), missed_emails=("sales@example.org",))
    await office.rule(sales)
    async with office.phone("201", auto="ring") as phone, office.outsider() as outsider:
        await phone.registered()
        await office.registered("201")
        call = await outsider.call("74951234567")
        ringing = await phone.incoming()
        outsider.hangup(call)
        await outsider.over(call)
        await phone.over(ringing["call"])
    (record,) = await office.records(1)
    assert (record.missed, record.missed_why) == (True, "left")
    await watched.delivered()
    assert [to for to, _ in watched.mails()] == ["sales@example.org"]


@pytest.mark.feature("R2")
async def test_a_closed_group_is_told_as_off_hours(watched: Watched) -> None:
    office = watched.office
    await office.change(office.root, missed_emails=("root@example.org",))
    async with office.edit() as edit:
        never = await schedules.insert(office.account, Schedule(id=0, title="Never open"), edit.tx)
    sales = await office.group("Sales", await office.user("201"), schedule=never.ref, missed_emails=("sales@example.org",))
    await office.rule(sales)
    await call_until_over(office)
    (record,) = await office.records(1)
    assert (record.missed, record.missed_why) == (True, "closed")
    assert record.trace[-1]["what"] == "distribution_failed"
    await watched.delivered()
    assert [to for to, _ in watched.mails()] == ["sales@example.org"]


async def test_an_internal_call_is_in_the_list_only(watched: Watched) -> None:
    office = watched.office
    await office.change(office.root, missed_emails=("root@example.org",))
    caller, callee = await office.user("201"), await office.user("202")
    sales = await office.group("Sales", caller, callee, missed_emails=("sales@example.org",), extension="300")
    async with office.phone("201") as phone:
        await phone.registered()
        await office.registered("201")
        for number in ("202", "300"):
            await phone.over(await phone.call(number), within=30)
    to_user, to_group = await office.records(2)
    assert [r.direction for r in (to_user, to_group)] == ["internal", "internal"]
    assert not to_user.talked
    assert str(sales) in [s.get("target") for s in to_group.trace]
    assert await watched.owed() == []
