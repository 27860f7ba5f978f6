# SPDX-License-Identifier: Apache-2.0
"""One's own settings (ACC-4): password, PIN, language, one's contacts' active flag, time-out and schedule."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final, Literal

import msgspec
from aiohttp import web as http
from msgspec import Meta

from engine.sdk import N_, Condition, NotFound, Page, Problem, User, models, people, translate
from web.forms import Form
from web.limits import Limiter, guess
from web.picker import check_choice, elements
from web.sessions import close_others
from web.visit import Visit

GUESSES: Final = Limiter(6, timedelta(minutes=10))


class PasswordForm(msgspec.Struct, frozen=True):
    present: Annotated[str, Meta(min_length=1, max_length=200)]
    password: Annotated[str, Meta(min_length=1, max_length=200)]
    again: Annotated[str, Meta(min_length=1, max_length=200)]


class OwnForm(msgspec.Struct, frozen=True):
    language: Literal["ru", "en"] = "ru"
    pin: str | None = None


async def profile(visit: Visit) -> http.Response:
    element = visit.snapshot.users.get(visit.user.id)
    if element is None:
        raise NotFound()
    forms: dict[str, Form[Any]] = {
        "password": Form(visit, PasswordForm, None, "password"),
        "own": Form(visit, OwnForm, element, "own"),
        **{f"contact{c.id}": Form(visit, people.OwnContactWish, c, f"contact{c.id}") for c in element.contacts},
    }
    schedules = elements(visit, Condition)
    if visit.is_post and visit.text("form") in forms:
        form = forms[visit.text("form")]
        with form.saving():
            wish = form.read()
            await _save(visit, element, wish, schedules)
            other = wish.language if isinstance(wish, OwnForm) and wish.language != element.language else ""
            response = visit.go(visit.url("profile"), message=translate(other or visit.language, "Saved."))
            if other:
                response.del_cookie("vats_language", path="/")  # the wish just saved must win over this browser's older one
            return response
    return visit.render(
        "shell/profile.html",
        status=next((f.status for f in forms.values() if not f.ok), 200),
        element=element,
        forms=forms,
        schedules=schedules,
        present=visit.ctx.presence(visit.account_id),
    )


async def _save(visit: Visit, element: User, wish: msgspec.Struct, schedules: Any) -> None:
    if isinstance(wish, PasswordForm):
        await _change_password(visit, wish)
    elif isinstance(wish, OwnForm):
        async with visit.edit() as edit:
            await people.set_own(edit, element.id, wish.language, wish.pin)
    elif isinstance(wish, people.OwnContactWish):
        check_choice("schedule", wish.schedule, schedules)
        contact_id = int(visit.text("form").removeprefix("contact"))
        async with visit.edit() as edit:
            await people.edit_own_contact(edit, element.id, contact_id, wish)


async def _change_password(visit: Visit, wish: PasswordForm) -> None:
    key = str(visit.user.id)
    row = await models.User.of(visit.account_id).fetch(visit.user.id)
    with guess((GUESSES, key)):
        if not await people.verify_password(row.password_hash, wish.present):
            raise Problem("present", N_("This is not your present password."))
    if wish.password != wish.again:
        raise Problem("again", N_("The passwords differ."))
    people.check_password("password", wish.password, row.login or "")
    row.password_hash = await people.hash_password(wish.password)
    await row.save(update_fields=["password_hash"])
    await close_others(row.id, keep=visit.session.id if visit.session else "")
    GUESSES.forget(key)


PAGES = (
    Page("GET", "/profile", profile, "user", name="profile"),
    Page("POST", "/profile", profile, "user"),
)
