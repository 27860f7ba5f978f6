# SPDX-License-Identifier: Apache-2.0
"""Which errors of a database are its own trouble, that passes, and not that of what it was asked."""

from __future__ import annotations

from tortoise.exceptions import DBConnectionError, OperationalError

_SQLITE_WORDS = ("locked", "busy", "unable to open", "disk i/o error", "disk is full", "readonly database")
_SQLSTATE_CLASSES = ("08", "40", "53", "57", "58")
"""PostgreSQL: connection, rollback (serialization, deadlock), resources (disk full), operator (shutdown, cancel), system (I/O)."""
_SQLSTATES = ("25006",)
"""Read only: a standby after a fail-over."""


def is_away(error: BaseException) -> bool:
    """Whether the database could not do what was asked for reasons of its own, so that the same work may succeed later."""
    if isinstance(error, DBConnectionError):  # both backends raise it for whatever is wrong with the line or the server
        return True
    state = sqlstate(error)
    if state:
        return state[:2] in _SQLSTATE_CLASSES or state in _SQLSTATES
    # SQLite reports a full disk or a foreign lock as an OperationalError like any other
    return isinstance(error, OperationalError) and any(word in str(error).lower() for word in _SQLITE_WORDS)


def sqlstate(error: BaseException) -> str:
    """PostgreSQL's code of an error, also of one that Tortoise has wrapped; "" when there is none."""
    for found in (error, error.__cause__, *error.args):
        code = getattr(found, "sqlstate", None)
        if isinstance(code, str):
            return code
    return ""
