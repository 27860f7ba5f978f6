# SPDX-License-Identifier: Apache-2.0
"""Twenty-four virtual hours of a customer: calls at random, schedules that change, things made and deleted, ways back, under running calls.

Nothing is ever left pointing at nothing, no call and no save fails for another reason than a refusal in words, what comes back is what it
was to the byte, and at midnight the whole goes as one file into another installation. Whatever happens to the settings while a call rings,
plays, listens, talks, holds, takes a message or is moved about, and whether or not its engine dies meanwhile: it ends with a known end,
leaves no line busy and no recording running, and its record, with what its caller has left, is in the database.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from engine import clock
from engine.calls.ordered import Ordered
from engine.db import models
from engine.jobs.orders import OrderBook
from engine.rehearsal import NotAdmitted, Question, Script, Typed
from engine.rehearsal.front_door import arrive
from engine.routing.carry_out import CALL_BACK
from engine.runtime.journal import SpoolJournal
from engine.settings import Core, Settings
from plugins.callback.models import Attempt
from tests.day.changes import Changes
from tests.day.morning import PIN, begin
from tests.day.town import Town
from tests.portable.houses import fresh_account, installation
from tests.web.house import SYSTEM, Customer, TestContext, opened

MIDNIGHT = datetime(2026, 1, 14, 0, 0, tzinfo=ZoneInfo("Europe/Moscow")).astimezone(UTC)
TICK = timedelta(minutes=20)
CALLS_EACH = 8
CLIENTS = ("+79271234567", "+74957654321", "+79161112233", "+79031112234", "")
DONE_IN_TALKS = (
    "hold", "hold", "hold", "resume", "keys *1202", "keys *1203", "keys *1300", "keys *1301", "keys *2201", "keys *2203", "keys *2204",
    "keys *2300", "keys *2301", "keys *3", "keys *4", "keys *5", "keys *6", "keys 12", "202", "300", "+79161112233", "hangs up",
)  # fmt: skip
ENOUGH = {
    "ended": 400, "saved": 80, "refused": 8, "back": 2, "back with one": 1, "deleted": 20, "deleted under a call": 10, "taken up": 15,
    "order callback": 5, "order callback.attempt": 10, "during ringing": 40, "during prompt": 10, "during menu": 10, "during talk": 20,
    "during hold": 1, "during transfer": 1, "during voicemail": 5, "during fax": 5,
}  # fmt: skip


class Day:
    def __init__(self, ctx: TestContext, account: int, journal: SpoolJournal, seed: int) -> None:
        self.ctx, self.account, self.journal = ctx, account, journal
        self.chance = random.Random(seed)
        self.town = Town(ctx, account, journal, MIDNIGHT, seed)
        self.changes = Changes(ctx, account, self.chance, self.town.calls, seen=self.town.seen)
        (job,) = ctx.registry.state("callback").plugin.jobs()  # type: ignore[union-attr]
        self.callbacks = job

    async def hour_by_hour(self) -> None:
        at = MIDNIGHT + TICK
        while at < MIDNIGHT + timedelta(hours=24):
            await self._until(at - timedelta(seconds=61))
            for seconds in sorted(self.chance.uniform(-60, 0) for _ in range(CALLS_EACH)):
                self.town.until(at + timedelta(seconds=seconds))
                self._comes()
            await self._until(at)
            await self._somebody_wants_a_call(at)
            await self.changes.anything()
            if self.changes.little_is_left:
                await self.changes.save(self.changes.back_to_the_morning)
            dies = self.chance.random() < 0.3
            if dies:
                self.town.engine_dies()
            await self.changes.under_their_feet()
            if dies:
                self.town.now += timedelta(seconds=self.chance.choice([0, 0, 3, 20]))
                self.town.engine_starts()
            for seconds in (1, 60, 300):
                await self._until(at + timedelta(seconds=seconds))
            at += TICK
        for hour in range(24, 30):  # whoever is to be called back is
            await self._until(MIDNIGHT + timedelta(hours=hour))
        self.town.until(MIDNIGHT + timedelta(hours=31))
        await self.journal.drained()

    async def _until(self, moment: datetime) -> None:
        """The calls go on; then those who wait to be called back are."""
        self.town.until(moment)
        with clock.frozen(moment):
            await self.journal.drained()
            await models.LiveCallRow.of(self.account).delete()
            for call in self.town.calls:
                state = {"caller": call.caller.number}
                await models.LiveCallRow.create(account_id=self.account, call_id=call.id, state=state, updated_at=moment)
            await self.callbacks.run()
            for order in await self.ctx.orders.claim():
                assert await self.ctx.orders.finish(order, {"call": f"order-{order.id}"})
                action, ordered = self.ctx.registry.orders()[order.kind], Ordered(order.kind, dict(order.arguments))
                self.town.is_ordered(f"order-{order.id}", action, ordered, self._script(leaves=None))
                self.town.seen[f"order {order.kind}"] += 1

    async def _somebody_wants_a_call(self, at: datetime) -> None:
        """Of the bot, to a client; he may be deleted before it is carried out."""
        users = [u.id for u in self.changes.now.core.users]
        if users and self.chance.random() < 0.3:
            wish = {"user": self.chance.choice(users), "number": CLIENTS[2], "did": ""}
            with clock.frozen(at):
                await self.ctx.orders.place(self.account, CALL_BACK, wish, key=f"{at}")

    def _comes(self) -> None:
        now, outside = self.changes.now, self.chance.random() < 0.75
        phones = [c.address for u in now.core.users for c in u.contacts if c.kind == "sip"]
        if outside:
            numbers, callers = [d.number for d in now.core.dids], list(CLIENTS)
        else:
            numbers, callers = [*now.extensions, "*7", "*7", "+79161112233", *(d.number for d in now.core.dids)], phones
        if not numbers or not callers:
            return
        caller = self.chance.choice(callers)
        question = Question(self.chance.choice(numbers), caller or None)
        try:
            arrival = arrive(now, question)
        except NotAdmitted:
            self.town.seen["not admitted"] += 1
            return
        self.town.comes_in(arrival, self._script(leaves=self.chance.choice([10.0, 60.0, 200.0, 400.0])))

    def _script(self, *, leaves: float | None) -> Script:
        chance, now = self.chance, self.changes.now
        words = [PIN + "#", "89161112233#", *now.extensions, *"0123456789*#"]
        labels = [c.label for u in now.core.users for c in u.contacts]
        talk = zip(sorted(chance.uniform(1, 90) for _ in range(5)), chance.choices(DONE_IN_TALKS, k=5), strict=True)
        return Script(
            answers={label: (chance.uniform(1, 15), "answer") for label in labels if chance.random() < 0.6},
            others=chance.choice([(6.0, "answer"), (2.0, "USER_BUSY"), (float("inf"), "answer")]),
            typed=tuple(Typed(chance.choice(words), chance.uniform(0.5, 6)) for _ in range(4)),
            keys=[(60.0 + n * 0.3, key) for n, key in enumerate(chance.choice(["", "*1202", "*2203", "*4"]))],
            caller_leaves=leaves, talk=tuple(talk), talk_seconds=chance.choice([30.0, 120.0, 240.0]), alerts=0.5, unanswered_limit=50.0,
            speaks_seconds=chance.choice([0.0, 5.0, 60.0]), fax_pages=chance.choice([0, 1, 3]),
            absent=frozenset(chance.sample(labels, len(labels) // 8)),
        )  # fmt: skip

    async def nothing_is_left(self) -> None:
        """Of the calls, but their records and what their callers have left."""
        town = self.town
        assert not town.calls
        assert not +town.contacts
        assert not +town.lines
        ids = [row.call_id for row in await models.CallRecord.of(self.account).only("call_id")]
        assert len([id for id in ids if id.startswith(("call-", "order-"))]) == town.seen["ended"]
        assert not await models.CallOrder.of(self.account).exclude(status="done").exists()
        assert not await Attempt.of(self.account).filter(result="").exists()
        assert not await models.FactRow.filter(failed__isnull=False).exists()
        assert not list(self.journal.spool.rejected())


@asynccontextmanager
async def living(folder: Path, customer: Customer, seed: int) -> AsyncIterator[Day]:
    async with opened(folder) as ctx:
        ctx.orders = OrderBook(ctx.db)  # type: ignore[assignment]
        ctx.enqueue = ctx.outbox.enqueue  # type: ignore[method-assign]
        await models.User.of(customer.id).filter(id=customer.users["admin"]).update(is_owner=True)
        await begin(ctx, customer)
        await models.LiveCallRow.of(customer.id).delete()
        journal = SpoolJournal(ctx.db, ctx.settings, [s for _, s in ctx.registry.subscribers()], ctx.ring)
        journal.open()
        try:
            yield Day(ctx, customer.id, journal, seed)
        finally:
            journal.close()


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_day(furnished: tuple[Path, tuple[Customer, Customer]], tmp_path: Path, seed: int) -> None:
    await a_day(furnished, tmp_path, seed)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("seed", range(3, 23))
async def test_many_days(furnished: tuple[Path, tuple[Customer, Customer]], tmp_path: Path, seed: int) -> None:
    await a_day(furnished, tmp_path, seed)


async def a_day(furnished: tuple[Path, tuple[Customer, Customer]], tmp_path: Path, seed: int) -> None:
    source, (one, _) = furnished
    shutil.copytree(source, tmp_path / "source")
    async with living(tmp_path / "source", one, seed) as day:
        ctx, changes = day.ctx, day.changes
        changes.files[changes.now.revision] = await ctx.export_account(one.id, with_secrets=True)
        await day.hour_by_hour()
        await day.nothing_is_left()
        last = await ctx.export_account(one.id, with_secrets=True)
        for number in day.chance.sample(sorted(changes.files), 10):  # what was written down is what was there
            assert (await ctx.snapshot_at(one.id, number)).revision == number
        seen = day.town.seen
    assert {name: seen[name] for name in ENOUGH if seen[name] < ENOUGH[name]} == {}, seen
    async with installation(Settings(core=Core(state=str(tmp_path / "elsewhere")))) as ctx:
        account = await fresh_account(ctx)
        await ctx.import_account(account, SYSTEM, last)
        assert await ctx.export_account(account, with_secrets=True) == last
