# SPDX-License-Identifier: Apache-2.0
"""Around every handler: who asks and in which language, and the one place where errors become sentences. Used by the dispatcher."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from aiogram import BaseMiddleware, Bot
from aiogram.exceptions import AiogramError
from aiogram.types import CallbackQuery, Message, TelegramObject

from bot.asked import Asked
from bot.line import TelegramLine
from bot.links import Place, member_of
from engine.sdk import N_, Context, Invalid, Refused, language_of, translate

log = logging.getLogger(__name__)
Handler: TypeAlias = Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]]


class Edge(BaseMiddleware):
    """Outer middleware of messages and callback queries: puts `asked` into the handler's data and answers what it raises."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx

    async def __call__(self, handler: Handler, event: TelegramObject, data: dict[str, Any]) -> Any:
        bot: Bot = data["bot"]
        if not isinstance(event, Message | CallbackQuery):
            return await handler(event, data)
        place, message_id = where(event)
        if place is None:
            return None
        line = TelegramLine(bot, place.chat, message_id, event if isinstance(event, CallbackQuery) else None)
        asked = Asked(self.ctx, line, place, None, language_of(place.language))
        data["asked"] = asked
        try:
            asked.who = await member_of(self.ctx, place)
            asked.language = asked.who.language if asked.who else asked.language
            result = await handler(event, data)
            if line.pressed and not line.answered:
                await asked.pop_up("")
            return result
        except Refused as refused:
            await self._say(asked, sentence(asked.language, refused))
        except AiogramError as error:
            log.warning("telegram did not take an answer to chat %s: %s", place.chat, error)
        except Exception:  # the edge of the bot: one update must not stop the others
            log.exception("update from chat %s failed", place.chat)
            await self._say(asked, asked.t(N_("Something went wrong. The operator has been told.")))
        return None

    async def _say(self, asked: Asked, text: str) -> None:
        try:
            await asked.pop_up(text, alert=True)
        except AiogramError as error:
            log.warning("telegram did not take a refusal to chat %s: %s", asked.place.chat, error)


def where(event: Message | CallbackQuery) -> tuple[Place | None, int]:
    """The chat, the person and the message of an update; None where there is no chat (buttons of inline messages)."""
    message = event if isinstance(event, Message) else event.message
    if message is None:
        return None, 0
    # an administrator hidden behind his group writes as the group itself: nobody in particular
    hidden = isinstance(event, Message) and event.sender_chat is not None
    person = None if hidden or event.from_user is None else event.from_user
    chat = message.chat
    title = chat.title or chat.full_name or str(chat.id)
    return Place(chat.id, chat.type, title, person.id if person else None, person.language_code if person else None), message.message_id


def sentence(language: str, refused: Refused) -> str:
    """A refusal in the reader's language, with the wrong fields of a form."""
    text = translate(language, refused.message, **refused.params)
    if isinstance(refused, Invalid):
        text = "\n".join([text, *(translate(language, p.message, **p.params) for p in refused.problems)])
    return text
