# SPDX-License-Identifier: Apache-2.0
"""The customer and his internal numbering plan."""

from __future__ import annotations

from typing import Any

from tortoise import fields
from tortoise.models import Model

from engine.db.row import AccountRow


class Account(Model):
    """One customer's PBX. `revision` counts saves of its configuration; 0 = nothing saved yet."""

    id = fields.IntField(primary_key=True)
    number = fields.CharField(max_length=32, unique=True)
    title = fields.CharField(max_length=200)
    domain = fields.CharField(max_length=200, unique=True)
    area_code = fields.CharField(max_length=8, default="")
    timezone = fields.CharField(max_length=64, default="Europe/Moscow")
    language = fields.CharField(max_length=8, default="ru")
    max_hold_seconds = fields.IntField(default=0)
    hold_music_kind = fields.CharField(max_length=64, null=True)
    hold_music_id = fields.IntField(null=True)
    recording_notice_kind = fields.CharField(max_length=64, null=True)
    recording_notice_id = fields.IntField(null=True)
    whitelist: fields.JSONField[Any] = fields.JSONField(default=list)
    client_prefixes: fields.JSONField[Any] = fields.JSONField(default=list, db_default=[])
    ring_timeout_seconds = fields.IntField(default=20)
    active = fields.BooleanField(default=True)
    revision = fields.IntField(default=0)

    class Meta:
        app = "core"
        table = "account"


class Extension(AccountRow):
    """An internal number and whose it is: `owner_kind`/`owner_id` are the parts of a Ref (DIR-4)."""

    id = fields.IntField(primary_key=True)
    number = fields.CharField(max_length=16)
    owner_kind = fields.CharField(max_length=64)
    owner_id = fields.IntField()

    class Meta:
        app = "core"
        table = "extension"
        unique_together = (("account", "number"),)
        indexes = (("account_id", "owner_kind", "owner_id"),)
