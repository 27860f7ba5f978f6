# SPDX-License-Identifier: Apache-2.0
"""What is kept of notices: which cards stand in which chats, who has taken a call over or called back, which lines are out of order."""

from __future__ import annotations

from tortoise import fields

from engine.sdk import AccountRow


class Card(AccountRow):
    """A missed-call card that Telegram has taken; the row keeps a repeated delivery from showing a second one."""

    id = fields.BigIntField(primary_key=True)
    call_id = fields.CharField(max_length=64)
    chat_id = fields.BigIntField()
    message_id = fields.BigIntField()

    class Meta:
        app = "notifications"
        table = "notifications_card"
        unique_together = (("call_id", "chat_id"),)


class Claim(AccountRow):
    """«Взял»: who deals with a missed call; the first one wins. Title and time are kept for when the user is gone."""

    id = fields.BigIntField(primary_key=True)
    call_id = fields.CharField(max_length=64, unique=True)
    user_id = fields.IntField()
    user_title = fields.CharField(max_length=200)
    at = fields.DatetimeField()

    class Meta:
        app = "notifications"
        table = "notifications_claim"


class Attempt(AccountRow):
    """Somebody has ordered a call back; `order_id` is the call order. Keeps impatient presses from ordering a second one."""

    id = fields.BigIntField(primary_key=True)
    call_id = fields.CharField(max_length=64, db_index=True)
    user_id = fields.IntField()
    order_id = fields.BigIntField()
    at = fields.DatetimeField()

    class Meta:
        app = "notifications"
        table = "notifications_attempt"


class LineTrouble(AccountRow):
    """A line that is out of order `since` then; the row goes when it works again. `told`: people know."""

    id = fields.BigIntField(primary_key=True)
    trunk_id = fields.IntField(unique=True)
    since = fields.DatetimeField()
    told = fields.BooleanField(default=False)

    class Meta:
        app = "notifications"
        table = "notifications_line_trouble"
