# SPDX-License-Identifier: Apache-2.0
"""What is kept of calls: the CDR with its legs and recordings, the calls in progress, wishes for calls, facts.

History outlives the people in it: `user` columns here carry no foreign-key constraint, so that a CDR is written even when
its user has been deleted meanwhile, and stays readable by its titles.
"""

from __future__ import annotations

from typing import Any

from tortoise import fields

from engine.db.models.user import User
from engine.db.row import AccountRow


class CallRecord(AccountRow):
    """The one record written when a call ends (CDR). Times are aware UTC."""

    id = fields.BigIntField(primary_key=True)
    call_id = fields.CharField(max_length=64, unique=True)
    started_at = fields.DatetimeField()
    answered_at = fields.DatetimeField(null=True)
    ended_at = fields.DatetimeField()
    direction = fields.CharField(max_length=8)
    """in | out | internal"""
    caller_number = fields.CharField(max_length=64, null=True)
    caller_name = fields.CharField(max_length=200, default="")
    dialled = fields.CharField(max_length=64, default="")
    did = fields.CharField(max_length=32, null=True)
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "core.User", related_name=False, null=True, on_delete=fields.NO_ACTION, db_constraint=False
    )
    user_id: int | None
    """Who talked, or who called."""
    user_title = fields.CharField(max_length=200, default="")
    group_kind = fields.CharField(max_length=64, null=True)
    group_id = fields.IntField(null=True)
    group_title = fields.CharField(max_length=200, null=True)
    cause = fields.CharField(max_length=64, default="")
    talk_seconds = fields.IntField(default=0)
    wait_seconds = fields.IntField(default=0)
    missed = fields.BooleanField(default=False)
    missed_why = fields.CharField(max_length=32, default="")
    talked = fields.BooleanField(default=False)
    trace: fields.JSONField[Any] = fields.JSONField(default=list)
    """Steps in order: {"at": ms since the start, "what", "facts", "target"}."""
    revision = fields.IntField(default=0)

    legs: fields.ReverseRelation[CallLeg]
    recordings: fields.ReverseRelation[Recording]

    class Meta:
        app = "core"
        table = "call_record"
        indexes = (("account_id", "started_at"), ("account_id", "user_id", "started_at"), ("account_id", "missed", "started_at"))


class CallLeg(AccountRow):
    """One party's connection within a call; each keeps what billing charges by (BIL-10)."""

    id = fields.BigIntField(primary_key=True)
    call: fields.ForeignKeyRelation[CallRecord] = fields.ForeignKeyField(
        "core.CallRecord", related_name="legs", on_delete=fields.CASCADE, db_index=True
    )
    call_id: int
    uuid = fields.CharField(max_length=64, unique=True)
    label = fields.CharField(max_length=128, default="")
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "core.User", related_name=False, null=True, on_delete=fields.NO_ACTION, db_constraint=False
    )
    user_id: int | None
    contact_id = fields.IntField(null=True)
    trunk_id = fields.IntField(null=True)
    reason = fields.CharField(max_length=32)
    group_kind = fields.CharField(max_length=64, null=True)
    group_id = fields.IntField(null=True)
    started_at = fields.DatetimeField()
    answered_at = fields.DatetimeField(null=True)
    ended_at = fields.DatetimeField(null=True)
    cause = fields.CharField(max_length=64, default="")
    direction = fields.CharField(max_length=8, default="out")
    """in: the party called us; out: we dialled it."""

    class Meta:
        app = "core"
        table = "call_leg"


class Recording(AccountRow):
    """A recorded conversation; `path` is relative to the media root."""

    id = fields.BigIntField(primary_key=True)
    call: fields.ForeignKeyRelation[CallRecord] = fields.ForeignKeyField(
        "core.CallRecord", related_name="recordings", on_delete=fields.CASCADE, db_index=True
    )
    call_id: int
    path = fields.CharField(max_length=300, unique=True)
    seconds = fields.FloatField(default=0.0)
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "core.User", related_name=False, null=True, on_delete=fields.NO_ACTION, db_constraint=False
    )
    user_id: int | None
    group_kind = fields.CharField(max_length=64, null=True)
    group_id = fields.IntField(null=True)

    class Meta:
        app = "core"
        table = "recording"


class LiveCallRow(AccountRow):
    """A call in progress, written behind by the engine that serves it, read by the live view of any process."""

    id = fields.BigIntField(primary_key=True)
    call_id = fields.CharField(max_length=64, unique=True)
    node = fields.CharField(max_length=64, default="")
    state: fields.JSONField[Any] = fields.JSONField(default=dict)
    updated_at = fields.DatetimeField()

    class Meta:
        app = "core"
        table = "live_call"


class CallOrder(AccountRow):
    """A call that nobody dials but somebody wants, claimed by the engine that owns the switch node. `kind`: of its order action."""

    id = fields.BigIntField(primary_key=True)
    kind = fields.CharField(max_length=64)
    arguments: fields.JSONField[Any] = fields.JSONField(default=dict)
    key = fields.CharField(max_length=128, unique=True)
    status = fields.CharField(max_length=8, default="new")
    """new | claimed | done | failed"""
    claimed_by = fields.CharField(max_length=64, null=True)
    lease_until = fields.DatetimeField(null=True)
    result: fields.JSONField[Any] = fields.JSONField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        app = "core"
        table = "call_order"
        indexes = (("status", "id"),)


class FactRow(AccountRow):
    """A durable public fact about a call. `failed` names the subscribers that could not write it, with their errors."""

    id = fields.BigIntField(primary_key=True)
    call_id = fields.CharField(max_length=64)
    kind = fields.CharField(max_length=64)
    seq = fields.BigIntField()
    at = fields.DatetimeField()
    data: fields.JSONField[Any] = fields.JSONField(default=dict)
    failed: fields.JSONField[Any] = fields.JSONField(null=True)

    class Meta:
        app = "core"
        table = "fact"
        unique_together = (("call_id", "seq"),)
        indexes = (("account_id", "kind", "at"),)
