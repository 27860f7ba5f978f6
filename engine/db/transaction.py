# SPDX-License-Identifier: Apache-2.0
"""What both database backends add to Tortoise's transactions: nothing leaks when one can't begin, and work for after the commit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tortoise.backends.base.client import BaseDBAsyncClient

Tx = BaseDBAsyncClient
"""A transaction's connection: goes into `using_db=` and `Model.of(account, tx)`."""


class AfterCommit:
    """Mixed into the transactional connections; `after_commit` runs in order once the outermost transaction is durable."""

    _after_commit: list[Callable[[], object]]

    def run_after_commit(self) -> None:
        waiting, self._after_commit = self._after_commit, []
        for action in waiting:
            action()


def after_commit(tx: Tx, action: Callable[[], object]) -> None:
    """Call `action` (quick, synchronous) once `tx` has been committed; never when it is rolled back."""
    outer: Any = tx
    while isinstance(getattr(outer, "_parent", None), AfterCommit):
        outer = outer._parent  # a savepoint: its outer transaction decides
    if not isinstance(outer, AfterCommit):
        raise TypeError("after_commit needs the connection of a transaction")
    outer._after_commit.append(action)
