# SPDX-License-Identifier: Apache-2.0
"""Sessions of the cabinet; written and read by the web host."""

from __future__ import annotations

from tortoise import fields

from engine.db.models.user import User
from engine.db.row import AccountRow


class WebSession(AccountRow):
    """A logged-in browser. `id` is random (its digest, when the host prefers not to keep the cookie's value)."""

    id = fields.CharField(max_length=64, primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "core.User", related_name="sessions", on_delete=fields.CASCADE, db_index=True
    )
    user_id: int
    created = fields.DatetimeField()
    seen = fields.DatetimeField()
    expires = fields.DatetimeField(db_index=True)
    csrf = fields.CharField(max_length=64)
    ip = fields.CharField(max_length=64, default="")
    user_agent = fields.CharField(max_length=300, default="")

    class Meta:
        app = "core"
        table = "web_session"
