# SPDX-License-Identifier: Apache-2.0
"""The core's tables: what calls, directory and hosts need whichever plugins are on. Tenant rows are read by `Model.of(account_id)`."""

from engine.db.models.account import Account, Extension
from engine.db.models.calls import CallLeg, CallOrder, CallRecord, FactRow, LiveCallRow, Recording
from engine.db.models.session import WebSession
from engine.db.models.telegram import TelegramCode, TelegramLink
from engine.db.models.trunk import Did, Trunk
from engine.db.models.user import Contact, SipAccount, User
from engine.db.models.work import JobLease, OutboxRow, Revision

__all__ = [
    "Account",
    "CallLeg",
    "CallOrder",
    "CallRecord",
    "Contact",
    "Did",
    "Extension",
    "FactRow",
    "JobLease",
    "LiveCallRow",
    "OutboxRow",
    "Recording",
    "Revision",
    "SipAccount",
    "TelegramCode",
    "TelegramLink",
    "Trunk",
    "User",
    "WebSession",
]
