# SPDX-License-Identifier: Apache-2.0
"""The database: connections, transactions, the core's tables, scoped access and secrets. Used by everything that keeps rows."""

from engine.db.database import Database
from engine.db.row import AccountRow, MailRow, Scoped
from engine.db.transaction import Tx, after_commit
from engine.db.trouble import is_away

__all__ = ["AccountRow", "Database", "MailRow", "Scoped", "Tx", "after_commit", "is_away"]
