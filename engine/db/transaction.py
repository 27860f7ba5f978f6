# SPDX-License-Identifier: Apache-2.0
"""What both database backends add to Tortoise's transactions: nothing leaks when one can't begin, and work for after the commit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tortoise.backends.base.client import BaseDBAsyncClient, NestedTransactionContext

Tx = BaseDBAsyncClient
"""A transaction's connection: goes into `using_db=` and `Model.of(account, tx)`."""


class AfterCommit:
    """Mixed into the transactional connections; `after_commit` runs in order once the outermost transaction is durable."""

    _after_commit: list[Callable[[], object]]

    def run_after_commit(self) -> None:
        waiting, self._after_commit = self._after_commit, []
        for action in waiting:
            action()


class Savepoint(NestedTransactionContext):
    """A savepoint whose waiting actions pass to its transaction when it succeeds and are forgotten when it does not."""

    async def __aexit__(self, exc_type: Any, exc_val: Any, exc_tb: Any) -> None:
        await super().__aexit__(exc_type, exc_val, exc_tb)
        inner: Any = self.client
        if exc_type is None:
            inner._parent._after_commit += inner._after_commit
        inner._after_commit = []


def after_commit(tx: Tx, action: Callable[[], object]) -> None:
    """Call `action` (quick, synchronous) once `tx` has been committed; never when it is rolled back."""
    if not isinstance(tx, AfterCommit):
        raise TypeError("after_commit needs the connection of a transaction")
    tx._after_commit.append(action)
