# SPDX-License-Identifier: Apache-2.0
"""The Bot API client of this installation: made by the host for polling and by deliveries for sending."""

from __future__ import annotations

import logging
from pathlib import Path

from aiogram import Bot
from aiogram.client.default import DefaultBotProperties
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.enums import ParseMode
from aiogram.types import LinkPreviewOptions
from aiogram.utils.token import TokenValidationError, validate_token

from engine.sdk import Settings, SettingsError

log = logging.getLogger(__name__)


def client(settings: Settings) -> Bot | None:
    """A client for the configured token and server; None without a token. Close it with `bot.session.close()`.

    Text is HTML. Raises SettingsError when the token has not the form of one.
    """
    if not settings.bot.token:
        return None
    try:
        validate_token(settings.bot.token)
    except TokenValidationError as error:
        raise SettingsError("Settings: bot.token is not a Telegram bot token; @BotFather gives one like 123456:ABC….") from error
    session = AiohttpSession(api=TelegramAPIServer.from_base(settings.bot.api_url.rstrip("/")))
    defaults = DefaultBotProperties(parse_mode=ParseMode.HTML, link_preview=LinkPreviewOptions(is_disabled=True))
    return Bot(settings.bot.token, session=session, default=defaults)


def name_file(state: Path) -> Path:
    """Where the running bot leaves its user name, so that the cabinet can show a deep link."""
    return state / "telegram_bot"


def deep_link(settings: Settings, code: str) -> str:
    """https://t.me/<bot>?start=CODE; empty as long as the bot has never run."""
    file = name_file(settings.state)
    name = file.read_text("utf-8").strip() if file.exists() else ""
    return f"https://t.me/{name}?start={code}" if name else ""
