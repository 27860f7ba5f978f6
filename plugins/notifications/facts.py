# SPDX-License-Identifier: Apache-2.0
"""What the end of a call means here: the notices that are owed, written in the fact's own transaction."""

from __future__ import annotations

from typing import Any

from engine.sdk import CallEnded, Context, owe_letters, owe_posts, people
from plugins.notifications import service, texts


class MissedCalls:
    """One notice per call, decided over all its legs at its true end (R1)."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx

    async def ended(self, fact: CallEnded, tx: Any) -> None:
        snapshot = self.ctx.snapshot(fact.account)
        told = service.recipients(fact, snapshot)
        language = snapshot.account.language
        letter = texts.mail(fact, snapshot, language)
        for address in told.emails:  # each its own letter: the groups' people do not learn each other's addresses
            key = f"missed:{fact.call}:mail"
            await owe_letters(self.ctx.enqueue, fact.account, (address,), (), letter, key=key, at=fact.ended_at, tx=tx)
        if self.ctx.settings.bot.token:
            chats = await people.own_chats(fact.account, told.chats, tx)
            await owe_posts(self.ctx.enqueue, fact.account, chats, {"card": fact.call}, key=f"missed:{fact.call}:chat", tx=tx)
