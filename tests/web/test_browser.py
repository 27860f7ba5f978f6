# SPDX-License-Identifier: Apache-2.0
"""The cabinet in a real browser: every page in both languages and widths without console errors, CSP violations or hurdles;
and what only a browser can show: drawer, tree, drag and drop, stream, player, secrets."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser as Chromium
from playwright.async_api import BrowserContext, ConsoleMessage, Error, Page, ViewportSize, async_playwright, expect

from engine.db import models
from engine.sdk import Ref, people
from tests.web.house import PASSWORD, SYSTEM, House
from tests.web.test_routes import address_of, guarded

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
)  # fmt: skip
SAID = "перезвоните мне пожалуйста"
"""By a caller, and written down (tests.web.house)."""
WIDE: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
AUDIT = (Path(__file__).parent / "audit.js").read_text("utf-8")

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")


@pytest.fixture
async def chromium() -> AsyncIterator[Chromium]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


class Screen:
    """A page that remembers everything the browser complained of."""

    def __init__(self, page: Page, base: str) -> None:
        self.page = page
        self.base = base
        self.complaints: list[str] = []
        page.on("console", self._heard)
        page.on("pageerror", self._failed)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{self.page.url}: {message.text}")

    def _failed(self, error: Error) -> None:
        self.complaints.append(f"{self.page.url}: {error}")

    async def go(self, path: str) -> None:
        await self.page.goto(self.base + path)

    async def log_in(self, name: str) -> None:
        await self.go("/login")
        await self.page.fill("#login", name)
        await self.page.fill("#password", PASSWORD)
        await self.page.click("button.primary")
        await self.page.wait_for_url(self.base + "/")


async def screen(
    chromium: Chromium,
    server: TestServer,
    who: str = "romashka-admin",
    *,
    size: ViewportSize = WIDE,
    language: str = "ru",
    dark: bool = False,
) -> Screen:
    context: BrowserContext = await chromium.new_context(viewport=size, color_scheme="dark" if dark else "light", has_touch=size == PHONE)
    base = str(server.make_url("")).rstrip("/")
    await context.add_cookies([{"name": "vats_language", "value": language, "url": base}])
    context.set_default_timeout(15_000)
    made = Screen(await context.new_page(), base)
    await made.log_in(who)
    return made


@pytest.mark.parametrize(("size", "language", "dark"), [(WIDE, "ru", False), (WIDE, "en", True), (PHONE, "ru", True), (PHONE, "en", False)])
async def test_every_page_is_clean(
    house: House, server: TestServer, chromium: Chromium, size: ViewportSize, language: str, dark: bool
) -> None:
    shown = await screen(chromium, server, size=size, language=language, dark=dark)
    house.ctx.registered = {house.one.contacts["admin"]}
    hurdles: list[str] = []
    visited = 0
    for page in guarded(server):
        if page.method != "GET" or page.path.endswith(("/sound", "/stream", "/file", "/html", "/preview", "/trial", "/{page}")):
            continue
        await shown.go(address_of(page, house.one))
        await shown.page.wait_for_function("() => !document.querySelector('meta[http-equiv=refresh]')")  # its work is done
        hurdles += [f"{page.path}: {hurdle}" for hurdle in await shown.page.evaluate(AUDIT)]
        if language == "en":
            text = await shown.page.inner_text("main")
            for known in ("Отдел продаж", "Главное меню", "Анна Админ", "Максим Руководитель", "Ульяна Петрова", "Приветствие", "Ромашка"):
                text = text.replace(known, "")
            for known in ("Оператор", "Главный", "Всем в меню", "Анна", "Пропущенный вызов", "Русский"):
                text = text.replace(known, "")
            for known in ("Рабочее время", "Будни", "Ночь", "Постоянные клиенты", "Инвентаризация", "Иванов", SAID):
                text = text.replace(known, "")
            hurdles += [f"{page.path}: Russian on an English page: {found}" for found in re.findall("[А-Яа-яЁё]{3,}", text)]
        visited += 1
    assert visited > 20
    assert shown.complaints == []
    assert hurdles == []


async def test_login_and_error_pages_are_clean(server: TestServer, chromium: Chromium) -> None:
    context = await chromium.new_context(viewport=PHONE)
    stranger = Screen(await context.new_page(), str(server.make_url("")).rstrip("/"))
    await stranger.go("/login")
    assert await stranger.page.evaluate(AUDIT) == []
    assert stranger.complaints == []
    shown = await screen(chromium, server)
    await shown.go("/calls/999999")
    await expect(shown.page.locator("main")).to_contain_text("Не найдено")


async def test_the_policy_stops_foreign_script(house: House, server: TestServer, chromium: Chromium) -> None:
    """The collector above would see a violation: a title with markup neither runs nor breaks the page."""
    async with house.ctx.edit(house.one.id, SYSTEM) as edit:
        await people.edit_user(
            edit, house.one.users["user"], people.UserWish(title="<script>document.title='ran'</script>", extension="203")
        )
    shown = await screen(chromium, server)
    await shown.go("/users")
    await expect(shown.page.locator("main")).to_contain_text("<script>document.title='ran'</script>")
    assert await shown.page.title() != "ran"
    await shown.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"document.title=`ran`\">')")
    await shown.page.wait_for_function("() => true")
    assert any("Content Security Policy" in c for c in shown.complaints)
    assert await shown.page.title() != "ran"


async def test_on_a_phone_the_menu_is_a_drawer(server: TestServer, chromium: Chromium) -> None:
    shown = await screen(chromium, server, size=PHONE)
    side, opener = shown.page.locator("#side"), shown.page.locator("[data-drawer]")
    await expect(side).to_be_hidden()
    await opener.click()
    await expect(side).to_be_visible()
    await expect(opener).to_have_attribute("aria-expanded", "true")
    await shown.page.keyboard.press("Escape")
    await expect(side).to_be_hidden()
    await expect(opener).to_be_focused()
    await opener.click()
    await side.get_by_text("Отдел продаж").click()
    await expect(shown.page.locator("h1")).to_have_text("Отдел продаж")
    assert shown.complaints == []


async def test_a_folded_branch_stays_folded(server: TestServer, chromium: Chromium) -> None:
    shown = await screen(chromium, server)
    fold = shown.page.get_by_role("button", name="Показать или скрыть содержимое «Отдел продаж»")
    member = shown.page.locator("#side").get_by_text("Ульяна Петрова")
    await expect(member).to_be_visible()
    await fold.press("Enter")
    await expect(member).to_be_hidden()
    await shown.go("/users")
    await expect(member).to_be_hidden()
    await fold.click()
    await expect(member).to_be_visible()


@pytest.mark.feature("ACC-5", "USR-1")
async def test_a_user_is_dragged_in_the_tree(house: House, server: TestServer, chromium: Chromium) -> None:
    shown = await screen(chromium, server)
    side = shown.page.locator("#side")
    await side.get_by_text("Ульяна Петрова").drag_to(side.get_by_text("Главное меню"))
    await expect(shown.page.locator("h1")).to_have_text("Главное меню")
    branches = people.branches_of(house.ctx.snapshot(house.one.id), house.one.users["user"])
    assert [b.ref for b in branches] == [Ref("ivr.menu", house.one.things["menu"])]
    assert shown.complaints == []


@pytest.mark.feature("STA-8")
async def test_live_calls_appear_and_go_by_themselves(house: House, server: TestServer, chromium: Chromium) -> None:
    shown = await screen(chromium, server)
    await shown.go("/live")
    main = shown.page.locator("main")
    await expect(main).to_contain_text("+7 903 111-22-33")
    await models.LiveCallRow.of(house.one.id).delete()
    house.ctx.ring("live", house.one.id)
    await expect(main).to_contain_text("Сейчас никто не разговаривает")
    assert shown.complaints == []


@pytest.mark.feature("STA-1")
async def test_the_player_seeks(house: House, server: TestServer, chromium: Chromium) -> None:
    shown = await screen(chromium, server)
    await shown.go(f"/calls/{house.one.things['call']}")
    await shown.page.wait_for_function("() => document.querySelector('audio').readyState >= 1")
    assert await shown.page.evaluate("document.querySelector('audio').duration") == pytest.approx(3, abs=0.05)
    await shown.page.evaluate("document.querySelector('audio').currentTime = 2")
    await shown.page.wait_for_function(
        "() => !document.querySelector('audio').seeking && document.querySelector('audio').currentTime === 2"
    )
    await shown.page.get_by_role("button", name="−5 с").click()
    await shown.page.wait_for_function("() => document.querySelector('audio').currentTime === 0")
    assert shown.complaints == []


async def test_a_form_whose_answer_leaves_the_page_may_be_sent_again(server: TestServer, chromium: Chromium) -> None:
    """The preview goes to a frame, the export is a file: a second press, or Save after it, still does its work."""
    shown = await screen(chromium, server)
    page = shown.page
    await shown.go("/notification-templates/fax.fax")
    await page.fill("#subject", "Факс {{number}}")
    preview = page.get_by_role("button", name="Предварительный просмотр")
    for subject in ("Первый", "Второй"):
        await page.fill("#html", f"<p>{subject}</p>")
        await preview.click()
        await expect(page.frame_locator("iframe[name=preview]").locator("p", has_text=subject)).to_be_visible()
    await page.get_by_role("button", name="Сохранить", exact=True).click()
    await expect(page.locator(".notice", has_text="Сохранено")).to_be_visible()
    await shown.go("/portable")
    for _ in range(2):
        async with page.expect_download():
            await page.get_by_role("button", name="Скачать").click()


async def test_the_keyboard_reaches_the_content_first(server: TestServer, chromium: Chromium) -> None:
    shown = await screen(chromium, server)
    await shown.page.keyboard.press("Tab")
    skip = shown.page.get_by_role("link", name="К содержанию")
    await expect(skip).to_be_focused()
    await expect(skip).to_be_in_viewport()
    await shown.page.keyboard.press("Enter")
    assert await shown.page.evaluate("document.activeElement.id") == "main"


async def test_a_wrong_field_takes_the_focus_and_the_fields_of_a_kind_hide(server: TestServer, chromium: Chromium) -> None:
    shown = await screen(chromium, server)
    await shown.go("/trunks/new")
    page = shown.page
    await expect(page.locator("#sources")).to_be_visible()
    await page.select_option("#registers", "yes")
    await expect(page.locator("#sources")).to_be_hidden()
    await page.fill("#title", "Оператор 2")
    await page.get_by_role("button", name="Сохранить").click()
    await expect(page.locator("#server")).to_be_focused()
    await expect(page.locator("#server-about")).to_have_text("Введите адрес сервера оператора.")


@pytest.mark.feature("USR-4")
@pytest.mark.parametrize("size", [WIDE, PHONE])
async def test_a_password_that_is_shown_once_is_seen_at_once(
    house: House, server: TestServer, chromium: Chromium, size: ViewportSize
) -> None:
    shown = await screen(chromium, server, size=size)
    await shown.go(f"/users/{house.one.users['user']}")
    form = shown.page.locator("form", has=shown.page.locator("#contact-password"))
    await form.locator("[name=address]").fill("desk-9")
    await form.get_by_role("button", name="Добавить").click()
    await expect(shown.page.locator("dd.secret").last).to_be_in_viewport(ratio=1)


async def test_language_and_colours_are_switched_in_the_menu(server: TestServer, chromium: Chromium) -> None:
    shown = await screen(chromium, server)
    await shown.page.get_by_label("Моя учётная запись").click()
    await shown.page.get_by_role("button", name="English").click()
    await expect(shown.page.locator("h1")).to_have_text("Overview")
    await shown.page.get_by_label("My account").click()
    await shown.page.get_by_role("button", name="Dark").click()
    await expect(shown.page.locator("html")).to_have_attribute("data-theme", "dark")
    assert await shown.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(17, 21, 19)"


async def test_the_audit_notices_what_it_is_for(server: TestServer, chromium: Chromium) -> None:
    shown = await screen(chromium, server)
    spoilt = (
        '<h1 class="muted" id="main">x</h1><input><button></button><p class="poor">grey on grey</p><div aria-describedby="nowhere"></div>'
        '<div class="table-wrap"><table><tr><td class="nowrap">' + "very wide " * 60 + "</td></tr></table></div>"
    )
    await shown.page.evaluate(f"document.querySelector('main').insertAdjacentHTML('beforeend', '{spoilt}')")
    await shown.page.evaluate("document.querySelector('.poor').style.setProperty('color', '#999')")
    found = " ".join(await shown.page.evaluate(AUDIT))
    wanted = ("id main is there twice", "2 h1", "no label", "no name", "contrast", "points at nothing", "inline style")
    for hurdle in (*wanted, "a table is cut"):
        assert hurdle in found
