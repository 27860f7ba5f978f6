# SPDX-License-Identifier: Apache-2.0
"""Rows written with primary keys of our own choosing; used where a revision or an import brings old keys back."""

from __future__ import annotations

from tortoise.models import Model

from engine.db.transaction import Tx


async def keep_sequence(model: type[Model], tx: Tx) -> None:
    """After rows were inserted with explicit keys: let PostgreSQL go on counting above them (SQLite does so by itself)."""
    if tx.capabilities.dialect != "postgres":
        return
    table = model._meta.db_table
    await tx.execute_query_dict(
        f"SELECT setval(s.name::regclass, GREATEST((SELECT MAX(id) FROM \"{table}\"), nextval(s.name::regclass))) "  # noqa: S608 — our own table name
        "FROM (SELECT pg_get_serial_sequence($1, 'id') AS name) s",
        [f'"{table}"'],
    )
