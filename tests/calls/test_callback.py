# SPDX-License-Identifier: Apache-2.0
"""CallBack with real calls: the wish, both types of attempts, their number and pauses, and whatever may come between."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from engine.people import ContactWish
from engine.snapshot import Ref
from plugins.callback.models import Attempt, Task
from plugins.callback.part import CallBackSettings
from plugins.callback.service import save_settings
from tests.calls.apart import ApartPbx, apart
from tests.calls.pbx import Pbx
from tests.calls.telephone import Line, Provider
from tests.phones import sound

of_the_session = pytest.mark.asyncio(loop_scope="session")
CLIENT = "+79031240001"
OWN = (f"+749566620{n:02}" for n in range(1, 50))
files = itertools.count(1)


async def settings(office: Pbx, owner: Ref, **wish: Any) -> None:
    values = {"attempts": 2, "pause_seconds": 1, "delay_seconds": 0, **wish}
    async with office.edit() as edit:
        await save_settings(edit, CallBackSettings(id=0, parent=owner, **values))


async def phrase(office: Pbx, hertz: float) -> Ref:
    name = f"final-{office.account}-{next(files)}.wav"
    return await office.file(name, sound.tone(office.folder / name, hertz, 1.5))


async def with_number(office: Pbx, provider: Provider) -> str:
    """A DID by a line to this provider; callers dial it and see it when they are called back."""
    return str((await office.number(next(OWN), await office.line(server=provider.host, port=provider.port))).number)


async def asks(provider: Provider, did: str) -> None:
    """The client calls and is released at once."""
    talk = await provider.calls(did[1:])
    assert await talk.refused() == 486


async def task(office: Pbx, fits: Callable[[Task], bool], within: float = 30.0) -> Task:
    """The account's task, as soon as it is like this."""
    found: list[Task] = []
    try:
        async with asyncio.timeout(within):
            while not (found := await Task.of(office.account).all()) or not fits(found[0]):
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"the tasks are {[dict(t) for t in found]}\n{await office.told()}") from None
    (only,) = found
    return only


async def is_over(office: Pbx, state: str) -> Task:
    return await task(office, lambda t: t.state == state)


async def both_hear(phone: Line, provider: Line) -> None:
    phone.say(500)
    provider.say(1300)
    await provider.hears(500)
    await phone.hears(1300)
    phone.quiet()
    provider.quiet()


async def results(office: Pbx) -> list[tuple[int, str]]:
    return [(a.number, a.result) for a in await Attempt.of(office.account).order_by("number")]


@of_the_session
@pytest.mark.feature("ACT-14", "CB-1", "CB-2", "CB-3", "R1", "R19", "R24", "BIL-10")
async def test_client_first_to_a_group_with_the_final_phrase(shared: Pbx) -> None:
    group = await shared.group("Sales", await shared.user("201"))
    await settings(shared, group, first="client", phrase=await phrase(shared, 700))
    async with shared.provider(CLIENT) as client, shared.telephone("201") as phone:
        await shared.registered("201")
        did = await with_number(shared, client)
        await shared.rule(Ref("callback.group", group.id), number=did)
        await asks(client, did)
        back = await client.answers()
        assert back.invite.uri.startswith(f"sip:{CLIENT[1:]}@")
        assert f"sip:{did[1:]}@" in back.invite.get("From")  # the number he has called
        employee = await phone.answers()
        assert CLIENT[2:] in employee.invite.get("From")  # the employee sees the client
        await both_hear(phone, client)
        await employee.hang_up()
        await client.hears(700)
        await back.ended()
        asked, called = await shared.records(2)
        done = await is_over(shared, "done")
    assert (asked.missed, asked.missed_why, asked.talked) == (True, "callback", False)
    assert (called.direction, called.talked, called.missed, called.caller_number, called.dialled) == ("in", True, False, CLIENT, did)
    assert called.user_title == "User 201"
    assert [leg.reason for leg in sorted(called.legs, key=lambda leg: leg.started_at)] == ["callback_client", "member"]
    assert (done.made, done.open_key, done.due_at) == (1, None, None)
    assert await results(shared) == [(1, "reached")]


@of_the_session
@pytest.mark.feature("ACT-13", "CB-1", "CB-3", "R19", "BIL-10")
async def test_employee_first_to_a_user_with_the_final_phrase(shared: Pbx) -> None:
    user = Ref("core.user", await shared.user("201"))
    await settings(shared, user, first="employee", phrase=await phrase(shared, 700))
    async with shared.provider(CLIENT) as client, shared.telephone("201") as phone:
        await shared.registered("201")
        did = await with_number(shared, client)
        await shared.rule(Ref("callback.user", user.id), number=did)
        await asks(client, did)
        employee = await phone.takes()
        assert CLIENT[2:] in employee.invite.get("From")
        assert not client.rung
        await employee.answer()
        back = await client.takes()
        assert f"sip:{did[1:]}@" in back.invite.get("From")
        await back.answer()
        await both_hear(phone, client)
        await employee.hang_up()
        await client.hears(700)
        await back.ended()
        _, called = await shared.records(2)
        await is_over(shared, "done")
    assert (called.direction, called.talked, called.missed, called.user_title) == ("out", True, False, "User 201")
    assert [leg.reason for leg in sorted(called.legs, key=lambda leg: leg.started_at)] == ["callback_employee", "callback_client"]


@of_the_session
@pytest.mark.feature("CB-3")
async def test_employee_first_survives_a_long_talk_and_ends_with_the_client(shared: Pbx) -> None:
    """The dead-man timer of the employee, who is served first, must not tear the talk apart."""
    user = Ref("core.user", await shared.user("201"))
    await settings(shared, user, first="employee")
    async with shared.provider(CLIENT) as client, shared.telephone("201") as phone:
        await shared.registered("201")
        did = await with_number(shared, client)
        await shared.rule(Ref("callback.user", user.id), number=did)
        await asks(client, did)
        employee = await phone.answers()
        back = await client.answers()
        phone.say(500)
        client.say(1300)
        await client.hears(500)
        await client.listen(43)  # longer than such a timer
        await client.hears(500)
        await phone.hears(1300)
        await back.hang_up()
        await employee.ended()
        await is_over(shared, "done")


@of_the_session
@pytest.mark.feature("CB-1", "R24", "R1")
@pytest.mark.parametrize("first", ["client", "employee"])
async def test_attempts_and_pauses(shared: Pbx, first: str) -> None:
    group = await shared.group("Sales", await shared.user("201"))
    await settings(shared, group, first=first, attempts=3, pause_seconds=2)
    async with shared.provider(CLIENT) as client, shared.telephone("201") as phone:
        await shared.registered("201")
        did = await with_number(shared, client)
        await shared.rule(Ref("callback.group", group.id), number=did)
        await asks(client, did)
        for _ in range(3):
            await (client if first == "client" else phone).refuses(486)
        over = await is_over(shared, "failed")
        records = await shared.records(4)
        rung = client.rung if first == "client" else phone.rung
        assert len(rung) == 3
        assert all(later - earlier >= 2 for earlier, later in itertools.pairwise(rung))
        assert not (phone.rung if first == "client" else client.rung)
    assert over.made == 3
    assert await results(shared) == [(1, "no_answer"), (2, "no_answer"), (3, "no_answer")]
    assert not any(r.missed for r in records[1:])  # nobody was there who could be missed


@of_the_session
@pytest.mark.feature("R1", "R24")
async def test_a_client_who_is_reached_and_talks_with_nobody_is_missed(shared: Pbx) -> None:
    user = await shared.user("201", ContactWish(kind="sip", address="201", timeout_seconds=2))
    group = await shared.group("Sales", user)
    await settings(shared, group, first="client")
    async with shared.provider(CLIENT) as client, shared.telephone("201") as phone:
        await shared.registered("201")
        did = await with_number(shared, client)
        await shared.rule(Ref("callback.group", group.id), number=did)
        await asks(client, did)
        back = await client.answers()
        phone.unattended = True
        await back.ended()
        _, called = await shared.records(2)
        await is_over(shared, "done")  # R24: an attempt fails when the client does not answer
    assert (called.missed, called.missed_why, called.direction) == (True, "no_answer", "in")


@of_the_session
@pytest.mark.feature("R24")
async def test_a_second_wish_is_the_same_task_and_a_client_who_calls_in_and_talks_closes_it(shared: Pbx) -> None:
    user = await shared.user("201")
    group = await shared.group("Sales", user)
    await settings(shared, group, first="client", delay_seconds=3600)
    async with shared.provider(CLIENT) as client, shared.telephone("201") as phone:
        await shared.registered("201")
        did = await with_number(shared, client)
        await shared.rule(Ref("callback.group", group.id), number=did)
        await shared.rule(Ref("core.user", user))  # the other number
        await asks(client, did)
        await asks(client, did)
        waiting = await task(shared, lambda t: t.requests == 2)
        assert waiting.state == "waiting"
        talk = await client.calls(shared.did[1:])
        employee = await phone.answers()
        await talk.answered()
        await both_hear(phone, client)
        await talk.hang_up()
        await employee.ended()
        closed = await is_over(shared, "closed")
        assert (closed.open_key, closed.due_at) == (None, None)
        await asks(client, did)  # now he waits anew
        async with asyncio.timeout(20):
            while await Task.of(shared.account).count() < 2:
                await asyncio.sleep(0.05)
    assert not [r for r in await shared.records(4) if r.direction == "out"]


@of_the_session
@pytest.mark.feature("R24")
async def test_who_withholds_his_number_hears_that_he_cant_be_called(shared: Pbx) -> None:
    group = await shared.group("Sales", await shared.user("201"))
    await settings(shared, group)
    await shared.rule(Ref("callback.group", group.id))
    async with shared.provider("anonymous") as caller:
        talk = await caller.calls(shared.did[1:])
        await talk.answered()
        await shared.step("play", sound="prompts/callback-refused.wav")
        await talk.ended()
        (record,) = await shared.records(1)
    assert (record.missed, record.missed_why) == (True, "left")
    assert not await Task.of(shared.account).exists()


@of_the_session
@pytest.mark.feature("R24")
async def test_a_wish_while_the_database_is_blocked_is_not_lost(shared: Pbx) -> None:
    user = Ref("core.user", await shared.user("201"))
    await settings(shared, user, first="client")
    async with shared.provider(CLIENT) as client, shared.telephone("201") as phone:
        await shared.registered("201")
        did = await with_number(shared, client)
        await shared.rule(Ref("callback.user", user.id), number=did)
        with closing(sqlite3.connect(shared.runtime.settings.state / "vats.sqlite3", isolation_level=None)) as blocker:
            blocker.execute("BEGIN IMMEDIATE")
            try:
                await asks(client, did)  # he is released at once: a call waits for no database
                assert not blocker.execute("SELECT count(*) FROM callback_task WHERE account_id = ?", [shared.account]).fetchone()[0]
            finally:
                blocker.execute("ROLLBACK")
        back = await client.answers()
        employee = await phone.answers()
        await both_hear(phone, client)
        await back.hang_up()
        await employee.ended()
        await is_over(shared, "done")


# the engine dies ------------------------------------------------------------------------------------------------------


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[ApartPbx]:
    async with apart(tmp_path) as made:
        yield made


async def again(office: ApartPbx) -> None:
    """Another engine takes over."""
    await office.house.end()
    await office.house.start()


@asynccontextmanager
async def ready(office: ApartPbx, **wish: Any) -> AsyncIterator[tuple[Provider, str]]:
    """The group of 201, a DID that leads to its CallBack, and an engine that knows of it all; with the client's provider."""
    group = await office.group("Sales", await office.user("201", ContactWish(kind="sip", address="201", timeout_seconds=60)))
    await settings(office, group, **wish)
    await office.house.start()
    async with office.provider(CLIENT) as client:
        did = await with_number(office, client)
        await office.rule(Ref("callback.group", group.id), number=did)
        await again(office)
        yield client, did


@pytest.mark.feature("R24", "CB-1")
async def test_an_engine_that_dies_between_attempts_calls_exactly_as_often_as_was_said(office: ApartPbx) -> None:
    async with ready(office, first="client", attempts=3, pause_seconds=3) as (client, did):
        await asks(client, did)
        for made in range(1, 4):
            await client.refuses(486)
            await task(office, lambda t, made=made: t.made == made and t.state != "calling")  # type: ignore[misc]
            await again(office)
        await is_over(office, "failed")
        await again(office)
        await asyncio.wait_for(asyncio.shield(office.records(4)), 20)
        assert len(client.rung) == 3
    assert await results(office) == [(1, "no_answer"), (2, "no_answer"), (3, "no_answer")]


@pytest.mark.feature("R24", "CB-3")
@pytest.mark.parametrize(
    ("first", "when"),
    [("client", "client rings"), ("client", "employee rings"), ("client", "they talk"), ("employee", "employee rings"),
     ("employee", "client rings"), ("employee", "they talk")],
)  # fmt: skip
async def test_an_attempt_goes_on_with_the_next_engine(office: ApartPbx, first: str, when: str) -> None:
    async with ready(office, first=first, phrase=await phrase(office, 700)) as (client, did), office.telephone("201") as phone:
        await asks(client, did)
        parties = {"client": client, "employee": phone}
        calls = {}
        for who in ("client", "employee") if first == "client" else ("employee", "client"):
            calls[who] = await parties[who].takes()
            if when == f"{who} rings":
                await again(office)
            if first == "client" and when == "employee rings" and who == "employee":
                await calls[who].cancelled()  # a distribution begins anew
                calls[who] = await parties[who].takes()
            await calls[who].answer()
        await both_hear(phone, client)
        if when == "they talk":
            await again(office)
            await both_hear(phone, client)
        await calls["employee"].hang_up()
        await client.hears(700)
        await calls["client"].ended()
        await is_over(office, "done")
        assert len(client.rung) == 1
    assert await results(office) == [(1, "reached")]
