# SPDX-License-Identifier: Apache-2.0
"""Which Telegram chats belong to whom; written and read by the bot host."""

from __future__ import annotations

from tortoise import fields

from engine.db.models.user import User
from engine.db.row import AccountRow


class TelegramLink(AccountRow):
    """A chat linked to a cabinet user, whose rights it has. A chat may be linked to users of several customers."""

    id = fields.IntField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "core.User", related_name="telegram_links", on_delete=fields.CASCADE, db_index=True
    )
    user_id: int
    chat_id = fields.BigIntField(db_index=True)
    chat_type = fields.CharField(max_length=16, default="private")
    title = fields.CharField(max_length=200, default="")
    language = fields.CharField(max_length=8, default="ru")

    class Meta:
        app = "core"
        table = "telegram_link"
        unique_together = (("user", "chat_id"),)


class TelegramCode(AccountRow):
    """A one-time code that links a chat to a user."""

    id = fields.IntField(primary_key=True)
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "core.User", related_name="telegram_codes", on_delete=fields.CASCADE, db_index=True
    )
    user_id: int
    code = fields.CharField(max_length=64, unique=True)
    expires_at = fields.DatetimeField()

    class Meta:
        app = "core"
        table = "telegram_code"
