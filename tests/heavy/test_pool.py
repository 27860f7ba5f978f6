# SPDX-License-Identifier: Apache-2.0
"""The process pool: results and errors come back, the loop goes on, a dead worker is replaced."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.heavy import Heavy, heavily, opened
from engine.people import hash_password, verify_password


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


async def test_what_is_heavy_goes_to_the_open_pool_and_to_a_thread_without_one() -> None:
    assert await heavily(process) == os.getpid()
    async with opened(workers=1):
        assert await heavily(process) != os.getpid()
    assert await heavily(process) == os.getpid()


async def test_passwords_are_hashed_in_the_pool() -> None:
    async with opened(workers=1) as pool:
        kept = await hash_password("zelenyi-kot-5")
        assert await verify_password(kept, "zelenyi-kot-5")
        assert not await verify_password(kept, "zelenyi-kot-6")
        assert not await verify_password("no hash", "zelenyi-kot-5")
        assert not await verify_password(None, "zelenyi-kot-5")
        assert pool.started


KILLED = """
import asyncio, os
from engine.heavy import Heavy
async def main():
    print(await Heavy(workers=1).run(os.getpid), flush=True)
    await asyncio.Event().wait()
if __name__ == "__main__":
    asyncio.run(main())
"""


def test_workers_do_not_outlive_a_killed_process(tmp_path: Path) -> None:
    script = tmp_path / "killed.py"
    script.write_text(KILLED, "utf-8")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, env=environment) as parent:
        assert parent.stdout is not None
        worker = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
        gone, _, _ = select.select([worker], [], [], 20)
        os.close(worker)
    assert gone
