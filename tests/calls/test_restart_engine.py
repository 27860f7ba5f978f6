# SPDX-License-Identifier: Apache-2.0
"""The engine dies or is stopped and another one takes over: talks are not disturbed, no call is lost, every call has one CDR."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from engine import clock
from engine.calls.trunks import gateway_name
from engine.db import models
from engine.people import ContactWish
from plugins.groups.api import Membership
from plugins.ivr.part import MenuKey
from tests.calls.apart import ApartPbx, apart
from tests.calls.installation import REAL
from tests.calls.load import LoadPhone, RunQueue, speaking
from tests.calls.telephone import Line
from tests.embedded.telephone import Answering, Talk, replaces
from tests.phones import sound

CALLS = 20
LARGEST_GAP_MS = 100
embedded_only = pytest.mark.skipif(REAL, reason="needs the embedded switch")
both_ways = pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])


@dataclass
class Pair:
    """A talk between a caller behind the provider and an employee."""

    caller: LoadPhone
    callee: LoadPhone
    talk: Talk
    answering: Answering


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[ApartPbx]:
    async with apart(tmp_path) as made:
        yield made


@contextlib.asynccontextmanager
async def talking(office: ApartPbx, count: int) -> AsyncIterator[list[Pair]]:
    """So many talks, each with somebody else of one group; all phones speak all the time."""
    pairs: list[Pair] = []
    phones: list[LoadPhone] = []
    mouth = asyncio.create_task(speaking(phones))
    try:
        for index in range(count):
            login = str(201 + index)
            callee = LoadPhone(office.internal, login, office.domain, office.passwords[login])
            caller = LoadPhone(office.trunk, f"7927100{index:04}", f"{office.address}")
            phones += [await callee.open(office.phones_at), await caller.open(office.phones_at)]
            assert (await callee.register()).code == 200
        for callee, caller in zip(phones[::2], phones[1::2], strict=True):
            talk = await caller.call("74951234567", sign=False)
            answering = await callee.takes()
            await answering.answer()
            await talk.answered()
            pairs.append(Pair(caller, callee, talk, answering))
        yield pairs
    finally:
        mouth.cancel()
        await asyncio.gather(mouth, return_exceptions=True)
        for phone in phones:
            phone.close()


async def staff(office: ApartPbx, count: int) -> None:
    """One group of so many, rung one after the other."""
    users = [await office.user(str(201 + i), ContactWish(kind="sip", address=str(201 + i), timeout_seconds=20)) for i in range(count)]
    members = tuple(Membership(u, i) for i, u in enumerate(users, 1))
    group = await office.group("Sales", members=members, missed_emails=("sales@example.org",))
    await office.rule(group)


@pytest.mark.feature("R1", "R13", "STA-1", "STA-4")
@both_ways
async def test_talks_go_on_without_an_engine_and_with_the_next_one(office: ApartPbx, how: signal.Signals) -> None:
    await staff(office, CALLS)
    await office.house.start()
    async with talking(office, CALLS) as pairs:
        await office.until(lambda calls: len([c for c in calls if c["talk_started_at"]]) == CALLS)
        for pair in pairs:
            await pair.caller.hears_on(time.time_ns())
            await pair.callee.hears_on(time.time_ns())
        before = time.time_ns()
        queue = RunQueue(office.house.switch_pid)
        watching = asyncio.create_task(queue.watch())
        await office.house.end(how)
        for pair in pairs[:3]:
            await pair.talk.hang_up()
            await asyncio.wait_for(pair.callee.over.wait(), 10)
        for pair in pairs[3:5]:
            await pair.answering.hang_up()
        for pair in pairs[5:10]:
            assert (await pair.answering.hold()).code == 200
        down = time.time_ns()
        await office.house.start()
        ended, held, talks = pairs[:5], pairs[5:10], pairs[10:]
        for pair in pairs[3:5]:
            await asyncio.wait_for(pair.caller.over.wait(), 10)  # nobody is left whom he talked with
        calls = await office.until(lambda calls: len(calls) == CALLS - len(ended))
        assert all(c["talk_started_at"] for c in calls)
        assert {c["caller"] for c in calls} == {f"+{p.caller.user}" for p in held + talks}
        first = await office.records(len(ended))
        assert {r.caller_number for r in first} == {f"+{p.caller.user}" for p in ended}
        for record in first:
            assert (record.talked, record.missed, record.cause) == (True, False, "NORMAL_CLEARING")
            assert all(leg.cause == "NORMAL_CLEARING" for leg in record.legs)
        by_caller = {r.caller_number: r for r in first}
        for pair in pairs[:3]:  # the switch's own file says when, not the restart
            assert all(leg.ended_at and leg.ended_at.timestamp() * 1e9 < down for leg in by_caller[f"+{pair.caller.user}"].legs)
        for pair in pairs[5:10]:
            assert (await pair.answering.hold("sendrecv")).code == 200
        now = time.time_ns()
        for pair in held + talks:
            await pair.caller.hears_on(now)
            await pair.callee.hears_on(now)
        watching.cancel()
        gaps = {phone.user: phone.largest_gap(before, now, queue) for p in talks for phone in (p.caller, p.callee)}
        assert max(gaps.values()) <= LARGEST_GAP_MS, gaps
        for pair in held + talks:
            await pair.talk.hang_up()
        records = await office.records(CALLS)
        await office.until(lambda calls: not calls)
    assert len(await office.records(CALLS)) == len({r.call_id for r in records}) == CALLS
    assert all(any(s["what"] == "engine_restarted" for s in r.trace) for r in records)
    assert [leg.reason for r in records for leg in r.legs].count("incoming") == CALLS


async def owed(office: ApartPbx) -> list[str]:
    """Addresses that are or were to be told of missed calls."""
    return [str(row.payload["to"]) for row in await models.OutboxRow.of(office.account).filter(channel="email").order_by("id")]


@pytest.mark.feature("R1", "IVR-3")
@both_ways
async def test_callers_are_taken_up_where_they_were(office: ApartPbx, how: signal.Signals) -> None:
    file = await office.file("menu", sound.tone(office.folder / "menu.wav", 900, 2))
    groups = {}
    for key, login in (("1", "201"), ("2", "202"), ("3", "203")):
        user = await office.user(login, ContactWish(kind="sip", address=login, timeout_seconds=120))
        groups[key] = await office.group(f"Group {key}", user, missed_emails=(f"{login}@example.org",))
    keys = tuple(MenuKey(key, group) for key, group in groups.items())
    await office.rule(await office.menu("Menu", file=file, keys=keys, timeout_seconds=120))
    await office.house.start()
    async with (
        office.telephone("201") as first, office.telephone("202") as second, office.telephone("203") as third,
        office.provider("+79270000001") as waits, office.provider("+79270000002") as rings, office.provider("+79270000003") as leaves,
    ):  # fmt: skip
        in_menu = await waits.calls("74951234567")
        await in_menu.answered()
        await waits.hears(900)
        ringing = await rings.calls("74951234567")
        await ringing.answered()
        await rings.press("2")
        old = await second.takes()
        leaving = await leaves.calls("74951234567")
        await leaving.answered()
        await leaves.press("3")
        await third.takes()
        await office.until(lambda calls: sorted(c["place"] for c in calls) == ["Group 2", "Group 3", "Menu"])
        await waits.hears_nothing(within=10)
        silent = len(waits.heard)
        await office.house.end(how)
        await leaving.hang_up()
        await office.house.start()
        async with asyncio.timeout(10):
            await waits.hears(900, since=silent)  # the file again, perhaps over before the engine has called itself ready
        await old.cancelled(20)
        again = await second.takes()
        await again.answer()
        await waits.press("1")
        talk = await first.answers()
        first.say(600)
        await waits.hears(600)
        calls = await office.until(lambda calls: [bool(c["talk_started_at"]) for c in calls] == [True, True])
        assert sorted(c["place"] for c in calls) == ["Group 1", "Group 2"]
        (missed,) = await office.records(1)
        assert (missed.caller_number, missed.missed, missed.missed_why) == ("+79270000003", True, "left")
        assert [(leg.reason, leg.cause) for leg in sorted(missed.legs, key=lambda x: x.reason)] == [
            ("incoming", "NORMAL_CLEARING"), ("member", "ORIGINATOR_CANCEL"),
        ]  # fmt: skip
        assert await owed(office) == ["203@example.org"]
        await talk.hang_up()
        await ringing.hang_up()
        records = await office.records(3)
    assert [(r.caller_number, r.talked, r.missed) for r in records] == [
        ("+79270000001", True, False), ("+79270000002", True, False), ("+79270000003", False, True),
    ]  # fmt: skip


@pytest.mark.feature("GRP-1", "R12")
async def test_whoever_answers_while_no_engine_runs_has_the_call(office: ApartPbx) -> None:
    """Of two phones one answers; the other one stops ringing when the next engine is there, and nobody is rung again."""
    users = [await office.user(login, ContactWish(kind="sip", address=login, timeout_seconds=120)) for login in ("201", "202")]
    await office.rule(await office.group("Sales", *users, method="ALL_AT_ONCE", recording=True))
    await office.house.start()
    async with office.telephone("201") as one, office.telephone("202") as two, office.provider() as caller:
        call = await caller.calls("74951234567")
        answers, rings = await one.takes(), await two.takes()
        await office.until(lambda calls: [len(c["legs"]) for c in calls] == [3])
        await office.house.end()
        await answers.answer()
        one.say(600)
        await office.house.start()
        await call.answered()
        await caller.hears(600)
        await rings.cancelled()
        caller.say(900)
        await one.hears(900)
        await caller.listen(1.0)
        await call.hang_up()
        await answers.ended()
        (record,) = await office.records(1)
        assert (len(one.rung), len(two.rung)) == (1, 1)
    assert record.talked
    assert not record.missed
    assert {leg.label: leg.cause for leg in record.legs if leg.reason == "member"}["202"] in ("LOSE_RACE", "PICKED_OFF")
    (recording,) = record.recordings
    left, right = sound.read(office.media / recording.path)
    assert sound.strength(right[-6000:-2000], 600) > 0.8
    assert sound.strength(left[-6000:-2000], 900) > 0.8


async def called_anew(line: Line, before: Answering) -> Answering:
    """The switch gives up the call that came `before` and makes another one, in either order; that one is answered."""
    again: Answering | None = None
    cancelled = False
    async with asyncio.timeout(20):
        while again is None or not cancelled:
            message = await line.inbox.get()
            if message.method == "INVITE":
                again = Answering(line, message)
            elif message.method == "CANCEL":
                cancelled = True
                line.send(line.reply(message, 200, tag=before.tag))
                line.send(line.reply(before.invite, 487, tag=before.tag))
    await again.answer()
    return again


@pytest.mark.feature("OUT-2")
@pytest.mark.parametrize("meanwhile", ["answered", "still playing"])
async def test_an_announcement_while_the_engine_changes(office: ApartPbx, meanwhile: str) -> None:
    """The switch has joined the two before the answer and answers by itself; who has not answered yet is called anew."""
    await office.user("201")
    await office.house.start()
    async with office.provider() as provider:
        await office.house.end(signal.SIGTERM)
        async with office.edit() as edit:
            line = {"title": "Line", "sources": [office.phones_at], "server": provider.host, "port": provider.port}
            trunk = await models.Trunk.create(account_id=office.account, using_db=edit.tx, **line)
        await office.number("+74956693002", trunk)
        await office.house.start()
        await office.ready()
        async with office.telephone("201") as phone:
            call = await phone.call("89031234567")
            rung = await provider.incoming()
            rung.early()
            provider.say(700)
            await call.early()
            await phone.hears(700)
            await office.house.end()
            if meanwhile == "answered":
                await rung.answer()
                await call.answered()
            await office.house.start()
            if meanwhile != "answered":
                rung = await called_anew(provider, rung)
                await call.answered()
            phone.say(600)
            heard = len(provider.heard)
            await provider.hears(600, since=heard)
            await office.until(lambda calls: [bool(c["talk_started_at"]) for c in calls] == [True])
            await call.hang_up()
            await rung.ended()
            (record,) = await office.records(1)
    assert record.talked
    assert record.answered_at is not None


@pytest.mark.feature("R1")
@embedded_only
async def test_an_end_that_nobody_has_written_down_lies_between_two_moments(office: ApartPbx) -> None:
    user = await office.user("201", ContactWish(kind="sip", address="201", timeout_seconds=120))
    await office.rule(await office.group("Sales", user, missed_emails=("sales@example.org",)))
    await office.house.start()
    async with office.telephone("201") as phone, office.provider() as caller:
        call = await caller.calls("74951234567")
        await phone.takes()
        await office.until(lambda calls: [len(c["legs"]) for c in calls] == [2])
        await office.house.end()
        killed = clock.now()
        call.cancel()
        assert await call.refused() == 487
        async with office.house.event_socket() as switch:
            while "1 total" not in await switch.api("show channels count"):  # the phone alone rings on
                await switch.event("CHANNEL_HANGUP_COMPLETE")
        for file in (office.media / "cdr-csv").glob("*"):
            file.unlink()
        await office.house.start()
        (record,) = await office.records(1)
    assert (record.missed, record.missed_why, record.cause) == (True, "left", "ENGINE_LOST")
    assert {leg.reason: leg.cause for leg in record.legs} == {"incoming": "ENGINE_LOST", "member": "ORIGINATOR_CANCEL"}
    (lost,) = [s["facts"] for s in record.trace if s["what"] == "leg_lost"]
    since, until = datetime.fromisoformat(lost["since"]), datetime.fromisoformat(lost["until"])
    assert since <= killed + timedelta(seconds=1)
    assert since < until
    assert until > killed
    assert all(leg.ended_at and leg.started_at <= leg.ended_at for leg in record.legs)
    assert await owed(office) == ["sales@example.org"]


@pytest.mark.feature("R1", "NUM-2")
async def test_a_line_that_went_while_no_engine_ran_is_dropped_by_the_next_one(office: ApartPbx) -> None:
    """The switch lives on with it: its registration would go on, under a name that leads nowhere."""
    async with office.edit() as edit:
        kept, gone = [
            await models.Trunk.create(
                account_id=office.account, title=title, registers=False, sources=[office.phones_at], server=office.phones_at, port=9,
                using_db=edit.tx,
            )
            for title in ("Kept", "Gone")
        ]  # fmt: skip
    await office.house.start()
    await office.ready()
    await office.house.end(signal.SIGTERM)
    async with office.edit() as edit:
        await models.Trunk.of(office.account, edit.tx).filter(id=gone.id).delete()
    await office.house.start()
    async with asyncio.timeout(15):
        while "Invalid Gateway" not in await office.house.ask(f"sofia status gateway {gateway_name(gone.id)}"):
            await asyncio.sleep(0.1)
    assert "NOREG" in await office.house.ask(f"sofia status gateway {gateway_name(kept.id)}")


@pytest.mark.feature("R20", "R1")
@pytest.mark.parametrize("by", ["callee", "caller"])
async def test_who_was_joined_by_a_phone_while_no_engine_ran_talks_on(office: ApartPbx, by: str) -> None:
    """An attended transfer: the two that remain were legs of two calls."""
    await office.rule(await office.group("Sales", await office.user("201")))
    await office.user("202")
    await office.user("203")
    await office.house.start()
    async with AsyncExitStack() as stack:
        moves, second, inside = [await stack.enter_async_context(office.telephone(login)) for login in ("201", "202", "203")]
        async with office.provider("+79270000001") as outside:
            first_name = "203" if by == "caller" else "+79270000001"
            first = inside if by == "caller" else outside
            if by == "callee":
                talk: Talk | Answering = await outside.calls("74951234567")
                transferring: Talk | Answering = await moves.answers()
                await talk.answered()  # type: ignore[union-attr]
            else:
                transferring = await moves.call("203")
                talk = await inside.answers()
                await transferring.answered()
            await office.until(lambda calls: len([c for c in calls if c["talk_started_at"]]) == 1)
            await transferring.hold()
            consultation = await moves.call("202")
            answering = await second.answers()
            await consultation.answered()
            await office.until(lambda calls: len([c for c in calls if c["talk_started_at"]]) == 2)
            await office.house.end(signal.SIGKILL)
            assert await transferring.refer(replaces(consultation.tags, f"202@{office.domain}")) == 202
            first.say(500)
            second.say(900)
            await first.hears(900)
            await second.hears(500)
            await office.house.start()
            await office.until(lambda calls: [{leg["label"] for leg in c["legs"]} for c in calls] == [{first_name, "202"}])
            first.heard.clear()
            second.heard.clear()
            first.say(500)
            second.say(900)
            await first.hears(900)
            await second.hears(500)
            await talk.hang_up()
            await answering.ended()
            records = await office.records(2)
            talks = [[s["facts"]["who"] for s in r.trace if s["what"] == "talk"] for r in records]
            before = ["203" if by == "caller" else "201"]
            # when both calls were the transferring phone's own, the switch decides which of them the talk stays in
            assert sorted(talks, key=len) in ([["202"], [*before, "202"]], [before, ["202", *before]])
            assert all((r.talked, r.missed) == (True, False) for r in records)
