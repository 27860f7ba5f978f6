# SPDX-License-Identifier: Apache-2.0
"""The way back to whoever sent a command or pressed a button; made by `bot.edge` for each update."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import BufferedInputFile, CallbackQuery, InputFile

from bot.keys import Rows
from bot.markup import keyboard

POP_UP_LIMIT: Final = 200


@dataclass(slots=True)
class TelegramLine:
    """Implements `bot.asked.Line`. `message_id`: the command's or the button's message."""

    bot: Bot
    chat: int
    message_id: int
    press: CallbackQuery | None = None
    answered: bool = False
    """Telegram shows a waiting button until its press is answered."""

    @property
    def pressed(self) -> bool:
        return self.press is not None

    async def reply(self, html: str, rows: Rows) -> None:
        await self.bot.send_message(self.chat, html, reply_markup=keyboard(rows))

    async def edit(self, html: str, rows: Rows) -> None:
        try:
            await self.bot.edit_message_text(html, chat_id=self.chat, message_id=self.message_id, reply_markup=keyboard(rows))
        except TelegramBadRequest as error:
            if "not modified" not in error.message:
                raise

    async def pop_up(self, text: str, *, alert: bool) -> None:
        if self.press is None:
            await self.bot.send_message(self.chat, text, parse_mode=None)
            return
        self.answered = True
        try:
            await self.bot.answer_callback_query(self.press.id, text=text[:POP_UP_LIMIT] or None, show_alert=alert)
        except TelegramBadRequest as error:
            if "query is too old" not in error.message:
                raise

    async def voice(self, sound: bytes, name: str, caption: str, seconds: int) -> None:
        file: InputFile = BufferedInputFile(sound, f"{name}.ogg")
        try:
            await self.bot.send_voice(self.chat, file, caption=caption, duration=seconds)
        except TelegramBadRequest as error:
            if "VOICE_MESSAGES_FORBIDDEN" not in error.message:
                raise
            await self.bot.send_document(self.chat, file, caption=caption)
