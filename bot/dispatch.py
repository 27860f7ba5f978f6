# SPDX-License-Identifier: Apache-2.0
"""The table of commands and buttons: host's and plugins', each behind its right; built once by `bot.app`."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from aiogram import Dispatcher, F, Router
from aiogram.enums import ChatMemberStatus, ChatType
from aiogram.filters import Command, CommandObject
from aiogram.types import CallbackQuery, ChatMemberUpdated, Message

from bot.asked import Asked
from bot.edge import Edge
from engine.sdk import N_, BotCommand, Context, PluginError, Refused, models

log = logging.getLogger(__name__)


def dispatcher(ctx: Context, commands: Iterable[BotCommand]) -> Dispatcher:
    """An aiogram dispatcher that serves `commands`. Raises PluginError when two claim one name or one button."""
    table = list(commands)
    check(table)
    dp = Dispatcher(disable_fsm=True)
    edge = Edge(ctx)
    dp.message.outer_middleware(edge)
    dp.callback_query.outer_middleware(edge)
    router = Router(name="commands")
    for command in table:
        if command.name:
            router.message.register(_on_command(command), Command(command.name))
        for prefix in command.callbacks:
            router.callback_query.register(_on_press(command, prefix), F.data.startswith(prefix))
    router.message.register(_moved, F.migrate_to_chat_id)
    router.message.register(_unknown, F.chat.type == ChatType.PRIVATE)
    router.callback_query.register(_stale)
    router.my_chat_member.register(_left)
    dp.include_router(router)
    return dp


def check(table: Iterable[BotCommand]) -> None:
    names: set[str] = set()
    for command in table:
        for claim in ([command.name] if command.name else []) + list(command.callbacks):
            if claim in names:
                raise PluginError(f"Two bot commands claim {claim!r}.")
            names.add(claim)
        if any(not prefix.endswith(":") for prefix in command.callbacks):
            raise PluginError(f"The callbacks of /{command.name} must end with a colon: {command.callbacks}.")


Handler = Callable[..., Awaitable[None]]


def _on_command(command: BotCommand) -> Handler:
    async def serve(_: Message, asked: Asked, command_object: CommandObject) -> None:
        asked.command, asked.argument = command.name, (command_object.args or "").strip()
        asked.require(command.role)
        await command.handler(asked)

    async def entry(message: Message, asked: Asked, **data: Any) -> None:
        await serve(message, asked, data["command"])

    return entry


def _on_press(command: BotCommand, prefix: str) -> Handler:
    async def entry(press: CallbackQuery, asked: Asked) -> None:
        asked.command, asked.argument = prefix, (press.data or "").removeprefix(prefix)
        asked.require(command.role)
        await command.handler(asked)

    return entry


async def _unknown(_: Message, asked: Asked) -> None:
    raise Refused(N_("I don't know this command. /help lists what I can do."))


async def _stale(_: CallbackQuery, asked: Asked) -> None:
    raise Refused(N_("This button no longer works."))


async def _moved(message: Message) -> None:
    """A group became a supergroup and has another number now."""
    if message.migrate_to_chat_id:
        await models.TelegramLink.filter(chat_id=message.chat.id).update(chat_id=message.migrate_to_chat_id, chat_type=ChatType.SUPERGROUP)
        log.info("telegram group %s is %s now", message.chat.id, message.migrate_to_chat_id)


async def _left(event: ChatMemberUpdated) -> None:
    """The bot was put out of a group: the group belongs to nobody again."""
    gone = event.new_chat_member.status in (ChatMemberStatus.LEFT, ChatMemberStatus.KICKED)
    if gone and event.chat.type != ChatType.PRIVATE:
        await models.TelegramLink.filter(chat_id=event.chat.id).delete()
        log.info("telegram group %s has put the bot out, its links are gone", event.chat.id)
