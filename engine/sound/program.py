# SPDX-License-Identifier: Apache-2.0
"""Programs that make sound for us: run without input, ended when they take too long; conversion and speech use them."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL, PIPE


async def run(*command: str, seconds: float) -> tuple[int, str]:
    """Exit code and what it complained of, for the log: English, and with the places of our files. TimeoutError when it had to be ended."""
    process = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE)
    try:
        async with asyncio.timeout(seconds):
            _, complaint = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    return await process.wait(), complaint.decode("utf-8", "replace").strip()[-500:]
