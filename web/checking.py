# SPDX-License-Identifier: Apache-2.0
"""Checks of settings that take a while, done beside the cabinet's other work; kept in memory until the configuration changes."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from engine.sdk import Checked, Context, Replay, Snapshot, beside, checking, clock, last_calls, prechecking

MOST_KEPT: Final = 16


@dataclass(frozen=True, slots=True)
class Report:
    """What was found at `at`; `before` and `replay` when the last calls were compared with an older revision."""

    at: datetime
    snapshot: Snapshot
    checked: Checked
    before: Snapshot | None = None
    replay: Replay | None = None


@dataclass(slots=True, eq=False)
class Work:
    """One check under way or done. Hours of the week and calls: how many have been looked at, of how many."""

    task: asyncio.Task[Report] = field(init=False)
    hours: tuple[int, int] = (0, 0)
    calls: tuple[int, int] = (0, 0)

    def looked(self, done: int, of: int) -> None:
        self.hours = (done, of)

    def called(self, done: int) -> None:
        self.calls = (done, self.calls[1])


Key = tuple[int, int, int]
"""Account, its revision, the revision compared with (0: none)."""


class Checks:
    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._works: dict[Key, Work] = {}

    async def report(self, account: int, since: int, patience: float) -> Report | Work:
        """The report, or the work on it when it takes longer than `patience` seconds. NotFound when there is no such revision."""
        key = (account, self._ctx.snapshot(account).revision, since)
        work = self._works.get(key)
        if work is None:
            work = await self._begin(key)
        await asyncio.wait({work.task}, timeout=patience)
        if not work.task.done():
            return work
        if work.task.cancelled():  # somebody wants it anew
            return await self.report(account, since, patience)
        if work.task.exception() is not None:
            self._works.pop(key, None)
        return work.task.result()

    def forget(self, account: int) -> None:
        """Look at everything anew when asked next."""
        for key in [key for key in self._works if key[0] == account]:
            self._works.pop(key).task.cancel()

    async def _begin(self, key: Key) -> Work:
        account, _, since = key
        snapshot = self._ctx.snapshot(account)
        before = await self._ctx.snapshot_at(account, since) if since else None
        known = self._works.get(key)
        if known is not None:  # another visitor was faster
            return known
        for other in [k for k in self._works if k[0] == account and k[1] != key[1]]:
            self._works.pop(other).task.cancel()
        while len(self._works) >= MOST_KEPT:
            self._works.pop(next(iter(self._works))).task.cancel()
        work = self._works[key] = Work()
        work.task = asyncio.create_task(self._check(work, snapshot, before), name=f"check of account {account}")
        return work

    async def _check(self, work: Work, snapshot: Snapshot, before: Snapshot | None) -> Report:
        registry, at = self._ctx.registry, clock.now()
        checked = await beside(checking(snapshot, registry.actions(), registry.parts(), at, work.looked))
        if before is None:
            return Report(at, snapshot, checked)
        calls = await last_calls(snapshot.account.id)
        work.calls = (0, len(calls))
        replay = await beside(prechecking(before, snapshot, registry.actions(), calls, work.called))
        return Report(at, snapshot, checked, before, replay)

    async def close(self) -> None:
        works, self._works = list(self._works.values()), {}
        for work in works:
            work.task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await work.task
