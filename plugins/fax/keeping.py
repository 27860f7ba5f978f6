# SPDX-License-Identifier: Apache-2.0
"""What a fax means here: its row, its PDF, and who is told (VM-2, VM-3, BOT-3)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from engine.sdk import Context, Ref, Refused, owe_letters, owe_posts, people, to_pdf
from plugins.fax import texts
from plugins.fax.facts import FaxDropped, FaxReceived
from plugins.fax.models import FaxRow
from plugins.fax.part import machine_of

log = logging.getLogger(__name__)

DOCUMENTS: Final = "fax-document"
"""The outbox's channel in which new faxes wait for their PDF; afterwards people are told."""


class Keeper:
    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx

    async def received(self, fact: FaxReceived, tx: Any) -> None:
        """In the fact's own transaction. A fax told twice, before and after a restart, is one fax."""
        if await FaxRow.of(fact.account, tx).filter(path=fact.path).exists():
            return
        title = people.mailbox_title(self.ctx.snapshot(fact.account), fact.owner)
        row = await FaxRow.create(
            account_id=fact.account, call_id=fact.call, owner_kind=fact.owner.kind, owner_id=fact.owner.id, owner_title=title[:200],
            caller_number=fact.caller_number, caller_name=fact.caller_name[:200], dialled=fact.dialled[:64], at=fact.at, path=fact.path,
            pages=fact.pages, complete=fact.complete, sender=fact.sender[:200], trouble=fact.trouble[:200], using_db=tx,
        )  # fmt: skip
        payload = {"account": fact.account, "fax": row.id}
        await self.ctx.enqueue(fact.account, DOCUMENTS, str(fact.account), payload, key=f"fax:{row.id}:document", tx=tx)

    async def dropped(self, fact: FaxDropped, tx: Any) -> None:
        if not await FaxRow.of(fact.account, tx).filter(path=fact.path).exists():
            people.remove_file(self.ctx.settings.media_root, fact.path)

    async def document(self, payload: Mapping[str, Any]) -> None:
        """A delivery of the outbox. People are told in any case: with the TIFF when there can be no PDF."""
        row = await FaxRow.of(int(payload["account"])).filter(id=int(payload["fax"])).first()
        if row is None:
            return  # deleted meanwhile
        root = self.ctx.settings.media_root
        try:
            row.pages, row.pdf = await to_pdf(root / row.path, root / row.pdf_path), True
        except (Refused, OSError) as error:
            log.error("no PDF of fax %d: %s", row.id, error)
        async with self.ctx.transaction() as tx:
            if not await FaxRow.of(row.account_id, tx).filter(id=row.id).exists():
                people.remove_file(root, row.pdf_path)
                return
            await row.save(using_db=tx, update_fields=["pages", "pdf"])
            await self._tell(row, tx)

    async def _tell(self, row: FaxRow, tx: Any) -> None:
        account: int = row.account_id
        snapshot = self.ctx.snapshot(account)
        machine, language = machine_of(snapshot, Ref(row.owner_kind, row.owner_id)), snapshot.account.language
        key, attached = f"fax:{row.id}", machine.notice == "attachment"
        path, ending = (row.pdf_path, "pdf") if row.pdf else (row.path, "tif")
        name = texts.file_name(row, ending)
        if machine.notice != "none":
            letter = texts.mail(row, snapshot, language, attached=attached)
            files = [{"path": path, "name": name}] if attached else []
            await owe_letters(
                self.ctx.enqueue, account, machine.emails, machine.hidden_emails, letter, key=f"{key}:mail", at=row.at, tx=tx,
                attachments=files,
            )  # fmt: skip
        if self.ctx.settings.bot.token:
            post = {"html": texts.caption(row, snapshot, language), "document": path, "name": name}
            chats = await people.own_chats(account, machine.chats, tx)
            await owe_posts(self.ctx.enqueue, account, chats, post, key=f"{key}:chat", tx=tx)
