# SPDX-License-Identifier: Apache-2.0
"""Tables: mailboxes as elements, and the messages in them."""

from __future__ import annotations

from tortoise import fields

from engine.sdk import AccountRow, ElementRow


class MailboxRow(ElementRow):
    class Meta:
        app = "voicemail"
        table = "voicemail_mailbox"


class MessageRow(AccountRow):
    """A message as its list shows it. It outlives its owner, whose title is kept. `path` is relative to the media root."""

    id = fields.BigIntField(primary_key=True)
    call_id = fields.CharField(max_length=64, db_index=True)
    owner_kind = fields.CharField(max_length=64)
    owner_id = fields.IntField()
    owner_title = fields.CharField(max_length=200, default="")
    caller_number = fields.CharField(max_length=64, null=True)
    caller_name = fields.CharField(max_length=200, default="")
    dialled = fields.CharField(max_length=64, default="")
    at = fields.DatetimeField()
    path = fields.CharField(max_length=300, unique=True)
    seconds = fields.FloatField(default=0.0)
    heard = fields.BooleanField(default=False)
    transcript = fields.TextField(default="")

    class Meta:
        app = "voicemail"
        table = "voicemail_message"
        indexes = (("account_id", "at"), ("account_id", "owner_kind", "owner_id", "at"))
