# SPDX-License-Identifier: Apache-2.0
"""Messages of deliveries, with Telegram's refusals in the outbox's words; loaded by `bot.courier` at the first one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aiogram import Bot
from aiogram.exceptions import (
    TelegramBadRequest,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNotFound,
    TelegramRetryAfter,
)
from aiogram.types import BufferedInputFile

from bot.courier import ChatMovedError
from bot.keys import Rows
from bot.markup import keyboard
from engine.sdk import RetryLater, Undeliverable

UP_TO_DATE: Final = ("message is not modified", "message to edit not found", "message can't be edited")
"""Nothing is left to do: the message says so already, or somebody has deleted it."""


@contextmanager
def told_to_outbox() -> Iterator[None]:
    """A server error or a broken connection passes through and is retried with backoff."""
    try:
        yield
    except TelegramRetryAfter as error:
        raise RetryLater(error.retry_after) from error
    except TelegramMigrateToChat as moved:
        raise ChatMovedError(moved.migrate_to_chat_id) from moved
    except (TelegramForbiddenError, TelegramBadRequest, TelegramNotFound, TelegramEntityTooLarge) as error:
        raise Undeliverable(error.message) from error


async def post(bot: Bot, chat: int, html: str, rows: Rows) -> int:
    with told_to_outbox():
        return (await bot.send_message(chat, html, reply_markup=keyboard(rows))).message_id


async def change(bot: Bot, chat: int, message_id: int, html: str, rows: Rows) -> None:
    with told_to_outbox():
        try:
            await bot.edit_message_text(html, chat_id=chat, message_id=message_id, reply_markup=keyboard(rows))
        except TelegramBadRequest as error:
            if not any(known in error.message for known in UP_TO_DATE):
                raise


async def voice(bot: Bot, chat: int, sound: bytes, name: str, html: str, seconds: int) -> int:
    file = BufferedInputFile(sound, f"{name}.ogg")
    with told_to_outbox():
        try:
            return (await bot.send_voice(chat, file, caption=html, duration=seconds)).message_id
        except TelegramBadRequest as error:
            if "VOICE_MESSAGES_FORBIDDEN" not in error.message:
                raise
            return (await bot.send_document(chat, file, caption=html)).message_id


async def document(bot: Bot, chat: int, content: bytes, name: str, html: str) -> int:
    with told_to_outbox():
        return (await bot.send_document(chat, BufferedInputFile(content, name), caption=html)).message_id
