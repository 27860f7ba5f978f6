# SPDX-License-Identifier: Apache-2.0
"""Rows of the engine's own work: revisions of the configuration, deliveries, leases of periodic jobs."""

from __future__ import annotations

from typing import Any

from tortoise import fields
from tortoise.models import Model

from engine.db.row import AccountRow


class Revision(AccountRow):
    """One save of an account's configuration: who, where, and the parts that changed as they are since then."""

    id = fields.BigIntField(primary_key=True)
    number = fields.IntField()
    at = fields.DatetimeField()
    actor_user_id = fields.IntField(null=True)
    actor_name = fields.CharField(max_length=200)
    channel = fields.CharField(max_length=16)
    """web | bot | api | cli | system"""
    parts: fields.JSONField[Any] = fields.JSONField(default=dict)
    """{plugin id, "core" for the engine's own: the part}"""
    summary = fields.TextField(default="")

    class Meta:
        app = "core"
        table = "revision"
        unique_together = (("account", "number"),)


class OutboxRow(AccountRow):
    """One delivery that is owed to the outside world; rows of one channel and lane leave in order."""

    id = fields.BigIntField(primary_key=True)
    channel = fields.CharField(max_length=32)
    lane = fields.CharField(max_length=200)
    key = fields.CharField(max_length=200, unique=True)
    payload: fields.JSONField[Any] = fields.JSONField(default=dict)
    attempts = fields.IntField(default=0)
    next_at = fields.DatetimeField()
    lease_until = fields.DatetimeField(null=True)
    claimed_by = fields.CharField(max_length=64, null=True)
    status = fields.CharField(max_length=8, default="pending")
    """pending | done | dead"""
    error = fields.TextField(default="")
    created_at = fields.DatetimeField()
    done_at = fields.DatetimeField(null=True)

    class Meta:
        app = "core"
        table = "outbox"
        indexes = (("status", "next_at"), ("channel", "lane", "status", "id"))


class JobLease(Model):
    """Who runs a periodic job now, and when it last ran: one process at a time."""

    name = fields.CharField(max_length=100, primary_key=True)
    claimed_by = fields.CharField(max_length=64, null=True)
    lease_until = fields.DatetimeField(null=True)
    last_run = fields.DatetimeField(null=True)
    error = fields.TextField(default="")

    class Meta:
        app = "core"
        table = "job_lease"
