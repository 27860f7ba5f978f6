# SPDX-License-Identifier: Apache-2.0
"""Tasks of CallBack on both databases: one for each number, attempts exactly as often as was said, results, what is lost and found."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from engine import clock
from engine.db import Database, models
from engine.errors import NotFound
from engine.facts.ended import CallEnded
from engine.gates import Gates
from engine.jobs import OrderBook
from engine.plugin.testing import office, sip_user
from engine.settings import Settings
from engine.snapshot import Ref, Snapshot
from plugins.callback.facts import CallBackRequested
from plugins.callback.models import Attempt, Task
from plugins.callback.tasks import GIVEN_UP_AFTER, Caretaker, cancel, ended, forget, requested, visible
from tests.databases import migrated

CLIENT, DID, ANNA = "+79271234567", "+74951234567", Ref("core.user", 201)


@dataclass
class Desk:
    """As much of a Context as the caretaker needs, over real rows, with a clock of its own."""

    db: Database
    account: int
    monkeypatch: pytest.MonkeyPatch
    now: datetime = field(default_factory=clock.now)
    whole: Snapshot = field(default_factory=lambda: office((sip_user(201),), {}))
    gates: Gates = field(default_factory=Gates)

    def __post_init__(self) -> None:
        self.orders = OrderBook(self.db)
        self.monkeypatch.setattr(clock, "now", lambda: self.now)

    def snapshot(self, account: int) -> Snapshot:
        if account != self.account:
            raise NotFound
        return self.whole

    def transaction(self) -> Any:
        return self.db.transaction()

    async def tick(self, seconds: float = 0) -> None:
        self.now += timedelta(seconds=seconds)
        await Caretaker(self).run()  # type: ignore[arg-type]

    async def wishes(self, call: str = "in-1", **fields: Any) -> None:
        values = {"target": ANNA, "first": "client", "attempts": 2, "pause_seconds": 60, "delay_seconds": 10, **fields}
        async with self.db.transaction() as tx:
            await requested(CallBackRequested(account=self.account, call=call, at=self.now, number=CLIENT, did=DID, **values), tx)

    async def call_ends(
        self, call: str, *, answered: bool = False, direction: Any = "out", talked: bool = False, number: str = CLIENT
    ) -> None:
        async with self.db.transaction() as tx:
            record = await models.CallRecord.create(
                account_id=self.account, call_id=call, started_at=self.now, ended_at=self.now, direction=direction, using_db=tx
            )
            await models.CallLeg.create(
                account_id=self.account, call_id=record.id, uuid=f"{call}-b", reason="callback_client", started_at=self.now,
                answered_at=self.now if answered else None, using_db=tx,
            )  # fmt: skip
            fact = CallEnded(
                account=self.account, call=call, at=self.now, direction=direction, caller_number=number, started_at=self.now,
                ended_at=self.now, talked=talked, record_id=record.id,
            )  # fmt: skip
            await ended(fact, tx)

    async def task(self) -> Task:
        return await Task.get(account_id=self.account)

    async def order(self, number: int = 1) -> models.CallOrder:
        attempt = await Attempt.get(number=number)
        return await models.CallOrder.get(id=attempt.order_id)

    async def results(self) -> list[tuple[int, str]]:
        return [(a.number, a.result) for a in await Attempt.all().order_by("number")]


@pytest.fixture
async def desk(database_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    db = await migrated(database_settings, (("callback", "plugins.callback.models"),))
    try:
        account = await models.Account.create(number="1", title="Romashka", domain="romashka.example")
        yield Desk(db, account.id, monkeypatch)
    finally:
        await db.close()


@pytest.mark.feature("CB-1", "R24")
async def test_an_attempt_is_due_after_its_time_and_placed_once(desk: Desk) -> None:
    await desk.wishes()
    await desk.tick(9)
    assert not await models.CallOrder.all().count()
    await desk.tick(1)
    await desk.tick(1)
    (order,) = await models.CallOrder.all()
    assert order.kind == "callback.attempt"
    task = await desk.task()
    assert order.arguments == {"task": task.id, "number": CLIENT, "target": "core.user:201", "first": "client", "did": DID}
    assert (task.state, task.made, task.due_at) == ("calling", 1, None)
    assert (await Attempt.get()).call_id == f"order-{order.id}"


@pytest.mark.feature("R24")
async def test_a_second_wish_while_one_waits_is_the_same_task(desk: Desk) -> None:
    await desk.wishes("in-1")
    await desk.wishes("in-2", delay_seconds=999)
    task = await desk.task()
    assert (task.requests, task.request_call, task.due_at) == (2, "in-2", desk.now + timedelta(seconds=10))
    await desk.tick(10)
    await desk.wishes("in-3")  # while he is being called, too
    assert (await desk.task()).requests == 3


@pytest.mark.feature("CB-1", "R24")
async def test_attempts_end_with_success_or_with_their_number(desk: Desk) -> None:
    await desk.wishes()
    await desk.tick(10)
    await desk.call_ends(f"order-{(await desk.order()).id}")
    task = await desk.task()
    assert (task.state, task.due_at) == ("waiting", desk.now + timedelta(seconds=60))
    await desk.tick(59)
    assert (await desk.task()).made == 1
    await desk.tick(1)
    await desk.call_ends(f"order-{(await desk.order(2)).id}")
    assert await desk.results() == [(1, "no_answer"), (2, "no_answer")]
    task = await desk.task()
    assert (task.state, task.open_key, task.made) == ("failed", None, 2)
    await desk.tick(1000)
    assert await models.CallOrder.all().count() == 2
    await desk.wishes("in-9")  # and he may wait anew
    assert await Task.all().count() == 2


@pytest.mark.feature("R24")
async def test_a_client_who_answers_is_reached_whether_he_talked_or_not(desk: Desk) -> None:
    await desk.wishes()
    await desk.tick(10)
    await desk.call_ends(f"order-{(await desk.order()).id}", answered=True, direction="in")
    task = await desk.task()
    assert (task.state, task.open_key) == ("done", None)
    assert await desk.results() == [(1, "reached")]


@pytest.mark.feature("R24")
async def test_who_calls_in_and_talks_waits_no_longer(desk: Desk) -> None:
    await desk.wishes("in-1")
    await desk.call_ends("in-1", direction="in", talked=True)  # he had talked before he asked in the same call
    await desk.call_ends("in-2", direction="in")
    await desk.call_ends("in-3", direction="in", talked=True, number="+79990000000")
    await desk.call_ends("out-1", direction="out", talked=True)
    assert (await desk.task()).state == "waiting"
    await desk.call_ends("in-4", direction="in", talked=True)
    task = await desk.task()
    assert (task.state, task.open_key, task.due_at) == ("closed", None, None)
    await desk.tick(100)
    assert not await models.CallOrder.all().count()


@pytest.mark.feature("R24")
async def test_nobody_is_called_while_he_is_on_a_call_with_us(desk: Desk) -> None:
    await desk.wishes()
    live = await models.LiveCallRow.create(account_id=desk.account, call_id="in-5", updated_at=desk.now, state={"caller": CLIENT})
    await desk.tick(30)
    assert (await desk.task()).state == "waiting"
    await live.delete()
    await desk.tick()
    assert (await desk.task()).state == "calling"


@pytest.mark.feature("R24")
async def test_an_order_that_was_refused_is_no_attempt(desk: Desk) -> None:
    """No engine has carried it out in its time: he was not called, and is called now."""
    await desk.wishes(attempts=1)
    await desk.tick(10)
    await models.CallOrder.all().update(status="failed")
    await desk.tick()
    assert await desk.results() == [(1, "not_made")]
    await desk.tick()
    task = await desk.task()
    assert (task.state, task.made) == ("calling", 1)
    assert await desk.results() == [(1, "not_made"), (2, "")]


@pytest.mark.feature("R24")
async def test_an_engine_that_died_before_it_rang_made_no_attempt(desk: Desk) -> None:
    await desk.wishes(attempts=1)
    await desk.tick(10)
    order = await desk.order()
    await models.CallOrder.all().update(status="claimed")
    await desk.tick(3600)
    assert (await desk.task()).state == "calling"  # whoever has claimed it may still carry it out
    await models.CallOrder.all().update(status="done")
    live = await models.LiveCallRow.create(account_id=desk.account, call_id=f"order-{order.id}", updated_at=desk.now, state={})
    await desk.tick(3600)
    assert (await desk.task()).missing_since is None  # they talk
    await live.delete()
    await desk.tick()
    await desk.tick(GIVEN_UP_AFTER.total_seconds() - 1)
    assert await desk.results() == [(1, "")]
    await desk.tick(1)
    assert await desk.results() == [(1, "not_made")]
    await desk.tick()
    assert await desk.results() == [(1, "not_made"), (2, "")]


async def test_the_end_of_a_call_that_is_just_being_written_is_waited_for(desk: Desk) -> None:
    await desk.wishes(attempts=1)
    await desk.tick(10)
    order = await desk.order()
    await models.CallOrder.all().update(status="done")
    await desk.tick()
    await desk.call_ends(f"order-{order.id}", answered=True)
    await desk.tick(3600)
    assert await desk.results() == [(1, "reached")]
    assert (await desk.task()).state == "done"


@pytest.mark.feature("STA-6")
async def test_a_cancelled_task_is_called_no_more_and_its_attempt_ends_by_itself(desk: Desk) -> None:
    await desk.wishes()
    await desk.tick(10)
    await cancel(visible(desk.account, 0, True), (await desk.task()).id)
    await desk.call_ends(f"order-{(await desk.order()).id}")
    task = await desk.task()
    assert (task.state, task.due_at, task.open_key) == ("cancelled", None, None)
    assert await desk.results() == [(1, "no_answer")]
    await desk.tick(3600)
    assert await models.CallOrder.all().count() == 1
    with pytest.raises(NotFound):
        await cancel(visible(desk.account, 202, False), task.id)  # another employee's


async def test_whoever_is_gone_calls_nobody_back(desk: Desk) -> None:
    await desk.wishes(target=Ref("core.user", 999))
    await desk.tick(10)
    assert (await desk.task()).state == "failed"
    assert not await models.CallOrder.all().count()


async def test_an_erased_number_leaves_nothing(desk: Desk) -> None:
    await desk.wishes()
    await desk.tick(10)
    async with desk.db.transaction() as tx:
        await forget(desk.account, CLIENT, tx)
    assert not await Task.all().count()
    assert not await Attempt.all().count()
