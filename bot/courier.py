# SPDX-License-Identifier: Apache-2.0
"""Sends what deliveries of the outbox carry to Telegram. aiogram takes seconds to load: beside the calls, and only when it is used."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bot.keys import Rows
from engine.sdk import Settings, Undeliverable, VatsError

if TYPE_CHECKING:
    from aiogram import Bot


class ChatMovedError(VatsError):
    """A group became a supergroup: it has another number now."""

    def __init__(self, chat: int) -> None:
        super().__init__(f"the chat is {chat} now")
        self.chat = chat


class Courier:
    """One for each plugin that sends; `close` it with the plugin.

    All orders raise Undeliverable for what can never work (also without a token), RetryLater when Telegram asks for patience, and
    ChatMovedError; any other error is worth a try later.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._bot: Bot | None = None
        self._sending: Any = None

    async def post(self, chat: int, html: str, rows: Rows = ()) -> int:
        """Send a message; its id."""
        bot = await self._ready()
        return int(await self._sending.post(bot, chat, html, rows))

    async def change(self, chat: int, message_id: int, html: str, rows: Rows = ()) -> None:
        """Change a message; one that says so already, or has been deleted, is no error."""
        bot = await self._ready()
        await self._sending.change(bot, chat, message_id, html, rows)

    async def voice(self, chat: int, sound: bytes, name: str, html: str, seconds: int) -> int:
        """Send OGG/Opus as a playable voice message, as a file where voice messages are not taken; its id."""
        bot = await self._ready()
        return int(await self._sending.voice(bot, chat, sound, name, html, seconds))

    async def document(self, chat: int, content: bytes, name: str, html: str) -> int:
        """Send a file; its id."""
        bot = await self._ready()
        return int(await self._sending.document(bot, chat, content, name, html))

    async def _ready(self) -> Bot:
        if not self._settings.bot.token:
            raise Undeliverable("the bot is switched off (bot.token is empty)")
        if self._bot is not None:
            return self._bot
        self._sending, maker = await loaded("bot.sending"), await loaded("bot.client")
        return self._take(maker.client)

    def _take(self, make: Callable[[Settings], Bot]) -> Bot:
        """The one client, also for deliveries that have waited for it together."""
        if self._bot is None:
            self._bot = make(self._settings)
        return self._bot

    async def close(self) -> None:
        if self._bot is not None:
            await self._bot.session.close()
            self._bot = None


async def loaded(module: str) -> Any:
    """A module that brings aiogram, imported in a thread, so that calls go on meanwhile."""
    return await asyncio.to_thread(importlib.import_module, module)
