# SPDX-License-Identifier: Apache-2.0
"""Login, logout, sessions, the limit of attempts, language."""

from __future__ import annotations

import asyncio
import html
import json
import re
from itertools import islice
from typing import Final

import pytest

from engine import people
from engine.db import models
from tests.web.conftest import Browser, NewBrowser, Visitor
from tests.web.house import PASSWORD, House


@pytest.mark.feature("ACC-2")
async def test_a_user_logs_in_and_out(house: House, browser: NewBrowser) -> None:
    anna = browser()
    assert "/login" in (await anna.http.get(anna.base + "/", allow_redirects=False)).headers["Location"]
    await anna.get("/login")
    assert await anna.post("/login", login="romashka-admin", password=PASSWORD) == "/"
    page = await anna.get("/")
    assert "Анна Админ" in page
    assert await anna.post("/logout") == "/login"
    await anna.get("/", status=303)
    assert await models.WebSession.all().count() == 0


async def test_a_wrong_password_is_refused_in_the_users_language(house: House, browser: NewBrowser) -> None:
    stranger = browser()
    await stranger.get("/login", headers={"Accept-Language": "en"})
    page = await stranger.post("/login", status=422, login="romashka-admin", password="wrong")
    assert "Wrong login or password." in page or "Неверный логин или пароль." in page
    assert 'aria-invalid="true"' in page
    assert await models.WebSession.all().count() == 0


async def test_guessing_is_limited_and_the_right_password_waits_too(house: House, browser: NewBrowser) -> None:
    stranger = browser()
    await stranger.get("/login")
    for _ in range(8):
        await stranger.post("/login", status=422, login="romashka-admin", password="wrong")
    page = await stranger.post("/login", status=422, login="romashka-admin", password=PASSWORD)
    assert "попыток" in page
    other = browser()
    await other.get("/login")
    await other.post("/login", login="vasilek-admin", password=PASSWORD)  # nobody else is locked out


async def test_guesses_sent_all_at_once_are_limited_too(house: House, browser: NewBrowser, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at, go_on = 0, asyncio.Event()

    async def slow(kept: str | None, password: str) -> bool:
        nonlocal looked_at
        looked_at += 1
        await go_on.wait()
        return False

    monkeypatch.setattr(people, "verify_password", slow)
    stranger = browser()
    await stranger.get("/login")
    async with asyncio.TaskGroup() as group:
        posts = [group.create_task(stranger.post("/login", status=422, login="romashka-admin", password=f"x{n}")) for n in range(20)]
        first = [await task for task in islice(asyncio.as_completed(posts, timeout=20), 12)]  # while the others are looked at
        go_on.set()
    assert all("попыток" in page for page in first)
    assert looked_at == 8


@pytest.mark.feature("ACC-6")
async def test_a_user_whose_login_is_taken_away_is_out_at_once(house: House, visitor: Visitor) -> None:
    worker = await visitor("romashka-user")
    await models.User.filter(id=house.one.users["user"]).update(login=None)
    await worker.get("/profile", status=303)


async def test_the_cookie_is_not_readable_by_scripts_and_stays_on_this_site(house: House, browser: NewBrowser) -> None:
    anna = browser()
    await anna.get("/login")
    async with anna.http.post(
        anna.base + "/login", data={"csrf": anna.csrf, "login": "romashka-admin", "password": PASSWORD}, allow_redirects=False
    ) as answer:
        cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    token = cookie.partition("=")[2].partition(";")[0]
    assert not await models.WebSession.filter(id=token).exists()  # the database keeps a digest only


@pytest.mark.parametrize("wish", ["//evil.example", "https://evil.example", "/\\evil.example"])
async def test_login_never_leads_to_another_site(house: House, browser: NewBrowser, wish: str) -> None:
    anna = browser()
    await anna.get("/login")
    assert await anna.post("/login", login="romashka-admin", password=PASSWORD, next=wish) == "/"


async def test_the_language_can_be_switched_before_and_after_login(house: House, browser: NewBrowser) -> None:
    anna = browser()
    assert "Вход в личный кабинет" in await anna.get("/login")
    await anna.post("/preferences", language="en", back="/login")
    assert "Log in to the cabinet" in await anna.get("/login")
    await anna.log_in("romashka-admin")
    assert "Overview" in await anna.get("/")
    await anna.post("/preferences", language="ru", back="/")
    assert "Обзор" in await anna.get("/")


class TestAFormSentAfterTheEndOfTheSession:
    """Nothing that somebody has typed is lost."""

    FIELDS: Final = {"form": "main", "title": "Гена & <Ко>", "extension": "277", "forbidden_prefixes": "8810\n8900"}

    async def send(self, visitor: Visitor, **headers: str) -> tuple[Browser, int, str]:
        anna = await visitor("romashka-admin")
        await models.WebSession.all().delete()
        made = {"Origin": anna.base, **headers}
        async with anna.http.post(anna.base + "/users/new", data={"csrf": anna.csrf, **self.FIELDS}, headers=made) as answer:
            text = await answer.text()
        anna._remember(text)
        return anna, answer.status, text

    @pytest.mark.feature("ACC-2")
    async def test_is_kept_over_the_login(self, house: House, visitor: Visitor) -> None:
        before = await models.User.all().count()
        anna, status, text = await self.send(visitor)
        assert status == 403
        kept = html.unescape(re.findall(r'name="unsent" value="([^"]+)"', text)[0])
        assert await anna.post("/login", status=422, login="romashka-admin", password="wrong", unsent=kept)
        page = await anna.post("/login", status=200, login="romashka-admin", password=PASSWORD, unsent=kept)
        assert 'action="/users/new"' in page
        fields = {name: html.unescape(value) for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page)}
        assert await models.User.all().count() == before, "nothing is saved before its author says so"
        assert {k: v for k, v in fields.items() if k not in ("csrf", "back")} == self.FIELDS
        assert (await anna.post("/users/new", csrf=fields["csrf"], **self.FIELDS)).startswith("/users/")
        assert await models.User.filter(title="Гена & <Ко>", extension="277").exists()

    @pytest.mark.parametrize("origin", ["http://evil.test", "null", ""])
    async def test_is_not_taken_from_another_site(self, house: House, visitor: Visitor, origin: str) -> None:
        _, status, text = await self.send(visitor, Origin=origin)
        assert status == 403
        assert "unsent" not in text
        assert "Гена" not in text

    async def test_goes_nowhere_but_to_the_cabinet(self, house: House, browser: NewBrowser) -> None:
        anna = browser()
        await anna.get("/login")
        for path in ("https://evil.test/", "//evil.test/", "javascript:alert(1)"):
            unsent = json.dumps({"path": path, "fields": [["a", "b"]]})
            assert await anna.post("/login", login="romashka-admin", password=PASSWORD, unsent=unsent) == "/"
            await anna.get("/profile")


async def test_the_language_chosen_before_the_login_stays(house: House, browser: NewBrowser) -> None:
    anna = browser()
    await anna.get("/login")
    assert await anna.post("/preferences", language="en", back="/login") == "/login"
    await anna.get("/login")
    await anna.post("/login", login="romashka-admin", password=PASSWORD)
    assert '<html lang="en"' in await anna.get("/")
