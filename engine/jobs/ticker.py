# SPDX-License-Identifier: Apache-2.0
"""Periodic work of core and plugins: a tick in every process, a lease in a row, so that one process at a time runs each job."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any, Protocol

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from tortoise.exceptions import IntegrityError
from tortoise.queryset import QuerySet

from engine import clock
from engine.db import Database, is_away, models
from engine.db.lease import placeholders, void_old

log = logging.getLogger(__name__)

_LEASE = timedelta(minutes=5)


class Work(Protocol):
    """What the ticker needs of a plugin's Job."""

    @property
    def name(self) -> str: ...
    @property
    def every(self) -> timedelta: ...
    @property
    def run(self) -> Callable[[], Awaitable[None]]: ...


class Ticker:
    """Runs the jobs of this process; state lies in rows, so several processes and restarts do no harm."""

    def __init__(self, db: Database, jobs: Sequence[Work]) -> None:
        self._db = db
        self._jobs = {job.name: job for job in jobs}
        self._name = secrets.token_hex(8)
        self._scheduler = AsyncIOScheduler(timezone="UTC")
        self._voided = False
        self._running: set[asyncio.Task[bool]] = set()

    def start(self) -> None:
        for job in self._jobs.values():
            # the row decides whether it is time; several looks per period keep the rhythm after a process has died
            seconds = max(1.0, min(job.every.total_seconds() / 2, 30.0))
            self._scheduler.add_job(self._tick, "interval", [job], seconds=seconds, coalesce=True, max_instances=1, misfire_grace_time=None)
        self._scheduler.start()

    async def stop(self) -> None:
        """Start nothing more and cancel what runs; an interrupted job is due again at once."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _tick(self, job: Work) -> None:
        task = asyncio.create_task(self.run_if_due(job.name), name=f"job {job.name}")
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        await asyncio.wait({task})
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("job %s can't be run", job.name, exc_info=error)

    async def run_if_due(self, name: str) -> bool:
        """Run the job when its period has passed and nobody else runs it; True when it ran. Its errors are logged and kept."""
        job = self._jobs[name]
        try:
            if not await self._take(job):
                return False
        except Exception as error:
            if not is_away(error):
                raise
            log.warning("job %s waits: database away", name)
            return False
        failed = ""
        renewing = asyncio.create_task(self._renew(name))
        try:
            await job.run()
        except asyncio.CancelledError:
            await self._give_back(name, error="interrupted", again=True)
            raise
        except Exception as error:  # the edge of a plugin: its error stays with its job
            log.exception("job %s failed", name)
            failed = f"{type(error).__name__}: {error}"
        finally:
            renewing.cancel()
        await self._give_back(name, error=failed)
        return True

    async def _take(self, job: Work) -> bool:
        connection, now = self._db.connection, clock.now()
        if not self._voided:
            await void_old(models.JobLease, connection, mine=self._name)
            self._voided = True
        if not await models.JobLease.filter(name=job.name).using_db(connection).exists():
            try:
                await models.JobLease.create(name=job.name, using_db=connection)
            except IntegrityError:
                pass  # another process was quicker
        statement = placeholders(
            "UPDATE job_lease SET claimed_by = ?, lease_until = ?, last_run = ? WHERE name = ? "
            "AND (lease_until IS NULL OR lease_until <= ?) AND (last_run IS NULL OR last_run <= ?) RETURNING name",
            connection.capabilities.dialect,
        )
        taken = await connection.execute_query_dict(statement, [self._name, now + _LEASE, now, job.name, now, now - job.every * 0.9])
        return bool(taken)

    async def _renew(self, name: str) -> None:
        while True:
            await asyncio.sleep(_LEASE.total_seconds() / 3)
            try:
                await self._mine(name).update(lease_until=clock.now() + _LEASE)
            except Exception as error:
                if not is_away(error):
                    raise
                log.warning("the lease of job %s could not be renewed: database away", name)

    async def _give_back(self, name: str, *, error: str, again: bool = False) -> None:
        changes: dict[str, Any] = {"lease_until": None, "claimed_by": None, "error": error[:2000]}
        if again:
            changes["last_run"] = None
        try:
            await self._mine(name).update(**changes)
        except Exception as trouble:
            if not is_away(trouble):
                raise
            log.warning("the lease of job %s could not be given back: database away; it runs out by itself", name)

    def _mine(self, name: str) -> QuerySet[models.JobLease]:
        return models.JobLease.filter(name=name, claimed_by=self._name).using_db(self._db.connection)
