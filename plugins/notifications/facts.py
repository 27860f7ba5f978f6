# SPDX-License-Identifier: Apache-2.0
"""What the end of a call means here: the notices that are owed, written in the fact's own transaction."""

from __future__ import annotations

import logging
from typing import Any

from engine.sdk import CallEnded, Context, people
from plugins.notifications import service, texts

log = logging.getLogger(__name__)


class MissedCalls:
    """One notice per call, decided over all its legs at its true end (R1)."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx

    async def ended(self, fact: CallEnded, tx: Any) -> None:
        snapshot = self.ctx.snapshot(fact.account)
        told = service.recipients(fact, snapshot)
        language = snapshot.account.language
        for address in told.emails:
            mail = texts.mail(fact, snapshot, language)
            key = service.email_key(fact.call, address)
            payload = {
                "account": fact.account, "to": address, "subject": mail.subject, "text": mail.text, "html": mail.html,
                "at": fact.ended_at.isoformat(), "key": key,
            }  # fmt: skip
            await self.ctx.enqueue(fact.account, "email", address.casefold()[:200], payload, key=key, tx=tx)
        chats = told.chats if self.ctx.settings.bot.token else ()
        foreign = await people.chats_of_others(fact.account, chats, tx) if chats else set()
        for chat in chats:
            if chat in foreign:
                log.warning("account %s: chat %s belongs to another customer, no missed-call card goes there", fact.account, chat)
                continue
            await service.owe_card(self.ctx, fact.account, chat, fact.call, tx)
