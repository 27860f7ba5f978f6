# SPDX-License-Identifier: Apache-2.0
"""What becomes of calls in the journal that nobody can take up."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from engine import clock
from engine.calls.call import Leg
from engine.calls.leg import LegState
from engine.calls.live import LiveCall
from engine.calls.reception import Ending
from engine.db import Database, models
from engine.facts.record import TraceStep
from engine.facts.spool import Spool
from engine.plugin.testing import office
from engine.runtime.journal import SpoolJournal
from engine.settings import Core, Settings
from tests.engine_calls.floor import Floor
from tests.facts.test_spool import NOW, leg, record


async def test_an_unreadable_call_is_closed_after_a_day_as_far_as_it_is_known(database: Database, tmp_path: Path) -> None:
    owner = (await models.Account.create(number="1", title="x", domain="x")).id
    spool = Spool.open(tmp_path / "spool")
    spool.opened("a", owner, NOW, {"direction": "sideways", "caller": {"number": "+79271234567", "dialled": "+74951234567"}})
    spool.step("a", TraceStep(at=2000, what="enters"))
    spool.leg("a", leg("a1"))
    spool.close()
    journal = SpoolJournal(database, Settings(core=Core(state=str(tmp_path))), [], lambda topic, account: None)
    journal.open()
    with clock.frozen(NOW + timedelta(hours=23)):
        assert not journal.give_up("a", ())
    with clock.frozen(NOW + timedelta(hours=25)):
        with pytest.raises(msgspec.ValidationError):
            journal.open_call("a")
        assert not journal.give_up("a", ["a1"])
        assert journal.give_up("a", ())
        assert journal.give_up("a", ())
    await journal.drained()
    row = await models.CallRecord.of(owner).get(call_id="a").prefetch_related("legs")
    assert (row.caller_number, row.dialled) == ("+79271234567", "+74951234567")
    assert (row.cause, row.ended_at) == ("ENGINE_LOST", NOW + timedelta(seconds=2))
    assert [item.cause for item in row.legs] == ["ENGINE_LOST"]
    journal.close()
    journal.open()
    assert not journal.open_calls()
    journal.close()


async def test_what_cant_be_tried_again_does_not_hold_up_the_journal(
    database: Database, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    owner = (await models.Account.create(number="1", title="x", domain="x")).id
    journal = SpoolJournal(database, Settings(core=Core(state=str(tmp_path))), [], lambda topic, account: None)
    journal.open()
    (tmp_path / "spool" / "rejected.jsonl").mkdir()
    journal.spool.ended(record("a", owner))
    task = asyncio.create_task(journal.run())
    async with asyncio.timeout(10):
        while journal.spool.behind:
            await asyncio.sleep(0)
    assert await models.CallRecord.all().count() == 1
    assert any(r.levelno == logging.ERROR for r in caplog.records)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    journal.close()


async def test_a_leg_first_seen_when_it_was_answered_stays_what_it_is(database: Database, tmp_path: Path) -> None:
    journal = SpoolJournal(database, Settings(core=Core(state=str(tmp_path))), [], lambda topic, account: None)
    journal.open()
    call = Floor(office((), {})).call("a", _parked)
    journal.opened(call)
    mobile = LegState(Leg("m", "Ivan", None, 5, True), "out", "forward", NOW, trunk=3, number="+79270000000", answered_at=NOW)
    for state in (mobile, mobile):
        journal.leg(call, state)
    journal.close()
    journal.open()
    found = journal.open_call("a").legs["m"]
    assert (found.leg.external, found.number, found.answered_at) == (True, "+79270000000", NOW)
    journal.close()


async def test_an_engine_lives_while_the_database_is_away(database: Database, tmp_path: Path) -> None:
    journal = SpoolJournal(database, Settings(core=Core(state=str(tmp_path))), [], lambda topic, account: None)
    journal.open()
    moment = clock.now() + timedelta(hours=1)
    with clock.frozen(moment):  # `run` is not even begun
        signs = asyncio.create_task(journal.stay_alive())
        await asyncio.sleep(0)
    signs.cancel()
    journal.close()
    journal.open()
    found = journal.last_alive()
    assert found is not None
    assert abs(found - moment) < timedelta(seconds=1)
    journal.close()


async def _parked(call: LiveCall) -> Ending:
    await asyncio.Event().wait()
    raise AssertionError("nobody wakes it")
