# SPDX-License-Identifier: Apache-2.0
"""Notices of what came for somebody (VM-3): letters to visible and hidden addresses, posts in chats; how their texts are put together."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any, Protocol

from engine.i18n import N_, format_phone, translate
from engine.snapshot import Noticed

TITLE_LIMIT = 80


class Enqueue(Protocol):
    async def __call__(
        self, account_id: int, channel: str, lane: str, payload: Mapping[str, Any], *, key: str, tx: Any
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Letter:
    subject: str
    text: str
    html: str

    @classmethod
    def of(cls, subject: str, lines: Sequence[str], end: str = "") -> Letter:
        """From plain lines, none of them longer than a line."""
        text = "\n".join([subject, "", *lines, *(["", end] if end else []), ""])
        rows = "".join(f"<p style=\"margin:0.2em 0\">{escape(line)}</p>" for line in lines)
        last = f"<p>{escape(end)}</p>" if end else ""
        return cls(subject, text, f"<html><body><h3>{escape(subject)}</h3>{rows}{last}</body></html>")


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


async def owe_posts(enqueue: Enqueue, account_id: int, box: Noticed, post: Mapping[str, Any], *, key: str, tx: Any) -> None:
    """A post in each chat of a mailbox, once per `key`; `post`: "html" and what else the channel takes."""
    for chat in box.chats:
        payload = {"account": account_id, "chat": chat, **post}
        await enqueue(account_id, "telegram", str(chat), payload, key=f"{key}:chat:{chat}", tx=tx)


def one_line(text: str, limit: int = TITLE_LIMIT) -> str:
    """One short line: names come from outside and could carry line breaks into a mail's head."""
    flat = re.sub(r"[\s\x00-\x1f\x7f]+", " ", text).strip()
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def caller_words(language: str, number: str | None, name: str) -> str:
    """“+7 927 123-45-67 (Ivanov)”."""
    words = format_phone(number) or translate(language, N_("Number withheld"))
    flat = one_line(name)
    return f"{words} ({flat})" if flat else words
