# SPDX-License-Identifier: Apache-2.0
"""Login, logout, and the choice of language and colours, which also strangers have."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

import msgspec
from aiohttp import web as http
from msgspec import Meta

from engine.sdk import LANGUAGES, N_, Page, Problem, models, people
from web.forms import Form
from web.host import THEMES
from web.limits import Limiter, guess
from web.sessions import close_session, cookie_name, open_session, set_cookie
from web.visit import Visit

BY_ADDRESS: Final = Limiter(30, timedelta(minutes=10))
BY_LOGIN: Final = Limiter(8, timedelta(minutes=5))
"""Of one login from one address, so that a stranger can't lock anybody out."""
_YEAR: Final = 365 * 24 * 3600


class LoginForm(msgspec.Struct, frozen=True):
    login: Annotated[str, Meta(min_length=1, max_length=100)]
    password: Annotated[str, Meta(min_length=1, max_length=200)]


async def login(visit: Visit) -> http.Response:
    target = _local(visit.text("next") or visit.query.get("next", ""))
    unsent = visit.unsent or visit.text("unsent")
    if visit.who is not None and not visit.is_post:
        return visit.go(target or visit.url("home"))
    form = Form(visit, LoginForm)
    if visit.is_post:
        with form.saving():
            user = await _authenticate(visit, form.read())
            opened = await open_session(user, visit.host.address(visit.request), visit.request.headers.get("User-Agent", ""))
            if visit.session is not None:  # logged in anew without logging out: the old session must not linger
                await close_session(visit.request.cookies.get(cookie_name(visit.host.secure), ""))
            visit.csrf = opened.row.csrf
            response = _again(visit, unsent) or visit.go(target or visit.url("home"))
            set_cookie(response, cookie_name(visit.host.secure), opened.token, secure=visit.host.secure)
            return response
    return visit.render("shell/login.html", status=403 if visit.unsent else form.status, form=form, next=target, unsent=unsent)


class Unsent(msgspec.Struct, frozen=True):
    """A form that was posted after the end of its session (`web.host`)."""

    path: str
    fields: list[tuple[str, str]]


def _again(visit: Visit, unsent: str) -> http.Response | None:
    """The page that offers to send it once more; None when there is nothing to send."""
    if not unsent:
        return None
    try:
        form = msgspec.json.decode(unsent, type=Unsent)
    except msgspec.DecodeError:
        return None
    return visit.render("shell/again.html", unsent=form) if _local(form.path) else None


async def _authenticate(visit: Visit, form: LoginForm) -> models.User:
    address = visit.host.address(visit.request)
    key = f"{address} {form.login.casefold()}"
    with guess((BY_ADDRESS, address), (BY_LOGIN, key)):
        user = await models.User.filter(login__iexact=form.login, active=True, account__active=True).prefetch_related("account").first()
        if not await people.verify_password(user.password_hash if user else None, form.password) or user is None:
            raise Problem("password", N_("Wrong login or password."))
    BY_LOGIN.forget(key)
    return user


def _local(target: str) -> str:
    """An address to go on to, only within the cabinet."""
    return target if target.startswith("/") and not target.startswith(("//", "/\\")) and "\n" not in target and "\r" not in target else ""


async def logout(visit: Visit) -> http.Response:
    await close_session(visit.request.cookies.get(cookie_name(visit.host.secure), ""))
    response = visit.go(visit.url("login"), message=visit.t("You are logged out."))
    response.del_cookie(cookie_name(visit.host.secure), path="/")
    return response


async def preferences(visit: Visit) -> http.Response:
    """Language and colours of this browser."""
    response = visit.go(_local(visit.text("back")) or "/")
    for name, allowed in (("language", LANGUAGES), ("theme", THEMES)):
        if visit.text(name) in allowed:
            set_cookie(response, f"vats_{name}", visit.text(name), secure=visit.host.secure, max_age=_YEAR)
    return response


PAGES = (
    Page("GET", "/login", login, "anyone", name="login"),
    Page("POST", "/login", login, "anyone"),
    Page("POST", "/logout", logout, "user", name="logout"),
    Page("POST", "/preferences", preferences, "anyone", name="preferences"),
)
