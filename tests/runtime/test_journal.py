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
from engine.db import Database, models
from engine.facts.record import TraceStep
from engine.facts.spool import Spool
from engine.runtime.journal import SpoolJournal
from engine.settings import Core, Settings
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
