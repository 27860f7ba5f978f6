# SPDX-License-Identifier: Apache-2.0
"""Rows written with primary keys of our own choosing; used where a revision or an import brings old keys back."""

from __future__ import annotations

from tortoise.models import Model

from engine.db.transaction import Tx


async def reserve(model: type[Model], count: int, tx: Tx) -> list[int]:
    """Primary keys that nobody has had or will be given, ascending, for rows that point at each other and are written together."""
    if count == 0:
        return []
    table = model._meta.db_table
    if tx.capabilities.dialect == "postgres":
        rows = await tx.execute_query_dict(
            "SELECT nextval(pg_get_serial_sequence($1, 'id')::regclass) AS id FROM generate_series(1, $2::int)", [f'"{table}"', count]
        )
        return sorted(int(row["id"]) for row in rows)
    known = await tx.execute_query_dict("SELECT seq FROM sqlite_sequence WHERE name = ?", [table])  # ours alone: one writer at a time
    last = int(known[0]["seq"]) if known else 0
    if known:
        await tx.execute_query("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", [last + count, table])
    else:
        await tx.execute_query("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", [table, count])
    return list(range(last + 1, last + count + 1))


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
