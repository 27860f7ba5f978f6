# SPDX-License-Identifier: Apache-2.0
"""Lets phones in: challenges, digest answers, bans; the agent asks it for every REGISTER and INVITE that must log in."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from engine.embedded.sip.auth import DigestServer, NonceState, credentials_of
from engine.embedded.sip.bans import Bans
from engine.embedded.sip.contract import AuthKnown, AuthOutcome, AuthQuestion, Handler, SipOptions
from engine.embedded.sip.flow import Flow
from engine.embedded.sip.message import Request

log = logging.getLogger(__name__)

_RETRY_AFTER = "5"


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who it is."""

    username: str
    realm: str
    known: AuthKnown


@dataclass(frozen=True, slots=True)
class Turned:
    """Not let in: the answer to give."""

    code: int
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()


class Guard:
    """Two steps: `precheck` decides at once what needs no account, `judge` asks the core and looks at the password."""

    def __init__(self, handler: Handler, options: SipOptions, now: Callable[[], float]) -> None:
        self._handler = handler
        self._digest = DigestServer(now, options.nonce_seconds)
        self.bans = Bans(options.bans, now)

    def precheck(self, request: Request, flow: Flow) -> Mapping[str, str] | Turned:
        """The answer's digest fields, or the refusal. Raises MalformedMessage."""
        side = request.to if request.method == "REGISTER" else request.from_
        realm = side.uri.host
        address = flow.remote[0]
        values = [*request.headers.get("authorization", ()), *request.headers.get("proxy-authorization", ())]
        fields = credentials_of(values) if values else None
        if fields is None or fields["realm"].lower() != realm:
            return self._challenge(request, realm, address, stale=False)
        who = account_name(fields)
        if self.bans.refuses(address, who):
            self._handler.registration_failed(who, flow.remote, "banned")
            return Turned(403)
        if self._digest.accept_nonce(fields, address) is not NonceState.GOOD:
            return self._challenge(request, realm, address, stale=True)
        return fields

    def _challenge(self, request: Request, realm: str, address: str, *, stale: bool) -> Turned:
        value = self._digest.challenge(realm, address, stale=stale)
        if request.method == "REGISTER":
            return Turned(401, "", (("WWW-Authenticate", value),))
        return Turned(407, "", (("Proxy-Authenticate", value),))

    async def judge(self, request: Request, flow: Flow, fields: Mapping[str, str]) -> Admitted | Turned:
        """Ask for the account and check the answer made with its hash."""
        username, realm = fields["username"], fields["realm"]
        who = account_name(fields)
        address = flow.remote[0]
        question = AuthQuestion(
            user=username, realm=realm, method=request.method, source=flow.remote, transport=flow.transport,
            listener=flow.listener.name, user_agent=request.header("user-agent") or "", request=request,
        )  # fmt: skip
        known = await self._handler.account(question)
        if known is AuthOutcome.UNAVAILABLE:
            self._handler.registration_failed(who, flow.remote, "directory unavailable")
            return Turned(503, "", (("Retry-After", _RETRY_AFTER),))
        if self.bans.refuses(address, who):  # many answers may have come while the first was being looked up
            self._handler.registration_failed(who, flow.remote, "banned")
            return Turned(403)
        if isinstance(known, AuthOutcome):
            return self._no_account(known, who, flow)
        if not self._digest.verify(fields, request.method, known.ha1):
            if self.bans.wrong_password(address, who):
                log.warning("%s from %s: too many wrong passwords, refused for a while", who, address)
            self._handler.registration_failed(who, flow.remote, "wrong password")
            return Turned(403)
        self.bans.succeeded(address, who)
        return Admitted(username, realm, known)

    def _no_account(self, outcome: AuthOutcome, who: str, flow: Flow) -> Turned:
        if outcome is AuthOutcome.UNKNOWN:
            if self.bans.unknown_name(flow.remote[0]):
                log.warning("%s: too many unknown names, refused for a while", flow.remote[0])
            self._handler.registration_failed(who, flow.remote, "unknown account")
        else:
            self._handler.registration_failed(who, flow.remote, "refused")
        return Turned(403)


def account_name(fields: Mapping[str, str]) -> str:
    """user@realm as bans and reports name it."""
    return f"{fields['username']}@{fields['realm'].lower()}"
