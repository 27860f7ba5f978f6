# SPDX-License-Identifier: Apache-2.0
"""Drains the spool into the database in batches: CDRs, legs, recordings, facts and what facts mean to plugins, each exactly once.

A batch is one transaction; its mark in the spool is set after the commit. Replayed lines meet unique keys and change nothing.
With the database away the writer waits; nobody on a call waits for the writer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from engine.db import Database, Tx, after_commit, is_away, models
from engine.facts.fact import Fact, decode
from engine.facts.record import CallRecordData, Closed, LegData, RecordingData, Stated
from engine.facts.rows import insert_new
from engine.facts.spool import Batch, Spool
from engine.snapshot.element import Ref

log = logging.getLogger(__name__)

TOPIC = "calls"
"""The doorbell's topic: rung with the account for which a CDR was written."""
_UNREADABLE = "decode"
"""In place of a subscriber's name: nobody could be told."""
_BATCH = 500
_GATHER_SECONDS = 0.05
"""Lines that come within this time share a transaction."""
_LONGEST_PAUSE_SECONDS = 30.0
_WAIT_SECONDS = 1.0


class Subscriber(Protocol):
    """What the writer needs of a plugin's FactSubscriber."""

    @property
    def fact(self) -> type[Fact]: ...
    @property
    def write(self) -> Callable[[Any, Any], Awaitable[None]]: ...


class FactWriter:
    def __init__(
        self,
        db: Database,
        subscribers: Sequence[Subscriber] = (),
        ring: Callable[[str, int], object] = lambda topic, account_id: None,
        *,
        pause_seconds: float = 1.0,
    ) -> None:
        """`subscribers`: of the plugins that run; `pause_seconds` = first wait for an absent database."""
        self._db = db
        self._subscribers = subscribers
        self._ring = ring
        self._pause = pause_seconds

    async def run(self, spool: Spool) -> None:
        """Write for ever; a task of the engine. What is left at a cancel is written by the next start."""
        while True:
            await self.drain(spool)
            await spool.news(_WAIT_SECONDS)
            await asyncio.sleep(_GATHER_SECONDS)

    async def drain(self, spool: Spool) -> None:
        """Write everything the spool holds now, however long the database stays away."""
        pause = self._pause
        while spool.behind:
            batch = spool.read(_BATCH)
            try:
                await self._write(batch, spool)
            except Exception as error:
                if not is_away(error):
                    raise
                if pause == self._pause:
                    log.warning("database away: CDRs and facts wait in the spool: %s", error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
                continue
            if pause != self._pause:
                log.info("database back: writing what has waited")
                pause = self._pause
            if batch.entries:
                spool.commit(batch.end)
            elif batch.end == spool.mark:
                return  # half a line: the disk is full, the rest comes with the next one
            else:
                spool.skip(batch.end)

    async def _write(self, batch: Batch, spool: Spool) -> None:
        if not batch.entries:
            return
        try:
            await self._transact(batch.entries)
        except Exception as error:
            if is_away(error):
                raise
            log.warning("a batch of %d entries was refused (%s); writing them one by one", len(batch.entries), error)
            await self._one_by_one(batch.entries, spool)

    async def _one_by_one(self, entries: Sequence[Stated | Closed], spool: Spool) -> None:
        for entry in entries:
            try:
                await self._transact([entry])
            except Exception as error:
                if is_away(error):
                    raise
                spool.reject(entry, f"{type(error).__name__}: {error}")

    async def _transact(self, entries: Sequence[Stated | Closed]) -> None:
        """Everything of these entries, or nothing."""
        async with self._db.transaction() as tx:
            records = {entry.record.call_id: entry.record for entry in entries if isinstance(entry, Closed)}
            ids = await self._write_records(list(records.values()), tx)
            stated = [fact for entry in entries for fact in (entry.facts if isinstance(entry, Closed) else (entry,))]
            await self._write_facts(stated, ids, tx)
            accounts = {record.account for call, record in records.items() if call in ids}
            after_commit(tx, lambda: [self._ring(TOPIC, account_id) for account_id in accounts])

    async def _write_records(self, records: Sequence[CallRecordData], tx: Tx) -> dict[str, int]:
        """Insert CDRs that are new; returns their primary keys by call id."""
        written = await insert_new(models.CallRecord, [_record(record) for record in records], "call_id", "id, call_id", tx)
        ids = {row["call_id"]: row["id"] for row in written}
        new = [record for record in records if record.call_id in ids]
        legs = [_leg(record, leg, ids[record.call_id]) for record in new for leg in record.legs]
        await insert_new(models.CallLeg, legs, "uuid", "id", tx)
        recordings = [_recording(record, item, ids[record.call_id]) for record in new for item in record.recordings]
        await insert_new(models.Recording, recordings, "path", "id", tx)
        return ids

    async def _write_facts(self, stated: Sequence[Stated], ids: Mapping[str, int], tx: Tx) -> None:
        """Insert facts that are new and let their plugins write what follows from them."""
        rows = [
            {
                "account_id": fact.data["account"],
                "call_id": fact.call,
                "kind": fact.data["kind"],
                "seq": fact.seq,
                "at": msgspec.convert(fact.data["at"], datetime),
                "data": fact.data,
            }
            for fact in stated
        ]
        written = await insert_new(models.FactRow, rows, "call_id, seq", "id, call_id, seq", tx)
        new = {(row["call_id"], row["seq"]): row["id"] for row in written}
        for line in stated:
            row_id = new.pop((line.call, line.seq), None)
            if row_id is not None:
                failed = await self._tell(line, ids.get(line.call), tx)
                if failed:
                    await models.FactRow.filter(id=row_id).using_db(tx).update(failed=failed)

    async def _tell(self, line: Stated, record_id: int | None, tx: Tx, only: Mapping[str, str] | None = None) -> dict[str, str]:
        """Call the fact's subscribers, each in a savepoint; returns the errors of those that failed by their names."""
        try:
            fact = decode(line.data)
        except msgspec.ValidationError as error:
            return {_UNREADABLE: str(error)}
        if fact is None:
            return {}
        if record_id is not None and hasattr(fact, "record_id"):
            fact = msgspec.structs.replace(fact, record_id=record_id)
        failed: dict[str, str] = {}
        for subscriber in self._subscribers:
            name = _name(subscriber)
            if not isinstance(fact, subscriber.fact) or (only is not None and name not in only):
                continue
            try:
                async with self._db.savepoint(tx) as inner:
                    await subscriber.write(fact, inner)
            except Exception as error:  # the edge of a plugin: its bug must not hold up everybody's records
                if is_away(error):
                    raise
                log.exception("%s could not write the fact %s of call %s", name, fact.kind, line.call)
                failed[name] = f"{type(error).__name__}: {error}"
        return failed

    async def retry_rejected(self, spool: Spool) -> int:
        """Give entries that the database has refused another chance; returns how many it has taken now. Raises when it is away."""
        taken = []
        for entry in spool.rejected():
            try:
                await self._transact([entry])
            except Exception as error:
                if is_away(error):
                    raise
                log.info("an entry of call %s is still refused: %s", entry.call, error)
            else:
                taken.append(entry)
        if taken:
            spool.accepted(taken)
            log.info("%d entries that had been refused are in the database now", len(taken))
        return len(taken)

    async def retry_failed(self, page: int = 100) -> int:
        """Give facts whose subscribers had failed another chance (after an upgrade); returns how many are whole now."""
        healed = last = 0
        while True:
            failed = models.FactRow.filter(failed__isnull=False, id__gt=last).using_db(self._db.connection)
            rows = await failed.order_by("id").limit(page)
            for row in rows:
                last = row.id
                healed += await self._retry(row)
            if len(rows) < page:
                return healed

    async def _retry(self, row: models.FactRow) -> bool:
        """A fact that could not be read has reached nobody; another one goes to those that had failed, as far as they are here."""
        before = dict(row.failed or {})
        line = Stated(row.call_id, row.seq, row.data)
        if _is_strange(line):
            return False
        async with self._db.transaction() as tx:
            record = await models.CallRecord.filter(call_id=row.call_id).using_db(tx).only("id").first()
            failed = await self._tell(line, record.id if record else None, tx, only=None if _UNREADABLE in before else before)
            here = {_name(subscriber) for subscriber in self._subscribers}
            failed |= {name: why for name, why in before.items() if name != _UNREADABLE and name not in here}
            await models.FactRow.filter(id=row.id).using_db(tx).update(failed=failed or None)
        return not failed


def _is_strange(line: Stated) -> bool:
    """A kind of fact that no plugin here knows."""
    try:
        return decode(line.data) is None
    except msgspec.ValidationError:
        return False


def _name(subscriber: Subscriber) -> str:
    return f"{subscriber.write.__module__}.{getattr(subscriber.write, '__qualname__', subscriber.fact.kind)}"


def _group(ref: Ref | None) -> dict[str, Any]:
    return {"group_kind": ref.kind if ref else None, "group_id": ref.id if ref else None}


def _record(record: CallRecordData) -> dict[str, Any]:
    same = {name: getattr(record, name) for name in _SAME_RECORD}
    return {
        **same,
        **_group(record.group),
        "account_id": record.account,
        "user_id": record.user,
        "trace": record.trace,
    }


def _leg(record: CallRecordData, leg: LegData, call: int) -> dict[str, Any]:
    same = {name: getattr(leg, name) for name in _SAME_LEG}
    return {
        **same,
        **_group(leg.group),
        "account_id": record.account,
        "call_id": call,
        "user_id": leg.user,
        "contact_id": leg.contact,
        "trunk_id": leg.trunk,
    }


def _recording(record: CallRecordData, item: RecordingData, call: int) -> dict[str, Any]:
    return {
        "account_id": record.account,
        "call_id": call,
        "path": item.path,
        "seconds": item.seconds,
        "user_id": item.user,
        **_group(item.group),
    }


_SAME_RECORD = (
    "call_id", "started_at", "answered_at", "ended_at", "direction", "caller_number", "caller_name", "dialled", "did", "user_title",
    "group_title", "cause", "talk_seconds", "wait_seconds", "missed", "missed_why", "talked", "revision",
)  # fmt: skip
_SAME_LEG = ("uuid", "label", "reason", "direction", "started_at", "answered_at", "ended_at", "cause")
