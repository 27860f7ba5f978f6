# SPDX-License-Identifier: Apache-2.0
"""The process pool: results and errors come back, the loop goes on, a dead worker is replaced."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.heavy import Heavy


def divide(one: float, *, by: float) -> float:
    return one / by


def process() -> int:
    return os.getpid()


def die_once(marker: str) -> str:
    if not Path(marker).exists():
        Path(marker).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


@pytest.fixture
async def heavy() -> AsyncIterator[Heavy]:
    pool = Heavy(workers=1)
    yield pool
    await pool.close()


async def test_results_and_errors_come_back(heavy: Heavy) -> None:
    assert await heavy.run(divide, 6, by=2) == 3
    with pytest.raises(ZeroDivisionError):
        await heavy.run(divide, 1, by=0)
    assert await heavy.run(process) != os.getpid()


async def test_a_dead_worker_is_replaced(heavy: Heavy, tmp_path: Path) -> None:
    assert await asyncio.wait_for(heavy.run(die_once, str(tmp_path / "died")), 60) == "alive"
