# SPDX-License-Identifier: Apache-2.0
"""The configuration down and up in the cabinet: who may, what is said of bad files in both languages, nothing half saved."""

from __future__ import annotations

import json
import re

import aiohttp
import pytest

from engine import people
from tests.portable.houses import fresh_account
from tests.web.conftest import Browser, Visitor
from tests.web.house import PASSWORD, SYSTEM, House


@pytest.fixture
async def newcomer(house: House, visitor: Visitor) -> tuple[int, Browser]:
    """An account without settings, and its administrator's browser."""
    account = await fresh_account(house.ctx)
    (user,) = house.ctx.snapshot(account).users
    login = await people.ready_login(people.LoginWish(login="newcomer", role="admin", password=PASSWORD))
    async with house.ctx.edit(account, SYSTEM) as edit:
        await people.set_login(edit, user, login)
    return account, await visitor("newcomer")


async def upload(browser: Browser, content: bytes, csrf: str | None = None) -> tuple[int, str]:
    form = aiohttp.FormData({"csrf": browser.csrf if csrf is None else csrf, "form": "arrive"})
    form.add_field("file", content, filename="vats.json", content_type="application/json")
    async with browser.http.post(browser.base + "/portable/import", data=form, allow_redirects=False) as answer:
        return answer.status, await answer.text()


async def download(browser: Browser, **fields: str) -> tuple[bytes, str]:
    await browser.get("/portable")
    data = {"csrf": browser.csrf, "form": "leave", **fields}
    async with browser.http.post(browser.base + "/portable/export", data=data) as answer:
        assert answer.status == 200
        return await answer.read(), answer.headers.get("Content-Disposition", "")


async def test_down_with_and_without_secrets(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    bare, name = await download(admin)
    assert re.fullmatch(r'attachment; filename="vats-1001-\d+\.json"', name)
    assert json.loads(bare)["secrets"] is False
    assert b"long-enough-1" not in bare
    secret, _ = await download(admin, secrets="1")
    assert b"long-enough-1" in secret
    assert "Василёк".encode() not in secret


async def test_up_into_an_empty_account(house: House, visitor: Visitor, newcomer: tuple[int, Browser]) -> None:
    account, browser = newcomer
    data, _ = await download(await visitor("romashka-admin"), secrets="1")
    told = json.loads(data)
    told["parts"]["core"]["dids"][0]["number"] = "+74957654321"  # this installation has the other one already
    await browser.get("/portable")
    status, _ = await upload(browser, json.dumps(told).encode())
    assert status == 303
    there = house.ctx.snapshot(account)
    assert [g.title for g in there.branches(there.root.ref if there.root else None)] == ["Отдел продаж", "Главное меню"]
    assert "Администратор" in [user.title for user in there.core.users]  # the file has no owner: this one stays
    await browser.get("/")  # and is still in


BAD = {
    "zip": (b"PK\x03\x04" + b"\0" * 100, "Это не файл настроек VATS", "This is no configuration file of VATS"),
    "empty": (b"", "Это не файл настроек VATS", "This is no configuration file of VATS"),
    "newer": (b'{"format":"vats.configuration","version":99,"parts":{}}', "создан более новой версией", "made by a newer version"),
    "nothing": (b'{"format":"vats.configuration","version":1,"parts":{}}', "нет основных настроек", "no main settings"),
    "large": (b" " * (18 * 1024 * 1024), "Файл слишком большой", "The file is too large"),
    "deep": (b"[" * 200_000, "Это не файл настроек VATS", "This is no configuration file of VATS"),
}  # fmt: skip


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("case", BAD)
async def test_bad_files_are_told_and_leave_nothing(house: House, newcomer: tuple[int, Browser], case: str, language: str) -> None:
    account, browser = newcomer
    before = house.ctx.snapshot(account)
    await browser.post("/preferences", language=language, back="/")
    await browser.get("/portable")
    content, russian, english = BAD[case]
    status, page = await upload(browser, content)
    assert 400 <= status < 500
    assert (russian if language == "ru" else english) in page
    assert house.ctx.snapshot(account) == before


@pytest.mark.parametrize(("language", "words"), [("ru", "уже есть настройки"), ("en", "has settings already")])
async def test_not_over_settings_that_are_there(house: House, visitor: Visitor, language: str, words: str) -> None:
    admin = await visitor("romashka-admin")
    data, _ = await download(admin)
    before = house.ctx.snapshot(house.one.id)
    await admin.post("/preferences", language=language, back="/")
    await admin.get("/portable")
    status, page = await upload(admin, data)
    assert status == 422
    assert words in page
    assert house.ctx.snapshot(house.one.id) == before


async def test_roles_and_csrf(house: House, visitor: Visitor) -> None:
    for role in ("user", "manager"):
        low = await visitor(f"romashka-{role}")
        await low.get("/portable", 403)
        await low.post("/portable/export", 403, secrets="1")
        assert (await upload(low, b"{}"))[0] == 403
    admin = await visitor("romashka-admin")
    assert (await upload(admin, b"{}", csrf="x"))[0] == 403
    await admin.post("/portable/export", 403, csrf="x")
