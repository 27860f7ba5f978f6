# SPDX-License-Identifier: Apache-2.0
"""What a page's handler holds: who asks, in which language, for which account; made by the host for every request."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar
from zoneinfo import ZoneInfo

from aiohttp import web as http
from multidict import MultiDict, MultiDictProxy

from engine.sdk import Actor, Context, Element, Forbidden, NotFound, Page, Ref, Refused, Snapshot, Speaker, models, translate
from web.clashing import Clashed, telling
from web.trying import TRY, Trial, trying
from web.warning import warning

if TYPE_CHECKING:
    from engine.sdk import Edit
    from web.host import Host

E = TypeVar("E", bound=Element)
ROLES: Final[Mapping[str, int]] = {"anyone": 0, "user": 1, "manager": 2, "admin": 3}

Post = MultiDictProxy[str | bytes | bytearray | http.FileField]


@dataclass(slots=True)
class Visit:
    """One request. `user` and `session` are None only on pages whose role is "anyone"."""

    host: Host
    request: http.Request
    page: Page
    language: str
    csrf: str
    session: models.WebSession | None = None
    who: models.User | None = None
    posted: Post = field(default_factory=lambda: MultiDictProxy(MultiDict()))
    flash: dict[str, Any] | None = None
    unsent: str = ""
    """A form posted after the end of its session, which the login page keeps (`web.pages.login`)."""
    tried: Trial | None = None
    """What the posted form would do, when it was only tried (`web.trying`)."""
    warnings: Sequence[str] = ()
    """What the save of this request has made worth a warning (`web.warning`)."""
    clashed: Clashed | None = None
    """What the posted form would overwrite of others' work (`web.clashing`)."""
    _again: bool = False
    """The posted form is shown, not saved: it would overwrite others' work."""
    _gone: Refused | None = None
    """Why nothing can be saved: what the posted form is about has been deleted."""
    _snapshot: Snapshot | None = None
    _edited: int | None = None
    """The revision that this request has changed."""

    @property
    def ctx(self) -> Context:
        return self.host.ctx

    @property
    def user(self) -> models.User:
        """The logged-in user; pages of role "user" and above always have one."""
        if self.who is None:
            raise Forbidden()
        return self.who

    @property
    def account_id(self) -> int:
        return self.user.account_id

    @property
    def actor(self) -> Actor:
        return Actor(user_id=self.user.id, name=self.user.title, channel="web")

    @property
    def is_post(self) -> bool:
        return self.request.method == "POST" and not self.unsent and not self._again

    @property
    def saved(self) -> Snapshot:
        """The account's configuration as it is."""
        return self.ctx.snapshot(self.account_id)

    @property
    def snapshot(self) -> Snapshot:
        """The configuration that the page is made from: as it was when the request was first answered, or what `show_again` was given."""
        if self._snapshot is None:
            self._snapshot = self.ctx.snapshot(self.account_id)
        return self._snapshot

    def show_again(self, whole: Snapshot) -> None:
        """From here on the request is answered as if the page were opened, from this configuration."""
        self._again, self._snapshot = True, whole

    def refuse_edits(self, whole: Snapshot, why: Refused) -> None:
        """From here on the request is answered from this configuration, and every edit raises `why`."""
        self._gone, self._snapshot = why, whole

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of the account's people."""
        return ZoneInfo(self.snapshot.account.timezone)

    @property
    def query(self) -> Mapping[str, str]:
        return self.request.query

    def t(self, message: str, **params: object) -> str:
        """The sentence in the visitor's language."""
        return translate(self.language, message, **params)

    def tell(self, refused: Refused) -> str:
        return self.t(refused.message, **refused.params)

    def may(self, role: str) -> bool:
        return ROLES[self.who.role if self.who else "anyone"] >= ROLES[role]

    def require(self, role: str) -> None:
        if not self.may(role):
            raise Forbidden()

    def id(self, name: str = "id") -> int:
        """A number of the path; NotFound when it can't be one."""
        text = self.request.match_info.get(name, "")
        if not (text.isascii() and text.isdigit() and len(text) < 18):
            raise NotFound()
        return int(text)

    def element(self, kind: type[E], name: str = "id") -> E:
        """The element the path names, of this account; NotFound otherwise."""
        found = self.snapshot.get(Ref(kind.kind, self.id(name)), kind)
        if found is None:
            raise NotFound()
        return found

    def about(self) -> Element:
        """The element that a page `beside` others is about: {of} of its path, of this account; NotFound otherwise."""
        try:
            ref = Ref.parse(self.request.match_info["of"])
        except ValueError:
            raise NotFound() from None
        found = self.snapshot.element(ref) if ref.kind in self.page.beside else None
        if found is None:
            raise NotFound()
        return found

    def text(self, name: str) -> str:
        """A posted field as trimmed text; empty when absent or a file."""
        value = self.posted.get(name, "")
        return value.strip() if isinstance(value, str) else ""

    @property
    def made_from(self) -> int | None:
        """The revision that the posted form was made from; None when it names none."""
        text = self.text("revision")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None

    def speaker(self, before: Snapshot | None, after: Snapshot) -> Speaker:
        """Tells changes between two states in the visitor's language."""
        registry = self.ctx.registry
        actions = {action.kind: action.title for action in registry.actions().values()}
        return Speaker(self.t, before, after, actions, {kind.id: kind.title for kind in registry.letters().values()})

    def edit(self, expected: int | None = None) -> AbstractAsyncContextManager[Edit]:
        """The door for changes; `expected`: the revision the form was made from, by default. A form that is only tried saves nothing.

        Raises Clash, which the page will show, when it would overwrite what somebody else has saved since.
        """
        if self._gone is not None:
            raise self._gone
        if self._again:  # a page that tries what it asks about
            return self.ctx.edit(self.account_id, self.actor)
        expected = self.made_from if expected is None else expected
        self._edited = self.ctx.snapshot(self.account_id).revision
        door = telling(self, self.ctx.edit(self.account_id, self.actor, expected))
        return trying(self, door) if self.text(TRY) else warning(self, door)

    def url(self, name: str, /, **params: object) -> str:
        """The path of a page by its name; extra parameters become the query."""
        return self.host.url(name, **params)

    def url_of(self, ref: Ref | None) -> str:
        """The page of an element, or "" when nobody shows it to this visitor."""
        if ref is None:
            return ""
        page = self.host.pages.get(ref.kind)
        return self.url(ref.kind, id=ref.id) if page and self.may(page.role) else ""

    def render(self, template: str, /, status: int = 200, **values: Any) -> http.Response:
        return self.host.render(self, template, status, values)

    def fragment(self, template: str, /, **values: Any) -> str:
        """A piece of a page as text, for streams and partial answers."""
        return self.host.fragment(self, template, values)

    def go(self, where: str, *, message: str = "", tone: str = "good", reveal: Mapping[str, str] | None = None) -> http.Response:
        """Redirect after a POST. `message` (already translated) and `reveal` (secrets shown once) travel in an encrypted cookie."""
        response = http.Response(status=303, headers={"Location": where})
        if message or reveal:
            since = self._edited if self._edited is not None and self.ctx.snapshot(self.account_id).revision > self._edited else 0
            warnings = [] if tone != "good" else list(self.warnings)  # else the page has its own to tell
            flash = {"message": message, "tone": "warn" if warnings else tone, "reveal": dict(reveal or {}), "since": since}
            flash["warnings"] = warnings
            payload = json.dumps(flash, ensure_ascii=False)
            self.host.set_flash(response, payload)
        return response

    def csrf_fits(self, token: str) -> bool:
        return bool(token) and hmac.compare_digest(token.encode(), self.csrf.encode())
