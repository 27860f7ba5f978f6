# SPDX-License-Identifier: Apache-2.0
"""Providers' lines and the outside numbers that arrive on them."""

from __future__ import annotations

from typing import Any

from tortoise import fields

from engine.db.row import AccountRow


class Trunk(AccountRow):
    """Our record of a provider's line (NUM-2); `secret` is encrypted, `may_show` holds Refs as text ("core.did:4")."""

    id = fields.IntField(primary_key=True)
    title = fields.CharField(max_length=200)
    registers = fields.BooleanField(default=False)
    server = fields.CharField(max_length=200, default="")
    port = fields.IntField(default=5060)
    transport = fields.CharField(max_length=8, default="udp")
    login = fields.CharField(max_length=128, default="")
    secret = fields.TextField(default="")
    realm = fields.CharField(max_length=200, default="")
    sources: fields.JSONField[Any] = fields.JSONField(default=list)
    channels = fields.IntField(default=0)
    active = fields.BooleanField(default=True)
    passes_foreign = fields.BooleanField(default=False)
    may_show: fields.JSONField[Any] = fields.JSONField(default=list)

    class Meta:
        app = "core"
        table = "trunk"


class Did(AccountRow):
    """An outside number that callers dial, in E.164; one owner in the whole installation."""

    id = fields.IntField(primary_key=True)
    number = fields.CharField(max_length=32, unique=True)
    title = fields.CharField(max_length=200, default="")
    trunk: fields.ForeignKeyRelation[Trunk] = fields.ForeignKeyField(
        "core.Trunk", related_name="dids", on_delete=fields.RESTRICT, db_index=True
    )
    trunk_id: int
    connected = fields.IntField(default=0)

    class Meta:
        app = "core"
        table = "did"
