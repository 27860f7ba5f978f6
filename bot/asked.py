# SPDX-License-Identifier: Apache-2.0
"""What a handler holds: who asked what, where, and how to answer; made by the host for every command and pressed button."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import BufferedInputFile, CallbackQuery, InputFile

from bot.keys import Button, keyboard
from bot.links import Place
from bot.member import Member
from engine.sdk import N_, Context, Refused, Role, translate

Rows = Iterable[Sequence[Button]]
POP_UP_LIMIT: Final = 200
NOT_LINKED: Final = N_("This chat is not linked yet. Take a code in the cabinet and send: /link CODE")


@dataclass(slots=True)
class Asked:
    """`argument`: the words after a command, or a button's data after its prefix. `message_id`: the command's or the button's message."""

    ctx: Context
    bot: Bot
    place: Place
    who: Member | None
    language: str
    message_id: int
    command: str = ""
    argument: str = ""
    press: CallbackQuery | None = None
    answered: bool = field(default=False)

    @property
    def member(self) -> Member:
        """Raises Refused when the chat is linked to nobody."""
        if self.who is None:
            raise Refused(NOT_LINKED)
        return self.who

    @property
    def employee(self) -> Member:
        """The person as an employee; Refused in a group for somebody who has not linked his own account."""
        if not self.member.personal:
            raise Refused(N_("First link your own Telegram account: open the bot in private and send it your code."))
        return self.member

    def require(self, role: Role) -> None:
        """Raises Refused without a link, Forbidden without the right."""
        if role != "anyone":
            self.member.require(role)

    def t(self, message: str, /, **params: object) -> str:
        return translate(self.language, message, **params)

    async def reply(self, html: str, rows: Rows = ()) -> None:
        await self.bot.send_message(self.place.chat, html, reply_markup=keyboard(rows))

    async def edit(self, html: str, rows: Rows = ()) -> None:
        """Change the message under the pressed button; the same content again is no error."""
        try:
            await self.bot.edit_message_text(html, chat_id=self.place.chat, message_id=self.message_id, reply_markup=keyboard(rows))
        except TelegramBadRequest as error:
            if "not modified" not in error.message:
                raise

    async def pop_up(self, text: str, *, alert: bool = False) -> None:
        """Answer the pressed button by a short note on the screen; a command gets it as a message."""
        if self.press is None:
            await self.bot.send_message(self.place.chat, text, parse_mode=None)
            return
        self.answered = True
        try:
            await self.bot.answer_callback_query(self.press.id, text=text[:POP_UP_LIMIT] or None, show_alert=alert)
        except TelegramBadRequest as error:
            if "query is too old" not in error.message:
                raise

    async def voice(self, sound: bytes, name: str, caption: str, seconds: int) -> None:
        """Send OGG/Opus as a playable voice message; as a file to somebody who takes no voice messages."""
        file: InputFile = BufferedInputFile(sound, f"{name}.ogg")
        try:
            await self.bot.send_voice(self.place.chat, file, caption=caption, duration=seconds)
        except TelegramBadRequest as error:
            if "VOICE_MESSAGES_FORBIDDEN" not in error.message:
                raise
            await self.bot.send_document(self.place.chat, file, caption=caption)
