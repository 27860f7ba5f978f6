# SPDX-License-Identifier: Apache-2.0
"""Orders, the doorbell and periodic jobs, in one process and between several."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from engine import clock
from engine.db import Database, models
from engine.jobs import Doorbell, OrderBook, Ticker
from engine.settings import Settings


async def account(number: str = "1") -> int:
    return (await models.Account.create(number=number, title="x", domain=number)).id


# orders ---------------------------------------------------------------------------------------------------------------


async def test_an_order_is_placed_once_per_key(database: Database) -> None:
    rang: list[tuple[str, int]] = []
    book = OrderBook(database, lambda topic, owner: rang.append((topic, owner)))
    owner, other = await account("1"), await account("2")
    first = await book.place(owner, "callback", {"number": "+7"}, key="k")
    assert await book.place(owner, "callback", {"number": "+8"}, key="k") == first
    assert await book.place(other, "callback", {}, key="k") != first
    assert rang == [("orders", owner), ("orders", other)]
    assert (await models.CallOrder.of(owner).fetch(first)).arguments == {"number": "+7"}


async def test_the_same_order_placed_at_once(database: Database) -> None:
    book = OrderBook(database)
    owner = await account()
    ids = await asyncio.gather(*(book.place(owner, "callback", {}, key="k") for _ in range(5)))
    assert len(set(ids)) == 1
    assert await models.CallOrder.all().count() == 1


async def test_an_order_belongs_to_its_transaction(database: Database) -> None:
    book = OrderBook(database)
    owner = await account()

    async def fail() -> None:
        async with database.transaction() as tx:
            await book.place(owner, "callback", {}, key="k", tx=tx)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await book.claim() == []


async def test_an_order_is_carried_out_once(database: Database) -> None:
    one, two = OrderBook(database), OrderBook(database)
    assert [*await one.claim(), *await two.claim()] == []
    owner = await account()
    for n in range(30):
        await one.place(owner, "callback", {"n": n}, key=str(n))
    taken = [*await one.claim(), *await two.claim(), *await one.claim()]
    assert [order.arguments["n"] for order in taken] == list(range(30))
    assert await one.finish(taken[0], {"said": "yes"})
    assert not await two.finish(taken[1])  # claimed by the other one
    assert await one.finish(taken[1], failed=True)
    done = await models.CallOrder.of(owner).order_by("id").limit(2)
    assert [(order.status, order.result) for order in done] == [("done", {"said": "yes"}), ("failed", {})]


async def test_an_order_of_a_dead_engine_is_taken_over(database: Database) -> None:
    dead, heir = OrderBook(database), OrderBook(database)
    owner = await account()
    assert [*await dead.claim(), *await heir.claim()] == []
    await dead.place(owner, "callback", {}, key="k")
    (order,) = await dead.claim(lease=timedelta(seconds=60))
    with clock.shifted(timedelta(seconds=50)):
        assert await heir.claim() == []
    with clock.shifted(timedelta(seconds=61)):
        assert [taken.id for taken in await heir.claim()] == [order.id]
    assert not await dead.finish(order)


async def test_on_sqlite_a_new_process_does_not_wait_for_leases_of_the_dead(database: Database) -> None:
    if database.dialect != "sqlite":
        pytest.skip("does not apply to PostgreSQL: several processes may live there, so leases run out by themselves there")
    dead, heir = OrderBook(database), OrderBook(database)
    await dead.place(await account(), "callback", {}, key="k")
    assert len(await dead.claim()) == 1
    assert len(await heir.claim()) == 1
    assert await heir.claim() == []


# doorbell -------------------------------------------------------------------------------------------------------------


async def test_a_ring_is_heard_by_its_listeners_only(database: Database) -> None:
    bell = Doorbell(database)
    async with bell.listen("live", 1) as one, bell.listen("live") as every, bell.listen("other", 1) as other:
        bell.ring("live", 1)
        assert await one.wait(10)
        assert await every.wait(10)
        bell.ring("live", 2)
        assert await every.wait(10)
        assert not await one.wait(0)
        assert not await other.wait(0)


async def test_a_ring_between_two_waits_is_not_lost(database: Database) -> None:
    bell = Doorbell(database)
    async with bell.listen("live", 1) as one:
        bell.ring("live", 1)
        bell.ring("live", 1)
        assert await one.wait(10)
        assert not await one.wait(0)


async def test_other_processes_hear(database: Database, database_settings: Settings) -> None:
    if database.dialect == "sqlite":
        pytest.skip("does not apply to SQLite, which means one process")
    here, there = Doorbell(database), Doorbell(database)
    await here.start()
    await there.start()
    await asyncio.wait_for(asyncio.gather(here.connected.wait(), there.connected.wait()), 20)
    async with there.listen("live", 7) as far, there.listen("live", 8) as wrong:
        while await far.wait(0):  # the ring of the connection itself
            pass
        await wrong.wait(0)
        here.ring("live", 7)
        assert await far.wait(20)
        assert not await wrong.wait(0)
    await here.stop()
    await there.stop()


# periodic jobs --------------------------------------------------------------------------------------------------------


@dataclass
class Work:
    name: str = "sample.sweep"
    every: timedelta = timedelta(minutes=10)
    ran: int = 0
    error: Exception | None = None
    gate: asyncio.Event | None = None
    entered: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def run(self) -> Callable[[], Awaitable[Any]]:
        return self._run

    async def _run(self) -> None:
        self.entered.set()
        if self.gate is not None:
            await self.gate.wait()
        self.ran += 1
        if self.error is not None:
            raise self.error


async def test_a_job_runs_once_per_period_wherever(database: Database) -> None:
    job = Work()
    one, two = Ticker(database, [job]), Ticker(database, [job])
    assert await one.run_if_due(job.name)
    assert not await one.run_if_due(job.name)
    assert not await two.run_if_due(job.name)
    with clock.shifted(timedelta(minutes=11)):
        assert await two.run_if_due(job.name)
    assert job.ran == 2


async def test_one_process_at_a_time(database: Database) -> None:
    slow = Work(gate=asyncio.Event())
    one, two = Ticker(database, [slow]), Ticker(database, [Work()])
    await two.run_if_due("sample.sweep")
    with clock.shifted(timedelta(minutes=11)):
        running = asyncio.create_task(one.run_if_due(slow.name))
        await asyncio.wait_for(slow.entered.wait(), 10)
        with clock.shifted(timedelta(minutes=4)):
            assert not await two.run_if_due("sample.sweep")
        assert slow.gate is not None
        slow.gate.set()
        assert await asyncio.wait_for(running, 10)


async def test_a_failing_job_is_logged_and_comes_again(database: Database) -> None:
    job = Work(error=ZeroDivisionError("oops"))
    ticker = Ticker(database, [job])
    assert await ticker.run_if_due(job.name)
    row = await models.JobLease.get(name=job.name)
    assert (row.error, row.claimed_by, row.lease_until) == ("ZeroDivisionError: oops", None, None)
    with clock.shifted(timedelta(minutes=11)):
        assert await ticker.run_if_due(job.name)


async def test_ticks_start_and_an_interrupted_job_is_due_again(database: Database) -> None:
    job = Work(every=timedelta(seconds=1), gate=asyncio.Event())
    ticker = Ticker(database, [job])
    ticker.start()
    await asyncio.wait_for(job.entered.wait(), 20)
    await ticker.stop()
    assert (job.ran, (await models.JobLease.get(name=job.name)).error) == (0, "interrupted")
    assert job.gate is not None
    job.gate.set()
    assert await Ticker(database, [job]).run_if_due(job.name)
