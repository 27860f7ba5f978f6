# SPDX-License-Identifier: Apache-2.0
"""The whole PBX as a process of its own, so that a test may kill it; run by tests.calls.apart with a file of settings."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec

from engine import log
from engine.runtime import Runtime
from engine.settings import ALL_ROLES, Settings


async def work(settings: Settings) -> None:
    runtime = Runtime(settings, ALL_ROLES)
    tasks: list[asyncio.Task[None]] = []

    async def tell() -> None:
        assert runtime.engine is not None
        await runtime.engine.connected.wait()
        print("serving", flush=True)

    await runtime.run_until_stopped(started=lambda running: tasks.append(asyncio.create_task(tell())))


if __name__ == "__main__":
    log.setup("INFO", "human")
    asyncio.run(work(msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Settings)))
