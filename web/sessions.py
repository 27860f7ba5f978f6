# SPDX-License-Identifier: Apache-2.0
"""Cabinet sessions as database rows: opened at login, found by cookie, closed at logout; used by the host."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from aiohttp import web as http

from engine.sdk import clock, models

IDLE: Final = timedelta(hours=12)
LONGEST: Final = timedelta(days=14)
_TOUCH_EVERY: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Opened:
    """A new session: `token` goes into the cookie and is kept nowhere else."""

    token: str
    row: models.WebSession


def _key(token: str) -> str:
    """What the row is found by: a copy of the database must not open anybody's cabinet."""
    return hashlib.sha256(token.encode()).hexdigest()


async def open_session(user: models.User, ip: str, user_agent: str) -> Opened:
    """Begin a session; the user's expired ones are swept away on the way."""
    now = clock.now()
    await models.WebSession.filter(user_id=user.id, expires__lt=now).delete()
    token = secrets.token_urlsafe(32)
    row = await models.WebSession.create(
        id=_key(token), account_id=user.account_id, user=user, created=now, seen=now, expires=now + IDLE, csrf=secrets.token_urlsafe(24),
        ip=ip, user_agent=user_agent[:300],
    )  # fmt: skip
    return Opened(token, row)


async def find_session(token: str) -> models.WebSession | None:
    """The live session of a cookie with its user, or None when it is unknown, expired, or the user may no longer log in."""
    now = clock.now()
    row = await models.WebSession.filter(id=_key(token), expires__gt=now).prefetch_related("user__account").first()
    if row is None:
        return None
    user: models.User = row.user
    if not user.active or not user.login or not user.account.active:
        await row.delete()
        return None
    if now - row.seen > _TOUCH_EVERY:
        row.seen = now
        row.expires = min(now + IDLE, row.created + LONGEST)
        await row.save(update_fields=["seen", "expires"])
    return row


async def close_session(token: str) -> None:
    await models.WebSession.filter(id=_key(token)).delete()


async def close_others(user_id: int, keep: str = "") -> int:
    """End every other session of a user: after a change of password, or when his login is taken away."""
    return await models.WebSession.filter(user_id=user_id).exclude(id=keep).delete()


def cookie_name(secure: bool) -> str:
    """The `__Host-` prefix ties the cookie to this host over https; browsers refuse it on plain http."""
    return "__Host-vats" if secure else "vats"


def set_cookie(response: http.StreamResponse, name: str, value: str, *, secure: bool, max_age: int | None = None) -> None:
    response.set_cookie(name, value, max_age=max_age, httponly=True, samesite="Lax", secure=secure, path="/")
