# SPDX-License-Identifier: Apache-2.0
"""The Bot API client of this installation: made by the host for polling and by deliveries for sending."""

from __future__ import annotations

import logging

from aiogram import Bot
from aiogram.client.default import DefaultBotProperties
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.enums import ParseMode
from aiogram.types import LinkPreviewOptions
from aiogram.utils.token import TokenValidationError, validate_token

from engine.sdk import Settings, SettingsError

log = logging.getLogger(__name__)


def client(settings: Settings) -> Bot:
    """A client for the configured token and server. Close it with `bot.session.close()`.

    Text is HTML. Raises SettingsError when the token has not the form of one.
    """
    try:
        validate_token(settings.bot.token)
    except TokenValidationError as error:
        raise SettingsError("Settings: bot.token is not a Telegram bot token; @BotFather gives one like 123456:ABC….") from error
    session = AiohttpSession(api=TelegramAPIServer.from_base(settings.bot.api_url.rstrip("/")))
    defaults = DefaultBotProperties(parse_mode=ParseMode.HTML, link_preview=LinkPreviewOptions(is_disabled=True))
    return Bot(settings.bot.token, session=session, default=defaults)
