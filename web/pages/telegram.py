# SPDX-License-Identifier: Apache-2.0
"""Linking a Telegram chat to one's cabinet user by a one-time code, and unlinking (BOT-1)."""

from __future__ import annotations

from aiohttp import web as http

from engine.sdk import Alerted, NotFound, Page, clock, models, people
from web.visit import Visit


async def telegram(visit: Visit) -> http.Response:
    now = clock.now()
    code = await models.TelegramCode.of(visit.account_id).filter(user_id=visit.user.id, expires_at__gt=now).order_by("-id").first()
    links = await models.TelegramLink.of(visit.account_id).filter(user_id=visit.user.id).order_by("id")
    settings = visit.ctx.settings
    link = people.deep_link(settings.state, code.code) if code else ""
    found: list[object] = list(visit.snapshot.elements())
    alerted = [e for e in found if isinstance(e, Alerted)]
    told = {row.id: [e for e in alerted if row.chat_id in e.missed_chats] for row in links}
    return visit.render(
        "shell/telegram.html", code=code, link=link, links=links, told=told, groups=alerted, enabled=bool(settings.bot.token)
    )


async def new_code(visit: Visit) -> http.Response:
    """A fresh code; earlier ones of this user no longer work."""
    await people.new_telegram_code(visit.account_id, visit.user.id)
    return visit.go(visit.url("telegram"))


async def unlink(visit: Visit) -> http.Response:
    gone = await models.TelegramLink.of(visit.account_id).filter(user_id=visit.user.id, id=visit.id()).delete()
    if not gone:
        raise NotFound()
    return visit.go(visit.url("telegram"), message=visit.t("The chat is unlinked."))


PAGES = (
    Page("GET", "/telegram", telegram, "user", name="telegram"),
    Page("POST", "/telegram/code", new_code, "user", name="telegram.code"),
    Page("POST", "/telegram/{id}/unlink", unlink, "user", name="telegram.unlink"),
)
