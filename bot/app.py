# SPDX-License-Identifier: Apache-2.0
"""The Telegram bot: started by the runtime for the role "bot" as `bot.app.run(ctx)`."""

from __future__ import annotations

import logging

from bot.courier import loaded
from engine.sdk import Context

log = logging.getLogger(__name__)


async def run(ctx: Context) -> None:
    """Serve Telegram until cancelled. Without a token says once what to do, and returns."""
    if not ctx.settings.bot.token:
        log.info("telegram bot: switched off. To switch it on, get a token from @BotFather and set bot.token (VATS_BOT__TOKEN)")
        return
    await (await loaded("bot.serving")).serve(ctx)
