# SPDX-License-Identifier: Apache-2.0
"""Many rows in one statement, those that exist already passed over; the writer of facts inserts by it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from tortoise import fields
from tortoise.models import Model

from engine.db import Tx

_SQLITE_VALUES = 30_000  # SQLite allows 32,766 places in a statement


async def insert_new(model: type[Model], rows: Sequence[dict[str, Any]], conflict: str, returning: str, tx: Tx) -> list[dict[str, Any]]:
    """Insert `rows` (equal keys: column names) unless their `conflict` columns exist; the `returning` columns of the new ones.

    Texts are cut to their columns and freed of NUL, so that odd names from a provider can't spoil a record.
    """
    if not rows:
        return []
    columns = list(rows[0])
    kinds = [model._meta.fields_map[column] for column in columns]
    table = [[_fitting(kind, row[column]) for row in rows] for column, kind in zip(columns, kinds, strict=True)]
    names = ", ".join(f'"{column}"' for column in columns)
    head = f'INSERT INTO "{model._meta.db_table}" ({names}) '
    tail = f" ON CONFLICT ({conflict}) DO NOTHING RETURNING {returning}"
    if tx.capabilities.dialect == "postgres":
        # one statement for any number of rows, so that it is prepared once
        arrays = ", ".join(f"${at}::{kind.get_for_dialect('postgres', 'SQL_TYPE')}[]" for at, kind in enumerate(kinds, 1))
        return await tx.execute_query_dict(f"{head}SELECT * FROM unnest({arrays}){tail}", table)  # noqa: S608 — our own names
    found: list[dict[str, Any]] = []
    step = max(1, _SQLITE_VALUES // len(columns))
    places = "(" + ", ".join("?" for _ in columns) + ")"
    for start in range(0, len(rows), step):
        chunk = list(zip(*(column[start : start + step] for column in table), strict=True))
        statement = f"{head}VALUES {', '.join(places for _ in chunk)}{tail}"
        found += await tx.execute_query_dict(statement, [value for row in chunk for value in row])
    return found


def _fitting(kind: fields.Field[Any], value: Any) -> Any:
    if isinstance(kind, fields.JSONField):
        return None if value is None else msgspec.json.encode(value).decode().replace("\\u0000", "")
    if isinstance(value, str):
        return value.replace("\x00", "")[: getattr(kind, "max_length", None)]
    if isinstance(value, datetime) and value.tzinfo is None:
        raise ValueError(f"{kind.model_field_name} is a time without zone: {value}")
    return value
