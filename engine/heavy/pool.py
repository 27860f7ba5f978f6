# SPDX-License-Identifier: Apache-2.0
"""One process pool for the whole installation; opened by the runtime, used by hosts and plugins."""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import ParamSpec, TypeVar

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


class Heavy:
    """Runs plain functions in worker processes. They start with the first task and end with `close`."""

    def __init__(self, workers: int = 0) -> None:
        """`workers` 0: one less than the machine has cores, at least one."""
        self._workers = workers or max(1, (os.cpu_count() or 2) - 1)
        self._executor: ProcessPoolExecutor | None = None

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
    """In a worker: Ctrl-C is the parent's business; CPU work gives way to calls."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(5)
