# SPDX-License-Identifier: Apache-2.0
"""The engine dies or is stopped and another one takes over: talks are not disturbed, no call is lost, every call has one CDR."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.people import ContactWish
from plugins.groups.part import Membership
from tests.calls.apart import ApartPbx, apart
from tests.calls.load import LoadPhone, RunQueue, speaking
from tests.embedded.telephone import Answering, Talk

CALLS = 20
LARGEST_GAP_MS = 100
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
    group = await office.group("Sales", members=tuple(Membership(u, i) for i, u in enumerate(users)), missed_emails=("sales@example.org",))
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
