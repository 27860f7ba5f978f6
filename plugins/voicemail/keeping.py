# SPDX-License-Identifier: Apache-2.0
"""What a message left means here: its row, its transcript when a model is installed, and who is told (VM-3, VM-4)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from engine.sdk import Context, Ref, Refused, owe_letters, owe_posts, people, transcribe
from plugins.voicemail import texts
from plugins.voicemail.facts import MessageDropped, MessageLeft
from plugins.voicemail.models import MessageRow
from plugins.voicemail.part import mailbox_of

log = logging.getLogger(__name__)

TRANSCRIPTS: Final = "voicemail-transcript"
"""The outbox's channel in which new messages wait for their transcript; afterwards people are told."""


class Keeper:
    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx

    async def left(self, fact: MessageLeft, tx: Any) -> None:
        """In the fact's own transaction. A message told twice, before and after a restart, is one message."""
        if await MessageRow.of(fact.account, tx).filter(path=fact.path).exists():
            return
        title = people.mailbox_title(self.ctx.snapshot(fact.account), fact.owner)
        row = await MessageRow.create(
            account_id=fact.account, call_id=fact.call, owner_kind=fact.owner.kind, owner_id=fact.owner.id,
            owner_title=title[:200], caller_number=fact.caller_number, caller_name=fact.caller_name[:200],
            dialled=fact.dialled[:64], at=fact.at, path=fact.path, seconds=fact.seconds, using_db=tx,
        )  # fmt: skip
        if self.ctx.settings.speech.model:
            payload = {"account": fact.account, "message": row.id}
            await self.ctx.enqueue(fact.account, TRANSCRIPTS, str(fact.account), payload, key=f"transcript:{row.id}", tx=tx)
        else:
            await self._tell(row, tx)

    async def dropped(self, fact: MessageDropped, tx: Any) -> None:
        if not await MessageRow.of(fact.account, tx).filter(path=fact.path).exists():
            people.remove_file(self.ctx.settings.media_root, fact.path)

    async def transcribe(self, payload: Mapping[str, Any]) -> None:
        """A delivery of the outbox. People are told in any case: without a transcript when there can be none."""
        row = await MessageRow.of(int(payload["account"])).filter(id=int(payload["message"])).first()
        if row is None:
            return  # deleted meanwhile
        try:
            row.transcript = await transcribe(self.ctx.settings, self.ctx.settings.media_root / row.path)
        except (Refused, OSError) as error:
            log.error("no transcript of message %d: %s", row.id, error)
        async with self.ctx.transaction() as tx:
            if not await MessageRow.of(row.account_id, tx).filter(id=row.id).exists():
                return  # deleted or erased while it was listened to: nobody is told
            await row.save(using_db=tx, update_fields=["transcript"])
            await self._tell(row, tx)

    async def _tell(self, row: MessageRow, tx: Any) -> None:
        account: int = row.account_id
        snapshot = self.ctx.snapshot(account)
        box, language = mailbox_of(snapshot, Ref(row.owner_kind, row.owner_id)), snapshot.account.language
        key, attached = f"voicemail:{row.id}", box.notice == "attachment"
        if box.notice != "none":
            letter = texts.mail(row, snapshot, language, attached=attached)
            files = [{"path": row.path, "name": texts.file_name(row)}] if attached else []
            await owe_letters(
                self.ctx.enqueue, account, box.emails, box.hidden_emails, letter, key=f"{key}:mail", at=row.at, tx=tx, attachments=files
            )
        if self.ctx.settings.bot.token:
            post = {"html": texts.caption(row, snapshot, language), "voice": row.path, "seconds": round(row.seconds)}
            chats = await people.own_chats(account, box.chats, tx)
            await owe_posts(self.ctx.enqueue, account, chats, post, key=f"{key}:chat", tx=tx)
