# SPDX-License-Identifier: Apache-2.0
"""Generated from the route table: every page × {no session, too low a role, another customer's object, no CSRF token}.

A page added without rights, or with an object this test can't name, fails here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from aiohttp import web as http
from aiohttp.test_utils import TestServer

from engine.sdk import Page, Ref
from tests.web.conftest import Browser, NewBrowser, Visitor
from tests.web.house import Customer, House
from web.app import HOST
from web.visit import ROLES


def address_of(page: Page, customer: Customer) -> str:
    """The page's address with objects of this customer. KeyError for a placeholder nobody has explained here."""

    def fill(found: re.Match[str]) -> str:
        return str(EXAMPLES[(page.path.split("/")[1], found[1])](customer))

    return re.sub(r"\{(\w+)\}", fill, page.path)


EXAMPLES = {
    ("users", "id"): lambda c: c.users["user"],
    ("contacts", "id"): lambda c: c.contacts["user"],
    ("branches", "branch"): lambda c: Ref("groups.group", c.things["group"]),
    ("branches", "id"): lambda c: c.users["user"],
    ("telegram", "id"): lambda c: c.things["link"],
    ("system", "name"): lambda c: f"{c.name}-1.eml",
    ("system", "id"): lambda c: c.things["dead"],
    ("groups", "id"): lambda c: c.things["group"],
    ("menus", "id"): lambda c: c.things["menu"],
    ("numbers", "id"): lambda c: c.things["did"],
    ("rules", "id"): lambda c: c.things["rule"],
    ("trunks", "id"): lambda c: c.things["trunk"],
    ("schedules", "id"): lambda c: c.things["schedule"],
    ("special-days", "id"): lambda c: c.things["day"],
    ("number-lists", "id"): lambda c: c.things["list"],
    ("voice-files", "id"): lambda c: c.things["file"],
    ("calls", "id"): lambda c: c.things["call"],
    ("mailboxes", "of"): lambda c: Ref("core.user", c.users["user"]),
    ("voicemail", "id"): lambda c: c.things["message"],
    ("history", "id"): lambda c: c.things["revision"],
    ("history", "of"): lambda c: Ref("groups.group", c.things["group"]),
    ("fax-machines", "of"): lambda c: Ref("core.user", c.users["user"]),
    ("faxes", "id"): lambda c: c.things["fax"],
    ("faxes", "page"): lambda c: 1,
    ("notification-templates", "letter"): lambda c: "fax.fax",
    ("recordings", "id"): lambda c: c.things["recording"],
    ("callback", "of"): lambda c: Ref("groups.group", c.things["group"]),
    ("callback", "id"): lambda c: c.things["task"],
}


def table(server: TestServer) -> list[Page]:
    assert server.app is not None
    return server.app[HOST].table


def guarded(server: TestServer) -> Iterator[Page]:
    return (p for p in table(server) if p.role != "anyone")


async def status(browser: Browser, page: Page, address: str, csrf: str = "") -> tuple[int, str, str]:
    """(status, redirect, text) of the bare page; a stream is left as soon as its head has come."""
    data = {"csrf": csrf} if page.method == "POST" else None
    async with browser.http.request(page.method, browser.base + address, data=data, allow_redirects=False) as answer:
        text = "" if answer.content_type == "text/event-stream" else (await answer.read()).decode("utf-8", "replace")
        return answer.status, answer.headers.get("Location", ""), text


def test_every_route_is_in_the_table(server: TestServer) -> None:
    assert server.app is not None
    known = {(p.method, p.path) for p in table(server)}
    static = {("GET", "/static/{version}/{name}"), ("HEAD", "/static/{version}/{name}")}
    machines = {(method, path) for method in ("GET", "HEAD") for path in ("/healthz", "/readyz", "/metrics")}
    for route in server.app.router.routes():
        assert isinstance(route, http.ResourceRoute)
        assert route.resource is not None
        assert (route.method, route.resource.canonical) in known | static | machines
    open_to_all = {(p.method, p.path) for p in table(server) if p.role == "anyone"}
    assert open_to_all == {("GET", "/login"), ("POST", "/login"), ("POST", "/preferences")}


@pytest.mark.feature("ACC-6")
async def test_without_a_session_there_is_nothing(house: House, server: TestServer, browser: NewBrowser) -> None:
    stranger = browser()
    await stranger.get("/login")
    for page in guarded(server):
        code, where, text = await status(stranger, page, address_of(page, house.one), stranger.csrf)
        if page.method == "GET":
            assert (code, where.partition("?")[0]) == (303, "/login"), page.path
        else:
            assert code == 403, page.path
        assert house.one.name not in text
        assert "Ромашка" not in text


@pytest.mark.feature("ACC-4")
async def test_too_low_a_role_is_refused(house: House, server: TestServer, visitor: Visitor) -> None:
    for role in ("user", "manager"):
        low = await visitor(f"romashka-{role}")
        for page in guarded(server):
            refused = ROLES[page.role] > ROLES[role]
            if refused or page.method == "GET":  # what he may post is other tests' business
                code, _, _ = await status(low, page, address_of(page, house.one), low.csrf)
                assert code == (403 if refused else 200), (role, page.path)


@pytest.mark.feature("ACC-1")
async def test_another_customers_object_does_not_exist(house: House, server: TestServer, visitor: Visitor) -> None:
    foreign = await visitor("vasilek-admin")
    # kinds of letters are nobody's own; their wording is
    named = [p for p in guarded(server) if "{" in p.path and "{letter}" not in p.path]
    assert len(named) > 20
    for page in named:
        code, _, text = await status(foreign, page, address_of(page, house.one), foreign.csrf)
        assert code == 404, (page.method, page.path, code, text[:2000])
        assert "Ромашка" not in text


async def test_without_the_csrf_token_nothing_is_posted(house: House, server: TestServer, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    other = await visitor("romashka-manager")
    revision = house.ctx.snapshot(house.one.id).revision
    for page in table(server):
        if page.method == "POST":
            for token in ("", "x" * 32, other.csrf):
                code, _, _ = await status(admin, page, address_of(page, house.one), token)
                assert code == 403, page.path
    assert house.ctx.snapshot(house.one.id).revision == revision


async def test_a_form_from_another_site_is_refused_even_with_the_token(visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    async with admin.http.post(admin.base + "/logout", data={"csrf": admin.csrf}, headers={"Origin": "https://evil.example"}) as answer:
        assert answer.status == 403


async def test_every_page_answers_with_all_security_headers(house: House, server: TestServer, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    for page in guarded(server):
        if page.method == "GET":
            async with admin.http.get(admin.base + address_of(page, house.one)) as answer:
                assert answer.status == 200, page.path
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert page.name in ("notifications.letter.html", "notifications.preview") or "unsafe" not in policy
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                if answer.content_type == "text/html":
                    assert answer.headers["Cache-Control"] == "no-store"
