# SPDX-License-Identifier: Apache-2.0
"""Long polling: updates of one chat in order, chats side by side; survives an unreachable Bot API. Run by `bot.app`.

aiogram's own loop gives up when the Bot API is away at the start and runs a chat's updates in any order.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from aiogram import Bot, Dispatcher
from aiogram.exceptions import AiogramError, TelegramConflictError, TelegramRetryAfter, TelegramUnauthorizedError
from aiogram.types import Update

log = logging.getLogger(__name__)

HANG_SECONDS: Final = 25
BACKOFF_FIRST: Final = 1.0
BACKOFF_LIMIT: Final = 60.0
GRACE_SECONDS: Final = 5.0


@dataclass(slots=True)
class Poller:
    """`pause` waits after a failure; tests give a virtual one."""

    bot: Bot
    dispatcher: Dispatcher
    prepare: Callable[[Bot], Awaitable[None]]
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    _lanes: dict[int, asyncio.Task[None]] = field(default_factory=dict)
    _backoff: float = BACKOFF_FIRST

    async def run(self) -> None:
        """Serve until cancelled; then the updates in hand get a few seconds to finish."""
        try:
            await self._patiently(self._prepare)
            offset: int | None = None
            while True:
                updates = await self._patiently(partial(self._fetch, offset))
                for update in updates or ():
                    offset = update.update_id + 1
                    self._hand_over(update)
        finally:
            if self._lanes:
                _, late = await asyncio.wait([*self._lanes.values()], timeout=GRACE_SECONDS)
                for task in late:
                    task.cancel()

    async def _prepare(self) -> list[Update]:
        await self.prepare(self.bot)
        return []

    async def _fetch(self, offset: int | None) -> list[Update]:
        allowed = self.dispatcher.resolve_used_update_types()
        timeout = int(self.bot.session.timeout) + HANG_SECONDS
        return await self.bot.get_updates(offset=offset, timeout=HANG_SECONDS, allowed_updates=allowed, request_timeout=timeout)

    async def _patiently(self, ask: Callable[[], Awaitable[list[Update]]]) -> list[Update]:
        """Ask until it works, with growing pauses."""
        while True:
            try:
                answer = await ask()
            except TelegramRetryAfter as error:
                seconds, why = float(error.retry_after), "too many requests"
            except TelegramUnauthorizedError:
                seconds, why = BACKOFF_LIMIT, "the token is not valid (bot.token)"
            except TelegramConflictError as error:
                seconds, why = self._grow(), f"another program polls with the same token: {error.message}"
            except AiogramError as error:
                seconds, why = self._grow(), f"the Bot API is away: {error}"
            else:
                if self._backoff > BACKOFF_FIRST:
                    log.info("telegram answers again")
                self._backoff = BACKOFF_FIRST
                return answer
            log.warning("telegram: %s; next try in %.0f s", why, seconds)
            await self.pause(seconds)

    def _grow(self) -> float:
        seconds, self._backoff = self._backoff, min(self._backoff * 2, BACKOFF_LIMIT)
        return seconds

    def _hand_over(self, update: Update) -> None:
        lane = _lane(update)
        task = asyncio.create_task(self._serve(update, self._lanes.get(lane)), name=f"telegram-{lane}")
        self._lanes[lane] = task
        task.add_done_callback(lambda done: self._lanes.pop(lane) if self._lanes.get(lane) is done else None)

    async def _serve(self, update: Update, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait([before])
        try:
            await self.dispatcher.feed_update(self.bot, update)
        except Exception:  # the edge of the bot for updates without a chat; one must not stop the others
            log.exception("update %s failed", update.update_id)


def _lane(update: Update) -> int:
    """The chat; that a group has a new number comes before what is said under it."""
    if update.message:
        return update.message.migrate_to_chat_id or update.message.chat.id
    if update.my_chat_member:
        return update.my_chat_member.chat.id
    if update.callback_query and update.callback_query.message:
        return update.callback_query.message.chat.id
    return 0
