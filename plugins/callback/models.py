# SPDX-License-Identifier: Apache-2.0
"""The table of settings, and what is kept of clients who wait to be called back (R24)."""

from __future__ import annotations

from tortoise import fields

from engine.sdk import AccountRow, ElementRow


class SettingsRow(ElementRow):
    class Meta:
        app = "callback"
        table = "callback_settings"


class Task(AccountRow):
    """A client who waits to be called back, or has waited. It keeps the settings of the moment he asked; times are aware UTC."""

    id = fields.BigIntField(primary_key=True)
    number = fields.CharField(max_length=32)
    """E.164"""
    did = fields.CharField(max_length=32, default="")
    """The number of ours that he had called, which he sees when we call (R19)."""
    target_kind = fields.CharField(max_length=64)
    target_id = fields.IntField()
    calls_first = fields.CharField(max_length=8)
    attempts = fields.IntField()
    made = fields.IntField(default=0)
    """Attempts in which somebody was rung or is to be rung now."""
    pause_seconds = fields.IntField()
    state = fields.CharField(max_length=10, default="waiting")
    """waiting | calling | done | failed | cancelled | closed"""
    due_at = fields.DatetimeField(null=True)
    """When the next attempt is made; None when none is."""
    open_key = fields.CharField(max_length=64, null=True, unique=True)
    """account:number while it is open: a number waits once."""
    requested_at = fields.DatetimeField()
    request_call = fields.CharField(max_length=64)
    """The call in which he asked last."""
    requests = fields.IntField(default=1)
    closed_at = fields.DatetimeField(null=True)
    missing_since = fields.DatetimeField(null=True)
    """Since when nothing is known of the attempt that is said to be made."""

    tries: fields.ReverseRelation[Attempt]

    class Meta:
        app = "callback"
        table = "callback_task"
        indexes = (("state", "due_at"), ("account_id", "requested_at"))


class Attempt(AccountRow):
    """One attempt of a task, made by one order."""

    id = fields.BigIntField(primary_key=True)
    task: fields.ForeignKeyRelation[Task] = fields.ForeignKeyField(
        "callback.Task", related_name="tries", on_delete=fields.CASCADE, db_index=True
    )
    task_id: int
    number = fields.IntField()
    at = fields.DatetimeField()
    order_id = fields.BigIntField()
    call_id = fields.CharField(max_length=64, unique=True)
    result = fields.CharField(max_length=10, default="")
    """"" while it goes on | reached | no_answer | not_made"""

    class Meta:
        app = "callback"
        table = "callback_attempt"
        indexes = (("result", "id"),)
