# SPDX-License-Identifier: Apache-2.0
"""The database is blocked for a minute, from before the first call: no call waits for it, and its rows appear afterwards, once.

Not among the call tests, whose workers keep one installation and can't open a database of another kind beside it.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import asyncpg
import pytest

from engine.people import ContactWish
from engine.sdk import HANGUP
from engine.settings import Settings
from engine.snapshot import Ref
from plugins.callback.models import Task
from plugins.callback.part import CallBackSettings
from plugins.callback.service import save_settings as save_callback
from plugins.callout.actions import CALL_OUT
from plugins.numbers import service as numbers
from plugins.numbers.part import ListEntry, NumberList
from plugins.schedules.api import HourRange, Schedule
from plugins.schedules.part import DayGroup
from plugins.schedules.service import save_schedule
from plugins.voicemail.models import MessageRow
from tests.calls.pbx import DID, Pbx, pbx
from tests.calls.telephone import Provider
from tests.phones import sound

SECONDS = 60
ALWAYS = (DayGroup("Every day", (0, 1, 2, 3, 4, 5, 6), (HourRange(0, 1440),)),)
FRIEND, ENEMY, CLIENT, STAFF = "+79031250001", "+79031250002", "+79031250003", "+79031250004"
EXTENSIONS, MAIL, BACK, OUT = "+74956664001", "+74956664002", "+74956664003", "+74956664004"


@asynccontextmanager
async def blocked(settings: Settings) -> AsyncIterator[None]:
    """Nobody writes to a SQLite file meanwhile; of PostgreSQL no table can be read either."""
    if settings.database.url == "sqlite://":
        with closing(sqlite3.connect(settings.state / "vats.sqlite3", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            try:
                yield
            finally:
                other.execute("ROLLBACK")
        return
    connection = await asyncpg.connect(settings.database.url)
    try:
        async with connection.transaction():
            tables = await connection.fetchval("SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables WHERE schemaname = 'public'")
            await connection.execute(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


@pytest.fixture
async def office(database_settings: Settings, tmp_path: Path) -> AsyncIterator[Pbx]:
    async with pbx(tmp_path, database=database_settings.database) as running:
        yield running
        print(await running.told())  # pytest shows it when the test has failed


async def furnish(office: Pbx, client: Provider) -> None:
    """201 with a PIN and 202 ring in Sales; one number for each of the ways a call may go."""
    anna = await office.user("201", pin="4711")
    boris = await office.user("202", ContactWish(kind="sip", address="202", timeout_seconds=1))
    sales = await office.group("Sales", anna)
    other = await office.group("Reserve", boris)
    line = await office.line(server=client.host, port=client.port)
    for number in (EXTENSIONS, MAIL, BACK, OUT):
        await office.number(number, line)
    async with office.edit() as edit:
        friends = await numbers.save_list(edit, NumberList(id=0, title="Friends", entries=(ListEntry(FRIEND),)))
        enemies = await numbers.save_list(edit, NumberList(id=0, title="Enemies", entries=(ListEntry(ENEMY),)))
        open_always = await save_schedule(edit, Schedule(id=0, title="Always", days=ALWAYS))
        never = await save_schedule(edit, Schedule(id=0, title="Never"))
        await save_callback(edit, CallBackSettings(id=0, parent=sales, attempts=1, pause_seconds=1, delay_seconds=0, first="client"))
    await office.rule(HANGUP, priority=1, numbers=enemies.ref)
    await office.rule(HANGUP, priority=2, schedule=never.ref)
    await office.rule(sales, priority=3, numbers=friends.ref, schedule=open_always.ref)
    await office.rule(other, priority=4)
    file = await office.file("menu", sound.tone(office.folder / "menu.wav", 900, 1.0))
    await office.rule(await office.menu("Menu", file=file, timeout_seconds=30), number=EXTENSIONS)
    await office.rule(Ref("voicemail.group", sales.id), number=MAIL)
    await office.rule(Ref("callback.group", sales.id), number=BACK)
    await office.rule(CALL_OUT, number=OUT)


async def calls(office: Pbx, client: Provider) -> None:
    """Every way once, and what the callers see of it."""
    async with (
        office.telephone("201") as anna, office.telephone("202") as boris, office.provider(FRIEND) as friend,
        office.provider(ENEMY) as enemy, office.provider(STAFF) as staff,
    ):  # fmt: skip
        boris.unattended = True
        async with blocked(office.runtime.settings):
            began = asyncio.get_running_loop().time()
            assert await (await enemy.calls(DID[1:])).refused() == 603  # the list
            assert await (await staff.calls(DID[1:])).refused() == 480  # rings in vain
            assert len(boris.rung) == 1
            talk = await friend.calls(DID[1:])  # list and schedule
            answering = await anna.answers()
            await office.step("talk")
            await talk.answered()
            friend.say(500)
            await anna.hears(500)
            friend.quiet()
            await talk.hang_up()
            await answering.ended()
            talk = await friend.calls(EXTENSIONS[1:])
            await talk.answered()
            await friend.press("201")
            answering = await anna.answers()
            await office.step("talk")
            await answering.hang_up()
            await talk.ended()
            talk = await staff.calls(OUT[1:])
            await talk.answered()
            await office.step("play", sound="prompts/callout-pin.wav")
            await staff.press("4711#")
            await office.step("play", sound="prompts/callout-number.wav")
            await staff.press("201#")
            answering = await anna.answers()
            await office.step("talk")
            await talk.hang_up()
            await answering.ended()
            talk = await friend.calls(MAIL[1:])
            await talk.answered()
            await office.step("message", within=30)
            friend.say(500)
            await asyncio.sleep(2.0)  # the message
            await talk.hang_up()
            assert await (await client.calls(BACK[1:])).refused() == 486
            await asyncio.sleep(max(0.0, SECONDS - (asyncio.get_running_loop().time() - began)))  # the rest of the minute
        await client.refuses(486)


@pytest.mark.kind("call")
@pytest.mark.feature("R5", "R6", "CO-1", "IVR-4", "GRP-3", "VM-1", "CB-2", "SCH-1", "DIR-1", "NUM-1")
async def test_calls_go_on_without_the_database(office: Pbx) -> None:
    async with office.provider(CLIENT) as client:
        await furnish(office, client)
        await calls(office, client)
    records = await office.records(8, within=60)
    (message,) = await MessageRow.of(office.account)
    assert 1.0 < message.seconds < 4.0
    (task,) = await Task.of(office.account)
    assert task.number == CLIENT
    incoming = [r for r in records if r.direction == "in"]
    assert [(r.caller_number, r.dialled, r.talked) for r in incoming] == [
        (ENEMY, DID, False), (STAFF, DID, False), (FRIEND, DID, True), (FRIEND, EXTENSIONS, True), (STAFF, OUT, True),
        (FRIEND, MAIL, False), (CLIENT, BACK, False), (CLIENT, BACK, False),  # the wish, and the attempt
    ]  # fmt: skip
    assert len({r.call_id for r in records}) == len(records)
