# SPDX-License-Identifier: Apache-2.0
"""Tables: fax machines as elements, and the faxes that came in."""

from __future__ import annotations

from tortoise import fields

from engine.sdk import ElementRow, MailRow


class MachineRow(ElementRow):
    class Meta:
        app = "fax"
        table = "fax_machine"


class FaxRow(MailRow):
    """A fax as its list shows it; `path` is that of the TIFF."""

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
