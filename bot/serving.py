# SPDX-License-Identifier: Apache-2.0
"""The bot at work: polling, commands, its name and menu at Telegram; loaded by `bot.app` when there is a token."""

from __future__ import annotations

import logging

from aiogram import Bot
from aiogram import types as telegram
from aiogram.types import BotCommandScopeDefault

from bot.client import client
from bot.commands import HostCommands
from bot.dispatch import dispatcher
from bot.polling import Poller
from engine.sdk import LANGUAGES, Context, SettingsError, people, translate

log = logging.getLogger(__name__)


async def serve(ctx: Context) -> None:
    """Until cancelled. With a token that is none, says so once and returns."""
    try:
        bot = client(ctx.settings)
    except SettingsError as error:
        log.error("telegram bot: switched off. %s", error)
        return
    commands = HostCommands([command for _, command in ctx.registry.bot_commands()])
    try:
        await Poller(bot, dispatcher(ctx, commands.table), lambda b: _introduce(ctx, b, commands)).run()
    finally:
        await bot.session.close()


async def _introduce(ctx: Context, bot: Bot, commands: HostCommands) -> None:
    """Tell Telegram who we are: no webhook, the menu in both languages; leave the bot's name where the cabinet finds it."""
    me = await bot.me()
    await bot.delete_webhook()
    for language in LANGUAGES:
        menu = [telegram.BotCommand(command=c.name, description=translate(language, c.title)) for c in commands.menu()]
        await bot.set_my_commands(menu, scope=BotCommandScopeDefault(), language_code=language)
        if language == LANGUAGES[0]:
            await bot.set_my_commands(menu, scope=BotCommandScopeDefault())
    people.bot_name_file(ctx.settings.state).write_text(me.username or "", "utf-8")
    log.info("telegram bot: @%s is on", me.username)
