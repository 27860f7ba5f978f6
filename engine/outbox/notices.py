# SPDX-License-Identifier: Apache-2.0
"""Notices of what came for somebody (VM-3): letters to visible and hidden addresses, posts in chats."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from engine.outbox.letters import Letter
from engine.snapshot import Noticed


class Enqueue(Protocol):
    async def __call__(
        self, account_id: int, channel: str, lane: str, payload: Mapping[str, Any], *, key: str, tx: Any
    ) -> None: ...


async def owe_letters(
    enqueue: Enqueue, account_id: int, box: Noticed, letter: Letter, attachments: Sequence[Mapping[str, str]],
    *, key: str, at: datetime, tx: Any,
) -> None:  # fmt: skip
    """A letter to each address of a mailbox, once per `key`; every one names the visible addresses only. `attachments`: see the channel."""
    for address in dict.fromkeys((*box.emails, *box.hidden_emails)):
        own_key = f"{key}:mail:{hashlib.sha256(address.casefold().encode()).hexdigest()[:24]}"
        payload = {
            "account": account_id, "to": address, "shown": list(box.emails), "subject": letter.subject, "text": letter.text,
            "html": letter.html, "attachments": list(attachments), "at": at.isoformat(), "key": own_key,
        }  # fmt: skip
        await enqueue(account_id, "email", address.casefold()[:200], payload, key=own_key, tx=tx)


async def owe_posts(
    enqueue: Enqueue, account_id: int, chats: Iterable[int], post: Mapping[str, Any], *, key: str, tx: Any
) -> None:
    """A post in each of these chats (`people.own_chats`), once per `key`; `post`: "html" and what else the channel takes."""
    for chat in chats:
        payload = {"account": account_id, "chat": chat, **post}
        await enqueue(account_id, "telegram", str(chat), payload, key=f"{key}:chat:{chat}", tx=tx)
