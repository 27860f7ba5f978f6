# SPDX-License-Identifier: Apache-2.0
"""Wishes for calls: placed as rows by web, bot, API and jobs; claimed and carried out by the engine that owns the switch node."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from tortoise.exceptions import IntegrityError

from engine import clock
from engine.db import Database, Tx, after_commit, models
from engine.db.lease import claim, void_old

TOPIC = "orders"
"""The doorbell's topic: rung with the account for which an order was placed."""


class OrderBook:
    """Keeps the call_order rows; implements `Context.orders`."""

    def __init__(self, db: Database, ring: Callable[[str, int], object] = lambda topic, account_id: None) -> None:
        self._db = db
        self._ring = ring
        self.name = secrets.token_hex(8)
        """Stands in the rows this process claims."""
        self._voided = False

    async def place(self, account_id: int, kind: str, arguments: Mapping[str, Any], *, key: str, tx: Tx | None = None) -> int:
        """Insert an order once per `key`; returns its id, also when it had been placed before.

        Keys are told apart per account. With `tx` the order exists when that transaction is committed.
        """
        if tx is not None:
            return await self._place(account_id, kind, arguments, f"{account_id}:{key}", tx)
        async with self._db.transaction() as own:
            return await self._place(account_id, kind, arguments, f"{account_id}:{key}", own)

    async def _place(self, account_id: int, kind: str, arguments: Mapping[str, Any], key: str, tx: Tx) -> int:
        earlier = await models.CallOrder.of(account_id, tx).filter(key=key).first()
        if earlier is None:
            try:
                async with self._db.savepoint(tx) as inner:
                    row = await models.CallOrder.create(
                        account_id=account_id, kind=kind, arguments=dict(arguments), key=key, created_at=clock.now(), using_db=inner
                    )
            except IntegrityError:  # placed by somebody else at the same moment
                earlier = await models.CallOrder.of(account_id, tx).filter(key=key).first()
                if earlier is None:
                    raise
            else:
                after_commit(tx, lambda: self._ring(TOPIC, account_id))
                return int(row.id)
        return int(earlier.id)

    async def claim(self, limit: int = 20, lease: timedelta = timedelta(seconds=60)) -> list[models.CallOrder]:
        """Take up to `limit` orders, oldest first: new ones, and those whose claimer has not finished them within his lease.

        Whoever carries one out finishes it before he begins: a row that can't be written any more must not ring people twice.
        """
        if not self._voided:
            await void_old(models.CallOrder, self._db.connection, mine=self.name)
            self._voided = True
        return await claim(
            models.CallOrder,
            self._db.connection,
            "w.status IN ('new', 'claimed')",
            [],
            by=self.name,
            now=clock.now(),
            lease=lease,
            limit=limit,
            set_also=", status = 'claimed'",
        )

    async def finish(self, order: models.CallOrder, result: Mapping[str, Any] | None = None, *, failed: bool = False) -> bool:
        """Close an order this process claimed; False when the lease was lost to another one meanwhile."""
        mine = models.CallOrder.filter(id=order.id, status="claimed", claimed_by=self.name).using_db(self._db.connection)
        closed = await mine.update(status="failed" if failed else "done", result=dict(result or {}), lease_until=None)
        if closed:
            self._ring(TOPIC, order.account_id)
        return bool(closed)
