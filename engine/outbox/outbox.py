# SPDX-License-Identifier: Apache-2.0
"""Deliveries to the outside world: written in the transaction of their fact, sent at least once, in the order of their lane.

A lane (a chat, a mailbox, a webhook and call) is served one delivery at a time; a failed one is tried again with growing
pauses and holds its lane back; after the last attempt it is a dead letter, visible, and its lane goes on.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from engine import clock
from engine.db import Database, Tx, after_commit, is_away, models
from engine.db.lease import claim, void_old
from engine.errors import NotFound

log = logging.getLogger(__name__)

TOPIC = "outbox"
"""The doorbell's topic: rung with the account for which a delivery is owed, done or dead."""
ATTEMPTS = 20
MAX_AGE = timedelta(hours=48)
_LEASE = timedelta(minutes=2)
_AT_ONCE = 20
_PARTING_SECONDS = 3.0
_FIRST_PAUSE_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 6 * 3600.0

_DUE = """w.status = 'pending' AND w.next_at <= ? AND w.channel IN ({channels}) AND NOT EXISTS (
    SELECT 1 FROM "outbox" earlier WHERE earlier.channel = w.channel AND earlier.lane = w.lane
    AND earlier.status = 'pending' AND earlier.id < w.id)"""


class RetryLater(Exception):  # noqa: N818 — a wish, not an error
    """Raised by a delivery: the receiver named the time to come back (Telegram's retry_after). Counts as no attempt."""

    def __init__(self, seconds: float, why: str = "") -> None:
        super().__init__(why or f"again in {seconds:g} s")
        self.seconds = seconds


class Undeliverable(Exception):  # noqa: N818
    """Raised by a delivery: no later attempt can succeed (the bot was blocked, the mailbox does not exist)."""


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A dead letter: owed, or owed once more by `retry`, since `owed_at`; given up at `given_up_at`; `lane` says to whom, `error` why."""

    id: int
    channel: str
    lane: str
    error: str
    attempts: int
    owed_at: datetime
    given_up_at: datetime


class Channel(Protocol):
    """What the outbox needs of a plugin's Delivery."""

    @property
    def channel(self) -> str: ...
    @property
    def send(self) -> Callable[[Any], Awaitable[None]]: ...


def pause(attempts: int) -> timedelta:
    """How long to wait after that many failed attempts: 5 s, 10 s, 20 s, … up to 6 h, a little scattered; 20 attempts take two days."""
    seconds = min(_FIRST_PAUSE_SECONDS * 2 ** max(0, attempts - 1), _LONGEST_PAUSE_SECONDS)
    return timedelta(seconds=seconds * random.uniform(0.9, 1.1))  # noqa: S311 — spreads load, hides nothing


class Outbox:
    """`deliveries`: the channels this process can send by; rows of other channels are left to other processes."""

    def __init__(
        self,
        db: Database,
        deliveries: Iterable[Channel] = (),
        ring: Callable[[str, int], object] = lambda topic, account_id: None,
        *,
        send_seconds: float = 60.0,
    ) -> None:
        self._db = db
        self._send: dict[str, Callable[[Any], Awaitable[None]]] = {}
        self._ring = ring
        self._name = secrets.token_hex(8)
        self._wake = asyncio.Event()
        self._send_seconds = send_seconds
        for delivery in deliveries:
            self.add(delivery)

    def add(self, delivery: Channel) -> None:
        self._send[delivery.channel] = delivery.send
        self._wake.set()

    async def enqueue(self, account_id: int, channel: str, lane: str, payload: Mapping[str, Any], *, key: str, tx: Tx) -> None:
        """Owe a delivery, in the caller's transaction, once per `key` (told apart per account)."""
        row = models.OutboxRow(
            account_id=account_id,
            channel=channel,
            lane=lane,
            key=f"{account_id}:{key}",
            payload=dict(payload),
            next_at=clock.now(),
            created_at=clock.now(),
        )
        await models.OutboxRow.bulk_create([row], ignore_conflicts=True, using_db=tx)
        after_commit(tx, lambda: self._owed(account_id))

    def _owed(self, account_id: int) -> None:
        self._wake.set()
        self._ring(TOPIC, account_id)

    def wake(self) -> None:
        """Look at the rows now (somebody rang)."""
        self._wake.set()

    async def run(self, poll_seconds: float = 1.0) -> None:
        """Deliver for ever; as a task of the `jobs` role. A database that is away is waited for."""
        sending: set[asyncio.Task[None]] = set()
        away = voided = False
        try:
            while True:
                try:
                    if not voided:
                        await void_old(models.OutboxRow, self._db.connection, mine=self._name)
                        voided = True
                    sending |= {asyncio.create_task(self._deliver(row)) for row in await self.claim(_AT_ONCE - len(sending))}
                    await self._rest(sending, poll_seconds)
                    away = False
                except Exception as error:
                    if not is_away(error):
                        raise
                    if not away:
                        log.warning("database away: deliveries wait: %s", error)
                    away = True
                    await asyncio.sleep(poll_seconds)
        finally:
            if sending:
                await asyncio.wait(sending, timeout=_PARTING_SECONDS)
            for task in sending:
                task.cancel()
            await asyncio.gather(*sending, return_exceptions=True)

    async def _rest(self, sending: set[asyncio.Task[None]], seconds: float) -> None:
        """Until a delivery has ended (its lane may go on), somebody rings, or the time is up. A slow receiver holds up nobody else."""
        waking = asyncio.create_task(self._wake.wait())
        done, _ = await asyncio.wait((waking, *sending), timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        waking.cancel()
        self._wake.clear()
        for task in sending & done:
            sending.discard(task)
            task.result()

    async def deliver_due(self, limit: int = 20) -> int:
        """Claim what is due, the first of each lane, and send it, lanes side by side; returns how many were tried."""
        rows = await self.claim(limit)
        await asyncio.gather(*(self._deliver(row) for row in rows))
        return len(rows)

    async def claim(self, limit: int = 20) -> list[models.OutboxRow]:
        if not self._send or limit <= 0:
            return []
        now = clock.now()
        channels = sorted(self._send)
        due = _DUE.format(channels=", ".join("?" for _ in channels))
        return await claim(
            models.OutboxRow, self._db.connection, due, [now, *channels], by=self._name, now=now, lease=_LEASE, limit=limit
        )

    async def _deliver(self, row: models.OutboxRow) -> None:
        now = clock.now
        changes: dict[str, Any]
        try:
            async with asyncio.timeout(self._send_seconds):
                await self._send[row.channel](row.payload)
        except RetryLater as later:
            changes = {"next_at": now() + timedelta(seconds=max(later.seconds, 0.1)), "error": str(later)}
            if now() - row.created_at >= MAX_AGE:
                log.error("delivery %d by %s given up, it has waited too long: %s", row.id, row.channel, later)
                changes |= {"status": "dead", "done_at": now()}
        except Undeliverable as error:
            log.error("delivery %d by %s can't be made: %s", row.id, row.channel, error)
            changes = {"attempts": row.attempts + 1, "status": "dead", "error": str(error), "done_at": now()}
        except Exception as error:  # noqa: BLE001 — the edge of a plugin and of the network: whatever it was, the row is tried again
            changes = self._failed(row, error)
        else:
            changes = {"attempts": row.attempts + 1, "status": "done", "error": "", "done_at": now()}
        await self._close(row, changes)

    def _failed(self, row: models.OutboxRow, error: Exception) -> dict[str, Any]:
        attempts = row.attempts + 1
        text = f"{type(error).__name__}: {error}"[:2000]
        if attempts >= ATTEMPTS or clock.now() - row.created_at >= MAX_AGE:
            log.error("delivery %d by %s given up after %d attempts: %s", row.id, row.channel, attempts, text)
            return {"attempts": attempts, "status": "dead", "error": text, "done_at": clock.now()}
        log.warning("delivery %d by %s failed, attempt %d: %s", row.id, row.channel, attempts, text)
        return {"attempts": attempts, "next_at": clock.now() + pause(attempts), "error": text}

    async def _close(self, row: models.OutboxRow, changes: dict[str, Any]) -> None:
        """Write the outcome unless the lease was lost; retried while the database is away, so that nothing is sent twice for that."""
        while True:
            try:
                mine = models.OutboxRow.filter(id=row.id, claimed_by=self._name, lease_until=row.lease_until)
                await mine.using_db(self._db.connection).update(lease_until=None, claimed_by=None, **changes)
            except Exception as error:
                if not is_away(error) or clock.now() >= (row.lease_until or clock.now()):
                    raise
                await asyncio.sleep(0.5)
            else:
                self._ring(TOPIC, row.account_id)
                return

    async def retry(self, account_id: int, id: int) -> None:
        """Give a dead letter another chance: its attempts and its age begin anew. NotFound unless it is dead and this account's."""
        now = clock.now()
        found = await models.OutboxRow.of(account_id, self._db.connection).filter(id=id, status="dead").update(
            status="pending", attempts=0, next_at=now, created_at=now, done_at=None
        )
        if not found:
            raise NotFound
        self._owed(account_id)

    async def dead(self, account_id: int, limit: int = 100) -> list[Undelivered]:
        """Dead letters, those given up last first."""
        rows = models.OutboxRow.of(account_id, self._db.connection).filter(status="dead").order_by("-done_at", "-id").limit(limit)
        return [Undelivered(r.id, r.channel, r.lane, r.error, r.attempts, r.created_at, r.done_at or r.next_at) for r in await rows]

    async def forget(self, older_than: timedelta = timedelta(days=30)) -> int:
        """Delete delivered rows of old; a daily job."""
        done = models.OutboxRow.filter(status="done", done_at__lt=clock.now() - older_than)
        return await done.using_db(self._db.connection).delete()
