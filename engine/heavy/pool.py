# SPDX-License-Identifier: Apache-2.0
"""One process pool for a process that serves calls or pages; opened by the runtime, used by whoever has heavy work: `heavily(work, …)`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import ParamSpec, TypeVar

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

MOST_WORKERS = 4
"""Few on purpose: a password hash takes 64 MB for its 50 ms, and strangers decide how many are asked for at once."""


class Heavy:
    """Runs plain functions in worker processes. They start with the first task and end with `close`."""

    def __init__(self, workers: int = 0) -> None:
        """`workers` 0: one less than the machine has cores, one to four."""
        self._workers = workers or max(1, min(MOST_WORKERS, (os.cpu_count() or 2) - 1))
        self._executor: ProcessPoolExecutor | None = None

    @property
    def started(self) -> bool:
        return self._executor is not None

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """`work(*args, **kwargs)` in a worker: a module-level function with picklable arguments and result.

        Its exception is raised here. When a worker dies (out of memory), the work is tried once more in a fresh pool;
        so it must do no harm when it runs twice.
        """
        executor = self._ready()
        try:
            return await asyncio.get_running_loop().run_in_executor(executor, partial(work, *args, **kwargs))
        except BrokenProcessPool:
            log.warning("a worker process died during %s; trying once more", getattr(work, "__qualname__", work))
            if self._executor is executor:
                self._executor = None
                executor.shutdown(wait=False)
        return await asyncio.get_running_loop().run_in_executor(self._ready(), partial(work, *args, **kwargs))

    def _ready(self) -> ProcessPoolExecutor:
        if self._executor is None:
            # forkserver: a fork of this process would copy its threads' locks and its open sockets
            context = multiprocessing.get_context("forkserver")
            self._executor = ProcessPoolExecutor(self._workers, mp_context=context, initializer=_begin)
        return self._executor

    async def close(self) -> None:
        """End the workers; what still runs is finished first, what waits is dropped."""
        executor, self._executor = self._executor, None
        if executor is not None:
            await asyncio.to_thread(executor.shutdown, wait=True, cancel_futures=True)


def _begin() -> None:
    """In a worker: Ctrl-C is the parent's business; CPU work gives way to calls; nothing outlives a killed parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(5)
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    """Workers hold both ends of the pool's pipes, so that they would never see it close."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


_pool: Heavy | None = None


@contextlib.asynccontextmanager
async def opened(workers: int = 0) -> AsyncIterator[Heavy]:
    """The pool of this process, inside the block."""
    global _pool
    before, _pool = _pool, Heavy(workers)
    try:
        yield _pool
    finally:
        pool, _pool = _pool, before
        await pool.close()


async def heavily(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """`work(*args, **kwargs)` in the pool, as Heavy.run says; in a thread where no pool is open (a command: nobody waits)."""
    if _pool is not None:
        return await _pool.run(work, *args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)
