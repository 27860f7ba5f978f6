# SPDX-License-Identifier: Apache-2.0
"""Tables: fax machines as elements, and the faxes that came in."""

from __future__ import annotations

from tortoise import fields

from engine.sdk import AccountRow, ElementRow


class MachineRow(ElementRow):
    class Meta:
        app = "fax"
        table = "fax_machine"


class FaxRow(AccountRow):
    """A fax as its list shows it. It outlives its owner, whose title is kept. `path`: the TIFF, relative to the media root."""

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
    pages = fields.IntField(default=0)
    complete = fields.BooleanField(default=True)
    sender = fields.CharField(max_length=200, default="")
    trouble = fields.CharField(max_length=200, default="")
    pdf = fields.BooleanField(default=False)
    """Its PDF has been made and lies beside the TIFF."""
    seen = fields.BooleanField(default=False)

    class Meta:
        app = "fax"
        table = "fax_fax"
        indexes = (("account_id", "at"), ("account_id", "owner_kind", "owner_id", "at"))

    @property
    def pdf_path(self) -> str:
        return f"{self.path.rpartition('.')[0]}.pdf"
