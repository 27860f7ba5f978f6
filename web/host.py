# SPDX-License-Identifier: Apache-2.0
"""The host of the pages: routes, sessions, CSRF, roles, templates; one per process, made by `web.app`."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import aiohttp_jinja2
from aiohttp import web as http
from multidict import MultiDict, MultiDictProxy

from engine.sdk import (
    LANGUAGES,
    Clash,
    Conflict,
    Context,
    Forbidden,
    NotFound,
    Page,
    PluginError,
    Refused,
    SettingsError,
    decrypt,
    encrypt,
    models,
    with_plugins,
)
from web.checking import Checks
from web.gone import gone
from web.headers import add_headers
from web.sessions import cookie_name, find_session, set_cookie
from web.trying import Trials
from web.visit import Post, Visit

STATIC: Final = Path(__file__).parent / "static"
THEMES: Final = ("auto", "light", "dark")
SMALL_BODY: Final = 512 * 1024
LARGEST_UNSENT: Final = 64 * 1024
LARGE_BODY: Final = 17 * 1024 * 1024
"""A voice file of 15 MB and its form around it (DIR-2)."""
VISIT: Final = http.RequestKey("visit", Visit)
STRANGER: Final = http.RequestKey("stranger", str)
"""A CSRF cookie that this request's answer must set."""


class Host:
    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.stopping = asyncio.Event()
        self.largest_body = LARGE_BODY
        self.secure = ctx.settings.public_url.startswith("https://")
        self.pages: dict[str, Page] = {}
        self.table: list[Page] = []
        self.sentences = with_plugins(ctx.registry.sentences())
        self.checks = Checks(ctx)
        self.trials: Trials = {}
        self.static_version = _digest_of(STATIC)

    # routes -----------------------------------------------------------------------------------------------------------

    def mount(self, app: http.Application, pages: Iterable[Page], owner: str) -> None:
        """Add pages; two pages at one address, or of one name at two addresses, stop the start with a sentence."""
        for page in pages:
            if any(p.method == page.method and p.path == page.path for p in self.table):
                raise PluginError(f"Two pages answer {page.method} {page.path}; the second one comes from {owner}.")
            known = self.pages.get(page.name)
            if page.name and known is not None and known.path != page.path:
                raise PluginError(f"Two pages are called {page.name}: {known.path} and {page.path} ({owner}).")
            self.table.append(page)
            if page.name and (known is None or page.method == "GET"):
                self.pages[page.name] = page
            resource = app.router.add_resource(page.path)
            resource.add_route(page.method, self._guard(page))

    def url(self, name: str, /, **params: object) -> str:
        page = self.pages.get(name)
        if page is None:
            raise PluginError(f"No page is called {name}.")
        path = page.path
        rest: dict[str, str] = {}
        for key, value in params.items():
            place = f"{{{key}}}"
            if place in path:
                path = path.replace(place, quote(str(value), safe=""))
            elif value not in (None, ""):
                rest[key] = str(value)
        return path + ("?" + urlencode(rest) if rest else "")

    def icon(self, kind: str) -> str:
        """Of a kind of element: that of the page that shows it."""
        page = self.pages.get(kind)
        return page.icon if page and page.icon else "dot"

    def _guard(self, page: Page) -> Callable[[http.Request], Awaitable[http.StreamResponse]]:
        """Session, role and CSRF come before the handler, for every page alike."""

        async def handle(request: http.Request) -> http.StreamResponse:
            visit = await self.arrive(request, page)
            if page.role != "anyone" and visit.who is None:
                if page.method == "GET" and not _from_script(request):
                    wish = request.path_qs if request.path != "/" else ""
                    return http.Response(status=303, headers={"Location": self.url("login", next=wish)})
                visit.unsent = await self._unsent(request, visit) if page.method == "POST" else ""
                if visit.unsent:
                    login: http.StreamResponse = await self.pages["login"].handler(visit)
                    return login
                raise Forbidden("Your session has ended. Please log in again.")
            visit.require(page.role)
            if page.method == "POST":
                self._check_origin(request)
                visit.posted = await self._read_post(request, visit)
                if not visit.csrf_fits(request.headers.get("X-CSRF-Token", "") or visit.text("csrf")):
                    raise Forbidden("This form is out of date. Reload the page and try again.")
            try:
                response: http.StreamResponse = await page.handler(visit)
            except Clash:
                response = await self._shown_again(visit)
            except NotFound:
                shown = self.shows(page) if page.method == "POST" else None
                found = await gone(visit, shown.name) if shown is not None else None
                if found is None:
                    raise
                visit.refuse_edits(*found)
                response = await page.handler(visit)
            return response

        return handle

    def shows(self, page: Page) -> Page | None:
        """The page whose form is posted to this one: the GET at the same address."""
        return next((p for p in self.table if p.method == "GET" and p.path == page.path), None)

    async def _shown_again(self, visit: Visit) -> http.StreamResponse:
        """The page of a form that would overwrite others' work, as the save would make it: with what was typed, and with all that others
        have changed and the form has not. Where the save would leave nothing to show, as it is now."""
        shown, clashed = self.shows(visit.page), visit.clashed
        if shown is None or clashed is None:
            raise Conflict
        for whole in (clashed.clash.now if clashed.clash.whole else clashed.clash.mine, clashed.clash.now):
            visit.show_again(whole)
            try:
                response: http.StreamResponse = await shown.handler(visit)
            except NotFound:
                if whole is clashed.clash.now:
                    raise
            else:
                return response
        raise NotFound

    async def arrive(self, request: http.Request, page: Page) -> Visit:
        """Who this is: by the session's cookie, else a stranger with a CSRF token of his own."""
        token = request.cookies.get(cookie_name(self.secure), "")
        session: models.WebSession | None = await find_session(token) if token else None
        user = session.user if session else None
        if session is not None:
            csrf = session.csrf
        else:
            stranger = request.cookies.get("vats_form", "")
            if len(stranger) < 20:
                stranger = secrets.token_urlsafe(24)
                request[STRANGER] = stranger
            csrf = hashlib.sha256(b"vats form " + stranger.encode()).hexdigest()
        visit = Visit(self, request, page, self._language(request, user.language if user else ""), csrf, session, user)
        visit.flash = self._read_flash(request)
        request[VISIT] = visit
        return visit

    def _language(self, request: http.Request, of_user: str) -> str:
        for wish in (request.cookies.get("vats_language", ""), of_user):
            if wish in LANGUAGES:
                return wish
        accepted = request.headers.get("Accept-Language", "")[:100].lower()
        return "en" if accepted.startswith("en") else "ru"

    def _check_origin(self, request: http.Request) -> None:
        """A second lock beside the CSRF token: browsers say where a form came from."""
        origin = request.headers.get("Origin")
        if origin is not None and not self._is_ours(origin, request):
            raise Forbidden("This form comes from another site.")

    def _is_ours(self, origin: str, request: http.Request) -> bool:
        return origin == self.ctx.settings.public_url or urlsplit(origin).netloc == request.host

    async def _unsent(self, request: http.Request, visit: Visit) -> str:
        """What was entered into a form whose session has ended, for the login page; "" when it can't be kept.

        Only what certainly comes from a page of ours: another site must not put words into anybody's mouth.
        """
        ours = self._is_ours(request.headers.get("Origin", ""), request)
        small = request.content_length is not None and request.content_length <= LARGEST_UNSENT
        if not ours or not small or _from_script(request) or request.content_type != "application/x-www-form-urlencoded":
            return ""
        posted = await self._read_post(request, visit)
        fields = [[name, value] for name, value in posted.items() if isinstance(value, str) and name != "csrf"]
        return json.dumps({"path": request.path_qs, "fields": fields}, ensure_ascii=False)

    async def _read_post(self, request: http.Request, visit: Visit) -> Post:
        large = request.content_type == "multipart/form-data" and visit.who is not None
        if request.content_length is None or request.content_length > (LARGE_BODY if large else SMALL_BODY):
            if large:
                raise Refused("The file is too large.")
            raise Refused("This form is too large.")  # one without a length is no browser's
        if request.content_type not in ("application/x-www-form-urlencoded", "multipart/form-data"):
            return MultiDictProxy(MultiDict())
        try:
            return await request.post()
        except ValueError as error:  # a damaged multipart body or charset
            raise Refused("This form can't be read.") from error

    def address(self, request: http.Request) -> str:
        """The visitor's address; behind one's own proxy the one that proxy has seen."""
        if self.ctx.settings.web.trust_proxy:
            forwarded = request.headers.get("X-Forwarded-For", "").rpartition(",")[2].strip()
            if forwarded:
                return forwarded
        return request.remote or ""

    # templates --------------------------------------------------------------------------------------------------------

    def render(self, visit: Visit, template: str, status: int, values: Mapping[str, Any]) -> http.Response:
        response = http.Response(text=self.fragment(visit, template, values), content_type="text/html", status=status)
        if visit.flash is not None:
            response.del_cookie("vats_flash", path="/")
        return response

    def fragment(self, visit: Visit, template: str, values: Mapping[str, Any]) -> str:
        return aiohttp_jinja2.render_string(template, visit.request, {"visit": visit, "_": visit.t, **values})

    def static(self, name: str) -> str:
        return f"/static/{self.static_version}/{name}"

    # cookies and headers of every answer ------------------------------------------------------------------------------

    def add_headers(self, response: http.StreamResponse) -> None:
        add_headers(response, self.secure)

    def remember_stranger(self, request: http.Request, response: http.StreamResponse) -> None:
        if STRANGER in request:
            set_cookie(response, "vats_form", request[STRANGER], secure=self.secure)

    # messages that survive one redirect -------------------------------------------------------------------------------

    def set_flash(self, response: http.Response, payload: str) -> None:
        set_cookie(response, "vats_flash", encrypt(payload), secure=self.secure, max_age=60)

    def _read_flash(self, request: http.Request) -> dict[str, Any] | None:
        token = request.cookies.get("vats_flash")
        if not token or request.method != "GET":
            return None
        try:
            value = json.loads(decrypt(token))
        except (SettingsError, ValueError):  # another installation's cookie, or no cookie of ours at all
            return {}
        return value if isinstance(value, dict) else {}



def _from_script(request: http.Request) -> bool:
    """Asked by a script or a stream, which can do nothing with a login page."""
    accepted = request.headers.get("Accept", "")
    return "application/json" in accepted or "text/event-stream" in accepted


def _digest_of(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]
