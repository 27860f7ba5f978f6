# SPDX-License-Identifier: Apache-2.0
"""Notices to people (VM-3, R1, NUM-2): letters to visible and hidden addresses, posts in chats."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from engine.outbox.letters import Letter


class Enqueue(Protocol):
    async def __call__(
        self, account_id: int, channel: str, lane: str, payload: Mapping[str, Any], *, key: str, tx: Any
    ) -> None: ...


async def owe_letters(
    enqueue: Enqueue, account_id: int, visible: Iterable[str], hidden: Iterable[str], letter: Letter, *, key: str, at: datetime, tx: Any,
    attachments: Sequence[Mapping[str, str]] = (),
) -> None:  # fmt: skip
    """A letter to each of these addresses, once per `key`; every one names the visible ones only. `attachments`: see the channel."""
    shown = list(visible)
    for address in dict.fromkeys((*shown, *hidden)):
        own_key = f"{key}:{hashlib.sha256(address.casefold().encode()).hexdigest()[:24]}"
        payload = {
            "account": account_id, "to": address, "shown": shown, "subject": letter.subject, "text": letter.text,
            "html": letter.html, "attachments": list(attachments), "at": at.isoformat(), "key": own_key,
        }  # fmt: skip
        await enqueue(account_id, "email", address.casefold()[:200], payload, key=own_key, tx=tx)


async def owe_posts(
    enqueue: Enqueue, account_id: int, chats: Iterable[int], post: Mapping[str, Any], *, key: str, tx: Any
) -> None:
    """A post in each of these chats (`people.own_chats`), once per `key`; `post`: what the channel takes, "html" or what a plugin knows."""
    for chat in chats:
        payload = {"account": account_id, "chat": chat, **post}
        await enqueue(account_id, "telegram", str(chat), payload, key=f"{key}:{chat}", tx=tx)
