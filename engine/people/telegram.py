# SPDX-License-Identifier: Apache-2.0
"""Telegram chats of an account (BOT-1): the one-time codes that link them to users, and which of them notices may go to."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from engine import clock
from engine.db.models import TelegramCode, TelegramLink
from engine.errors import Problem
from engine.i18n import N_
from engine.revisions import Edit

log = logging.getLogger(__name__)

CODE_LIFE: Final = timedelta(minutes=15)


async def new_telegram_code(account_id: int, user_id: int) -> str:
    """A code for a user; his earlier ones no longer work."""
    await TelegramCode.of(account_id).filter(user_id=user_id).delete()
    code = secrets.token_hex(4).upper()
    await TelegramCode.create(account_id=account_id, user_id=user_id, code=code, expires_at=clock.now() + CODE_LIFE)
    return code


async def chats_of_others(account_id: int, chats: Iterable[int], tx: Any) -> set[int]:
    """Chats that only other customers have linked: ours were typed wrongly, and their people must not read our calls."""
    links = await TelegramLink.filter(chat_id__in=list(chats)).using_db(tx)
    ours = {link.chat_id for link in links if link.account_id == account_id}
    return {link.chat_id for link in links} - ours


async def own_chats(account_id: int, chats: Sequence[int], tx: Any) -> list[int]:
    """Without those of other customers."""
    foreign = await chats_of_others(account_id, chats, tx) if chats else set()
    for chat in foreign:
        log.warning("account %s: chat %s belongs to another customer, no notice goes there", account_id, chat)
    return [chat for chat in chats if chat not in foreign]


async def chat_problems(edit: Edit, field: str, chats: Iterable[int], before: Iterable[int]) -> list[Problem]:
    """What is wrong with the chats of a field; those that stood there `before` may stay, unless they are another customer's now."""
    wanted = set(chats)
    ours = set(await TelegramLink.of(edit.account_id, edit.tx).values_list("chat_id", flat=True))
    if wanted - ours - set(before) or await chats_of_others(edit.account_id, wanted, edit.tx):
        return [Problem(field, N_("Choose one of the list."))]
    return []


def bot_name_file(state: Path) -> Path:
    """Where the running bot leaves its user name, so that the cabinet can show a deep link."""
    return state / "telegram_bot"


def deep_link(state: Path, code: str) -> str:
    """https://t.me/<bot>?start=CODE; empty as long as the bot has never run."""
    file = bot_name_file(state)
    name = file.read_text("utf-8").strip() if file.exists() else ""
    return f"https://t.me/{name}?start={code}" if name else ""
