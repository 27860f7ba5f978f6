# SPDX-License-Identifier: Apache-2.0
"""Rows as work: claimed by a lease in one statement, so that any number of processes share them and none is taken twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.models import Model

M = TypeVar("M", bound=Model)


def placeholders(sql: str, dialect: str) -> str:
    """The statement with `?` places written as the database wants them ($1, $2, … on PostgreSQL); no `?` in literals."""
    if dialect != "postgres":
        return sql
    pieces = sql.split("?")
    return "".join(f"{piece}${at}" for at, piece in enumerate(pieces[:-1], 1)) + pieces[-1]


async def claim(
    model: type[M],
    connection: BaseDBAsyncClient,
    due: str,
    values: Sequence[Any],
    *,
    by: str,
    now: datetime,
    lease: timedelta,
    limit: int,
    set_also: str = "",
) -> list[M]:
    """Lease up to `limit` rows for which the SQL condition `due` (over the alias `w`) holds and whose last lease has run out.

    Returns them by primary key. `by` goes into `claimed_by`; only who finds it there may finish a row.
    """
    table = model._meta.db_table
    dialect = connection.capabilities.dialect
    chosen = (
        f'SELECT w.id FROM "{table}" w WHERE ({due}) AND (w.lease_until IS NULL OR w.lease_until <= ?) '  # noqa: S608 — our own names
        "ORDER BY w.id LIMIT ?"
    )
    if dialect == "postgres":
        # as an array the choice is made once; joined, the planner may run it anew for every row and pass the limit
        chosen = f"= ANY(ARRAY({chosen} FOR UPDATE OF w SKIP LOCKED))"
    else:
        chosen = f"IN ({chosen})"
    statement = f'UPDATE "{table}" SET claimed_by = ?, lease_until = ?{set_also} WHERE id {chosen} RETURNING *'  # noqa: S608
    rows = await connection.execute_query_dict(placeholders(statement, dialect), [by, now + lease, *values, now, limit])
    return sorted((model._init_from_db(**row) for row in rows), key=lambda row: row.pk)


async def void_old(model: type[Model], connection: BaseDBAsyncClient, *, mine: str) -> None:
    """At start on SQLite: this is the only process, so every other lease belongs to one that has died; don't wait for it to run out."""
    if connection.capabilities.dialect == "sqlite":
        table = model._meta.db_table
        statement = f'UPDATE "{table}" SET lease_until = NULL WHERE lease_until IS NOT NULL AND claimed_by <> ?'  # noqa: S608 — our own name
        await connection.execute_query(statement, [mine])
