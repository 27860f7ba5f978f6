# SPDX-License-Identifier: Apache-2.0
"""Deliveries: once per key, in lane order, retried with growing pauses, dead in the end, shared by any number of processes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from engine import clock
from engine.db import Database, models
from engine.errors import NotFound
from engine.outbox import Outbox, RetryLater, Undeliverable
from engine.outbox.outbox import ATTEMPTS, pause
from engine.settings import Settings


@dataclass
class Receiver:
    """A channel that keeps what it got and fails as told."""

    channel: str = "email"
    got: list[Any] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event | None = None

    @property
    def send(self) -> Callable[[Any], Awaitable[None]]:
        return self._send

    async def _send(self, payload: Any) -> None:
        self.entered.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)
        self.got.append(payload["n"])


@contextmanager
def at(moment: datetime) -> Iterator[None]:
    with clock.frozen(moment):
        yield


async def account(number: str = "1") -> int:
    return (await models.Account.create(number=number, title="x", domain=number)).id


async def owe(database: Database, outbox: Outbox, owner: int, *numbers: int, lane: str = "a", channel: str = "email") -> None:
    async with database.transaction() as tx:
        for n in numbers:
            await outbox.enqueue(owner, channel, lane, {"n": n}, key=f"{channel}/{lane}/{n}", tx=tx)


async def test_delivered_once_per_key(database: Database) -> None:
    receiver, rang = Receiver(), list[tuple[str, int]]()
    outbox = Outbox(database, [receiver], lambda topic, owner: rang.append((topic, owner)))
    owner, other = await account("1"), await account("2")
    await owe(database, outbox, owner, 1)
    await owe(database, outbox, owner, 1)
    await owe(database, outbox, other, 1)  # keys of different customers do not meet
    while await outbox.deliver_due():
        pass
    assert receiver.got == [1, 1]
    assert set(rang) == {("outbox", owner), ("outbox", other)}
    assert await outbox.forget(timedelta(days=1)) == 0
    with clock.shifted(timedelta(days=31)):
        assert await outbox.forget() == 2


async def test_rolled_back_with_its_transaction(database: Database) -> None:
    outbox = Outbox(database, [Receiver()])
    owner = await account()

    async def fail() -> None:
        async with database.transaction() as tx:
            await outbox.enqueue(owner, "email", "a", {}, key="k", tx=tx)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await models.OutboxRow.all().count() == 0


async def test_a_failure_holds_its_lane_back_and_no_other(database: Database) -> None:
    receiver = Receiver(errors=[ConnectionError("no route")])
    outbox = Outbox(database, [receiver])
    owner = await account()
    start = clock.now()
    with at(start):
        await owe(database, outbox, owner, 1, 2, lane="a")
        assert await outbox.deliver_due() == 1
        await owe(database, outbox, owner, 3, lane="b")
        while await outbox.deliver_due():
            pass
        assert receiver.got == [3]
    row = await models.OutboxRow.of(owner).order_by("id").first()
    assert row is not None
    assert (row.status, row.attempts, row.error) == ("pending", 1, "ConnectionError: no route")
    assert timedelta(seconds=4) < row.next_at - start < timedelta(seconds=6)
    with at(start + timedelta(seconds=7)):
        while await outbox.deliver_due():
            pass
    assert receiver.got == [3, 1, 2]


def test_pauses_grow_to_two_days() -> None:
    pauses = [pause(n).total_seconds() for n in range(1, ATTEMPTS)]
    assert 4.5 <= pauses[0] <= 5.5
    assert max(pauses) <= 6 * 3600 * 1.1
    assert 40 * 3600 < sum(pauses) < 56 * 3600


async def test_the_receiver_names_the_time(database: Database) -> None:
    receiver = Receiver(errors=[RetryLater(90)])
    outbox = Outbox(database, [receiver])
    owner = await account()
    start = clock.now()
    with at(start):
        await owe(database, outbox, owner, 1)
        await outbox.deliver_due()
    row = await models.OutboxRow.of(owner).get()
    assert (row.attempts, row.next_at - start) == (0, timedelta(seconds=90))
    with at(start + timedelta(seconds=89)):
        assert await outbox.deliver_due() == 0
    with at(start + timedelta(seconds=91)):
        assert await outbox.deliver_due() == 1
    assert receiver.got == [1]


async def test_dead_letters_leave_their_lane_and_can_be_tried_again(database: Database) -> None:
    receiver = Receiver(errors=[Undeliverable("no such mailbox")])
    outbox = Outbox(database, [receiver])
    owner, other = await account("1"), await account("2")
    await owe(database, outbox, owner, 1, 2)
    while await outbox.deliver_due():
        pass
    assert receiver.got == [2]
    (dead,) = await outbox.dead(owner)
    assert (dead.error, dead.attempts, dead.owed_at <= dead.given_up_at) == ("no such mailbox", 1, True)
    with pytest.raises(NotFound):
        await outbox.retry(other, dead.id)
    await outbox.retry(owner, dead.id)
    await outbox.deliver_due()
    assert receiver.got == [2, 1]
    with pytest.raises(NotFound):
        await outbox.retry(owner, dead.id)


async def test_given_up_after_the_last_attempt(database: Database) -> None:
    receiver = Receiver(errors=[OSError(str(n)) for n in range(ATTEMPTS)])
    outbox = Outbox(database, [receiver])
    owner = await account()
    moment = clock.now()
    with at(moment):
        await owe(database, outbox, owner, 1)
    for _ in range(ATTEMPTS):
        with at(moment):
            assert await outbox.deliver_due() == 1
        row = await models.OutboxRow.of(owner).get()
        moment = row.next_at + timedelta(seconds=1)
        if moment - row.created_at > timedelta(hours=47):
            await models.OutboxRow.filter(id=row.id).update(created_at=moment)
    assert row.status == "dead"
    assert row.attempts == ATTEMPTS


async def test_given_up_after_two_days(database: Database) -> None:
    receiver = Receiver(errors=[RetryLater(60), OSError()])
    outbox = Outbox(database, [receiver])
    owner = await account()
    await owe(database, outbox, owner, 1)
    with clock.shifted(timedelta(hours=49)):
        await outbox.deliver_due()
    assert len(await outbox.dead(owner)) == 1


async def test_an_expired_lease_is_taken_over_and_the_late_one_changes_nothing(database: Database) -> None:
    slow, quick = Receiver(gate=asyncio.Event()), Receiver(errors=[OSError("again")])
    one, two = Outbox(database, [slow]), Outbox(database, [quick])
    owner = await account()
    await owe(database, one, owner, 1)
    late = asyncio.create_task(one.deliver_due())
    await asyncio.wait_for(slow.entered.wait(), 10)
    assert await two.deliver_due() == 0
    with clock.shifted(timedelta(minutes=3)):
        assert await two.deliver_due() == 1
        assert slow.gate is not None
        slow.gate.set()
        await asyncio.wait_for(late, 10)
    row = await models.OutboxRow.of(owner).get()
    assert (row.status, row.attempts, row.error) == ("pending", 1, "OSError: again")


async def test_other_channels_are_left_alone(database: Database) -> None:
    outbox = Outbox(database, [Receiver("telegram")])
    owner = await account()
    await owe(database, outbox, owner, 1, channel="email")
    assert await outbox.deliver_due() == 0
    outbox.add(Receiver("email"))
    assert await outbox.deliver_due() == 1


async def test_a_slow_receiver_holds_up_nobody(database: Database) -> None:
    slow, quick = Receiver("webhook", gate=asyncio.Event()), Receiver("email")
    rang = asyncio.Event()
    outbox = Outbox(database, [slow, quick], lambda topic, owner: rang.set())
    owner = await account()

    async def done(count: int) -> None:
        while await models.OutboxRow.filter(status="done").count() < count:
            await rang.wait()
            rang.clear()

    worker = asyncio.create_task(outbox.run())
    await owe(database, outbox, owner, 1, channel="webhook")
    await asyncio.wait_for(slow.entered.wait(), 10)
    await owe(database, outbox, owner, 2, 3, channel="email")
    await asyncio.wait_for(done(2), 20)
    assert quick.got == [2, 3]
    assert slow.got == []
    assert slow.gate is not None
    slow.gate.set()
    await asyncio.wait_for(done(3), 20)
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)


WORKER = """
import asyncio, sys
from engine.db import Database
from engine.outbox import Outbox
from engine.settings import Core, Settings
from engine.settings import Database as DatabaseSettings

class Out:
    channel = "email"
    async def send(self, payload):
        await asyncio.sleep(0)

async def main(state, url):
    db = await Database.open(Settings(core=Core(state=state), database=DatabaseSettings(url=url)))
    outbox = Outbox(db, [Out()])
    sys.stdin.readline()
    idle = 0
    while idle < 5:
        rows = await outbox.claim()
        for row in rows:
            print(row.lane, row.payload["n"], flush=True)
        await asyncio.gather(*(outbox._deliver(row) for row in rows))
        idle = 0 if rows else idle + 1
    await db.close()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("lanes", [50])
async def test_three_processes_take_each_row_once_in_lane_order(database: Database, database_settings: Settings, lanes: int) -> None:
    owner = await account()
    now = clock.now()
    rows = [
        models.OutboxRow(
            account_id=owner, channel="email", lane=str(n % lanes), key=str(n), payload={"n": n}, next_at=now, created_at=now
        )
        for n in range(1000)
    ]
    await models.OutboxRow.bulk_create(rows)
    workers = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", WORKER, str(database_settings.state), database_settings.database.url,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(3)
    ]  # fmt: skip
    outputs = await asyncio.wait_for(asyncio.gather(*(worker.communicate(b"go\n") for worker in workers)), 120)
    assert [worker.returncode for worker in workers] == [0, 0, 0]
    taken = [line.split() for out, _ in outputs for line in out.decode().splitlines()]
    assert len(taken) == 1000
    assert len({n for _, n in taken}) == 1000
    assert await models.OutboxRow.filter(status="done").count() == 1000
    for out, _ in outputs:  # a process that sees a lane twice sees it in order; so does the database for all together
        seen: dict[str, int] = {}
        for lane, n in (line.split() for line in out.decode().splitlines()):
            assert seen.get(lane, -1) < int(n)
            seen[lane] = int(n)
    done: dict[str, datetime] = {}
    for row in await models.OutboxRow.all().order_by("id"):
        assert row.done_at is not None
        assert done.get(row.lane, row.done_at) <= row.done_at
        done[row.lane] = row.done_at
