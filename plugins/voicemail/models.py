# SPDX-License-Identifier: Apache-2.0
"""Tables: mailboxes as elements, and the messages in them."""

from __future__ import annotations

from tortoise import fields

from engine.sdk import ElementRow, MailRow


class MailboxRow(ElementRow):
    class Meta:
        app = "voicemail"
        table = "voicemail_mailbox"


class MessageRow(MailRow):
    """A message as its list shows it."""

    seconds = fields.FloatField(default=0.0)
    heard = fields.BooleanField(default=False)
    transcript = fields.TextField(default="")

    class Meta:
        app = "voicemail"
        table = "voicemail_message"
        indexes = (("account_id", "at"), ("account_id", "owner_kind", "owner_id", "at"))
