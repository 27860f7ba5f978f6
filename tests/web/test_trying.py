# SPDX-License-Identifier: Apache-2.0
"""“Check before saving”: what would become of the last calls, from the form as it is typed, with nothing saved."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser as Chromium
from playwright.async_api import expect

from engine.db import models
from engine.rehearsal import MOST_CALLS, prechecking
from engine.sdk import Ref
from plugins.ivr.part import Menu
from tests.web import test_browser
from tests.web.conftest import Visitor
from tests.web.house import House
from tests.web.test_browser import chromium, screen
from tests.web.test_history import words
from web import trying

__all__ = ["chromium"]  # a fixture

TELL = """() => new MutationObserver(() => {
  const place = document.querySelector(".trial");
  if (place) window.told(place.textContent);
}).observe(document.body, { childList: true, subtree: true })"""

BROWSER = test_browser.pytestmark
BOTH = pytest.mark.parametrize("language", ["ru", "en"])


def group_fields(house: House, **changed: str) -> dict[str, str]:
    one = house.one
    parent = f"groups.group:{one.things['root']}"
    return {"title": "Отдел продаж", "parent": parent, "priority": "1", "active": "1", "extension": "300", **changed}


@BOTH
async def test_calls_that_would_go_elsewhere_are_counted_and_shown(house: House, visitor: Visitor, language: str) -> None:
    admin = await visitor("romashka-admin")
    await admin.post("/preferences", language=language, back="/")
    menu = house.ctx.snapshot(house.one.id).get(Ref(Menu.kind, house.one.things["menu"]), Menu)
    assert menu is not None
    before, address = house.ctx.snapshot(house.one.id), f"/menus/{menu.id}"
    assert 'name="try"' in await admin.get(address)
    fields = {"title": "Другое имя", "parent": str(menu.parent), "file": str(menu.file), "active": "1", "key_1": "core.hangup:0"}
    page = await admin.post(address, 200, **{"try": "1"}, **fields)
    told = words(page)
    assert {"ru": "Ещё ничего не сохранено", "en": "Nothing is saved yet"}[language] in told
    assert {"ru": "пошли бы иначе", "en": "would go elsewhere"}[language] in told
    card = page.partition('id="tried"')[2].partition("</section>")[0]
    assert "/calls/" in card
    assert {"ru": "<h2>Проверка до сохранения</h2>", "en": "<h2>The check before saving</h2>"}[language] in card
    heads = {"ru": ("Сейчас", "Станет"), "en": ("Now", "Would be")}[language]
    assert "".join(f"<th>{head}</th>" for head in heads) in card
    assert 'value="Другое имя"' in page  # what was typed is still there
    assert house.ctx.snapshot(house.one.id) is before
    await admin.post(address, 303, **fields)  # and can be saved from there
    assert house.ctx.snapshot(house.one.id).revision == before.revision + 1


async def test_new_warnings_are_told(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    address = f"/groups/{house.one.things['group']}"
    await admin.get(address)
    told = words(await admin.post(address, 200, **{"try": "1"}, **group_fields(house, method="NONE")))
    assert "Никто никогда не ответит в группе «Отдел продаж»" in told or "Отдел продаж" in told.partition("Предупреждение")[2]
    assert "Предупреждение" in told


async def test_what_may_not_be_saved_is_told_as_ever(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    address = f"/groups/{house.one.things['group']}"
    await admin.get(address)
    before = house.ctx.snapshot(house.one.id)
    page = await admin.post(address, 422, **{"try": "1"}, **group_fields(house, extension="201"))
    assert "201" in words(page)
    assert 'id="tried"' not in page
    assert house.ctx.snapshot(house.one.id) is before


async def test_nothing_changed_is_said(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    address = f"/users/{house.one.users['user']}"
    await admin.get(address)
    page = await admin.post(address, 200, **{"try": "1"}, form="main", title="Ульяна Петрова", extension="203", active="1", language="ru")
    assert "Ничего не изменится" in words(page)


async def test_a_form_that_asks_before_deleting_is_only_tried_too(house: House, visitor: Visitor) -> None:
    """The button stands nowhere there; a forged field saves nothing all the same."""
    admin = await visitor("romashka-admin")
    before = house.ctx.snapshot(house.one.id)
    rule = f"/rules/{house.one.things['rule']}/delete"
    await admin.get(rule)
    await admin.post(rule, 200, **{"try": "1"})
    assert house.ctx.snapshot(house.one.id) is before


@pytest.mark.parametrize("path", ["/pbx", "/schedules/{schedule}", "/special-days/{day}", "/rules/{rule}", "/contacts/{contact}"])
async def test_the_button_stands_on_the_pages_that_decide_where_calls_go(house: House, visitor: Visitor, path: str) -> None:
    admin = await visitor("romashka-admin")
    assert 'name="try"' in await admin.get(path.format(**house.one.things, contact=house.one.contacts["user"]))


async def test_the_last_thousand_calls_are_tried(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    call = await models.CallRecord.of(house.one.id).filter(direction="in", did__not_isnull=True).first()
    assert call is not None
    fields = {name: getattr(call, name) for name in call._meta.fields_db_projection if name not in ("id", "call_id")}
    await models.CallRecord.bulk_create([models.CallRecord(**fields, call_id=f"past-{n}") for n in range(MOST_CALLS + 1)])
    address = f"/groups/{house.one.things['group']}"
    await admin.get(address)
    told = words(await admin.post(address, 200, **{"try": "1"}, **group_fields(house, title="Другое имя")))
    assert f"({MOST_CALLS})" in told
    assert json.loads(await admin.get("/check/trial")) == {"done": 0, "count": 0}  # it is over


@BROWSER
async def test_whoever_waits_sees_how_far_it_is(
    house: House, server: TestServer, chromium: Chromium, monkeypatch: pytest.MonkeyPatch
) -> None:
    going_on = asyncio.Event()

    async def slow(*arguments: Any) -> Any:
        arguments[-1](3)
        while not going_on.is_set():
            await asyncio.sleep(0)
        return await prechecking(*arguments)

    monkeypatch.setattr(trying, "prechecking", slow)
    shown = await screen(chromium, server)
    await shown.go(f"/groups/{house.one.things['group']}")
    await shown.page.fill("#settings #title", "Другое имя")
    told: asyncio.Queue[str] = asyncio.Queue()
    await shown.page.expose_function("told", told.put_nowait)
    await shown.page.evaluate(TELL)  # Playwright looks at nothing while an answer is outstanding
    await shown.page.click("button[name=try]", no_wait_after=True)
    assert re.fullmatch(r"Проверено вызовов: 3 из \d+", await asyncio.wait_for(told.get(), 15))
    going_on.set()
    await expect(shown.page.locator("#tried")).to_be_visible()
    await expect(shown.page.locator("#settings #title")).to_have_value("Другое имя")
    assert shown.complaints == []
