# SPDX-License-Identifier: Apache-2.0
"""Employees, the ways to reach them, their phones and their logins to the cabinet."""

from __future__ import annotations

from typing import Any

from tortoise import fields

from engine.db.models.trunk import Did
from engine.db.row import AccountRow


class User(AccountRow):
    """An employee. A cabinet login is an optional part: `login` is unique in the whole installation."""

    id = fields.IntField(primary_key=True)
    title = fields.CharField(max_length=200)
    extension = fields.CharField(max_length=16, null=True)
    active = fields.BooleanField(default=True)
    outbound_did: fields.ForeignKeyNullableRelation[Did] = fields.ForeignKeyField(
        "core.Did", related_name=False, null=True, on_delete=fields.RESTRICT
    )
    outbound_did_id: int | None
    recording = fields.BooleanField(default=False)
    schedule_kind = fields.CharField(max_length=64, null=True)
    schedule_id = fields.IntField(null=True)
    no_ivr_transfer = fields.BooleanField(default=False)
    pin = fields.CharField(max_length=16, null=True)
    forbidden_prefixes: fields.JSONField[Any] = fields.JSONField(default=list)
    role = fields.CharField(max_length=16, default="user")
    language = fields.CharField(max_length=8, default="ru")
    login = fields.CharField(max_length=100, null=True, unique=True)
    password_hash = fields.CharField(max_length=200, null=True)
    is_owner = fields.BooleanField(default=False)

    contacts: fields.ReverseRelation[Contact]

    class Meta:
        app = "core"
        table = "user"


class Contact(AccountRow):
    """One way to reach a user (USR-3). `address`: SIP login, or a phone number in E.164."""

    id = fields.IntField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "core.User", related_name="contacts", on_delete=fields.CASCADE, db_index=True
    )
    user_id: int
    kind = fields.CharField(max_length=8)
    address = fields.CharField(max_length=128)
    priority = fields.IntField(default=1)
    active = fields.BooleanField(default=True)
    lines = fields.IntField(default=1)
    timeout_seconds = fields.IntField(default=20)
    schedule_kind = fields.CharField(max_length=64, null=True)
    schedule_id = fields.IntField(null=True)
    by_number = fields.BooleanField(default=False)

    class Meta:
        app = "core"
        table = "contact"


class SipAccount(AccountRow):
    """A phone's credentials; `secret` is the encrypted password (engine.db.secrets, R27)."""

    id = fields.IntField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "core.User", related_name="sip_accounts", on_delete=fields.CASCADE, db_index=True
    )
    user_id: int
    contact: fields.ForeignKeyRelation[Contact] = fields.ForeignKeyField(
        "core.Contact", related_name="sip_accounts", on_delete=fields.CASCADE, db_index=True
    )
    contact_id: int
    login = fields.CharField(max_length=64)
    secret = fields.TextField()

    class Meta:
        app = "core"
        table = "sip_account"
        unique_together = (("account", "login"),)
