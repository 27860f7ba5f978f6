# SPDX-License-Identifier: Apache-2.0
"""What the database refuses, as sentences for the person who saves."""

from __future__ import annotations

import re

from tortoise.exceptions import IntegrityError

from engine.errors import Invalid, Problem
from engine.i18n import N_

_SQLITE_UNIQUE = re.compile(r"UNIQUE constraint failed: (?P<columns>.+)")
_POSTGRES_UNIQUE = re.compile(r"duplicate key value violates unique constraint")
_POSTGRES_COLUMNS = re.compile(r"Key \((?P<columns>[^)]+)\)=")


def refusal(error: IntegrityError) -> Invalid:
    """The field that is taken, or that something still points at the row."""
    text = str(error)
    detail = str(getattr(error.args[0], "detail", None) or "") if error.args else ""
    found = _SQLITE_UNIQUE.search(text) or (_POSTGRES_UNIQUE.search(text) and _POSTGRES_COLUMNS.search(detail))
    if found:
        columns = [column.strip(' "').rpartition(".")[2] for column in found["columns"].split(",")]
        field = next((column for column in columns if column not in ("account_id", "id")), "")
        return Invalid([Problem(field, N_("This value is already taken: {field}."), field=field)])
    if "foreign key" in text.lower():
        return Invalid([Problem("", N_("Something still points at this, or it points at something that is gone."))])
    return Invalid([Problem("", N_("The database refused this: {why}."), why=text)])
