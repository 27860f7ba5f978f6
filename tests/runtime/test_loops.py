# SPDX-License-Identifier: Apache-2.0
"""Loops that fail are begun again, and the process says that it is not ready meanwhile."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from engine.db import Database, models
from engine.facts.spool import Spool
from engine.facts.writer import FactWriter
from engine.runtime.context import RuntimeContext
from engine.runtime.loops import Loops
from tests.facts.test_spool import record


async def until(seen: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not seen():
            await asyncio.sleep(0)


async def test_a_loop_that_fails_is_begun_again() -> None:
    loops = Loops(first_pause=0.0, steady=0.0)
    begun, well = 0, asyncio.Event()

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun < 3:
            raise OSError(errno.ENOSPC, "the disk is full")
        well.set()
        await asyncio.Event().wait()

    task = loops.spawn("journal", work)
    await asyncio.wait_for(well.wait(), 10)
    assert begun == 3
    await until(lambda: not loops.down)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


async def test_what_is_down_makes_the_process_unready() -> None:
    ctx = RuntimeContext(None, None, SimpleNamespace(reachable=reachable), None, None, None, None)  # type: ignore[arg-type]
    served = asyncio.Event()
    ctx.loops, ctx.serving = Loops(first_pause=3600.0), served.is_set
    assert await ctx.health() == {"database": True, "calls": False, "work": True}
    served.set()

    async def fails() -> None:
        raise OSError(errno.ENOSPC, "the disk is full")

    task = ctx.loops.spawn("journal", fails)
    await until(lambda: ctx.loops.down == {"journal"})
    assert await ctx.health() == {"database": True, "calls": True, "work": False}
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not ctx.loops.down


async def reachable() -> bool:
    return True


async def test_work_that_is_done_is_not_begun_again() -> None:
    loops, done = Loops(), 0

    async def work() -> None:
        nonlocal done
        done += 1

    await loops.spawn("bot", work)
    assert done == 1
    assert not loops.down


async def test_records_are_written_once_the_state_disk_has_room_again(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = (await models.Account.create(number="1", title="x", domain="x")).id
    spool, writer, loops = Spool.open(tmp_path), FactWriter(database), Loops(first_pause=0.0, longest_pause=0.0)
    full: list[Any] = []
    real = Path.write_text

    def write_text(path: Path, *words: Any, **more: Any) -> int:
        if len(full) < 3:
            full.append(path)
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(path, *words, **more)

    monkeypatch.setattr(Path, "write_text", write_text)
    task = loops.spawn("journal", lambda: writer.run(spool))
    spool.ended(record("a", owner))
    await until(lambda: not spool.behind)
    spool.ended(record("b", owner))
    await until(lambda: not spool.behind)
    assert len(full) == 3
    assert sorted(row.call_id for row in await models.CallRecord.all()) == ["a", "b"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    spool.close()
