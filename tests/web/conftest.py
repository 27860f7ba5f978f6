# SPDX-License-Identifier: Apache-2.0
"""A served cabinet and browsers of all roles."""

from __future__ import annotations

import asyncio
import copy
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer
from argon2 import PasswordHasher

from engine.people import passwords
from tests.web.house import PASSWORD, Customer, House, furnish, opened
from web.app import make_app
from web.pages import login, profile

_CSRF = re.compile(r'name="csrf" (?:content|value)="([^"]+)"')


class Browser:
    """One visitor with his cookies; `post` takes the CSRF token from the last page."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        self.csrf = ""

    async def get(self, path: str, status: int = 200, **options: Any) -> str:
        async with self.http.get(self.base + path, allow_redirects=options.pop("follow", False), **options) as answer:
            text = await answer.text()
            assert answer.status == status, f"GET {path}: {answer.status}\n{text[:3000]}"
        self._remember(text)
        return text

    async def post(self, path: str, status: int = 303, csrf: str | None = None, **fields: Any) -> str:
        """The text, or for a redirect its address."""
        values = {"csrf": self.csrf if csrf is None else csrf, **fields}
        pairs = [(k, str(x)) for k, v in values.items() for x in (v if isinstance(v, list) else [v])]
        async with self.http.post(self.base + path, data=pairs, allow_redirects=False) as answer:
            text = await answer.text()
            assert answer.status == status, f"POST {path}: {answer.status}\n{text[:3000]}"
        self._remember(text)
        return answer.headers["Location"] if status == 303 else text

    def _remember(self, text: str) -> None:
        found = _CSRF.search(text)
        if found:
            self.csrf = found[1]

    async def log_in(self, name: str, password: str = PASSWORD) -> Browser:
        await self.get("/login")
        await self.post("/login", login=name, password=password)
        await self.get("/profile")
        return self

    async def close(self) -> None:
        await self.http.close()


NewBrowser = Callable[[], Browser]
Visitor = Callable[[str], Awaitable[Browser]]


CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""The real hashes take 50 ms each, and every test logs somebody in."""


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[Customer, Customer]]:
    folder = tmp_path_factory.mktemp("furnished") / "state"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_HASHER", CHEAP)
        return folder, asyncio.run(furnish(folder))


@pytest.fixture
async def house(
    tmp_path: Path, furnished: tuple[Path, tuple[Customer, Customer]], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    for limiter in (login.BY_ADDRESS, login.BY_LOGIN, profile.GUESSES):
        limiter.clear()
    monkeypatch.setattr(passwords, "_HASHER", CHEAP)
    source, customers = furnished
    state = tmp_path / "state"
    shutil.copytree(source, state)
    one, two = copy.deepcopy(customers)
    async with opened(state) as ctx:
        yield House(ctx, one, two)


@pytest.fixture
async def server(house: House) -> AsyncIterator[TestServer]:
    served = TestServer(await make_app(house.ctx), host="127.0.0.1")
    await served.start_server()
    yield served
    await served.close()


@pytest.fixture
async def browser(server: TestServer) -> AsyncIterator[NewBrowser]:
    opened: list[Browser] = []

    def make() -> Browser:
        opened.append(Browser(str(server.make_url("")).rstrip("/")))
        return opened[-1]

    yield make
    for one in opened:
        await one.close()


@pytest.fixture
async def visitor(browser: NewBrowser) -> Visitor:
    """A logged-in browser: `await visitor("romashka-admin")`."""

    async def make(name: str) -> Browser:
        return await browser().log_in(name)

    return make
