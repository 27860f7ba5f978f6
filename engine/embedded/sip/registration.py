# SPDX-License-Identifier: Apache-2.0
"""Our own registrations at providers: keeps one alive, refreshes and retries by itself; made by `Agent.register`."""

from __future__ import annotations

import asyncio
import logging
import random

from engine.embedded.sip.auth import answer_challenge
from engine.embedded.sip.contract import Credentials, GatewayAccount, Hop, RegistrationEvents, RegistrationState
from engine.embedded.sip.flow import Flow
from engine.embedded.sip.message import Headers, Response
from engine.embedded.sip.stack import ALLOW, Stack
from engine.embedded.sip.syntax import MalformedMessage, optional_number, parse_uri
from engine.embedded.sip.transactions import new_tag

log = logging.getLogger(__name__)

_MAX_BACK_OFF = 16
_KEEP_ALIVE = b"\r\n\r\n"


class ClientRegistration:
    """One account at one registrar. Its owner hears of each change of `state`."""

    def __init__(self, stack: Stack, account: GatewayAccount, events: RegistrationEvents) -> None:
        self.account = account
        self.state = RegistrationState.UNREGED
        self.expires_at = 0.0  # loop time
        self._stack = stack
        self._events = events
        self._call_id = f"{new_tag()}{new_tag()}"
        self._tag = new_tag()
        self._cseq = 0
        self._expires = account.expires
        self._wanted = True
        self._failures = 0
        self._timer: asyncio.TimerHandle | None = None
        self._keep_alive: asyncio.TimerHandle | None = None
        self._flow: Flow | None = None
        self._hop = account.hop
        user = account.auth_username or account.username
        self._credentials = Credentials(user, account.password, account.realm)

    @property
    def contact_user(self) -> str:
        """User part of our Contact: calls of this provider come with it in their request URI."""
        return self.account.contact_user or f"gw+{self.account.name}"

    def start(self) -> None:
        """Begin (or begin anew at once)."""
        self._wanted = True
        self._send(self._expires)

    def unregister(self) -> None:
        """Take the registration back and stop; UNREGED follows in any case."""
        self._wanted = False
        if self.state is RegistrationState.REGED:
            self._send(0)
        else:
            self.stop()

    def stop(self) -> None:
        """Stop without a word to the provider."""
        self._wanted = False
        self._cancel_timers()
        self._watch(None)
        if self.state is not RegistrationState.UNREGED:
            self._become(RegistrationState.UNREGED, 0, "")

    def _become(self, state: RegistrationState, code: int, reason: str) -> None:
        self.state = state
        log.info("gateway %s: %s %d %s", self.account.name, state.value, code, reason)
        self._events.registration(state, code, reason)

    def _cancel_timers(self) -> None:
        for timer in (self._timer, self._keep_alive):
            if timer is not None:
                timer.cancel()
        self._timer = self._keep_alive = None

    def _send(self, expires: int, answers: Headers = (), tried: set[str] | None = None) -> None:
        self._cancel_timers()
        if self.state is not RegistrationState.REGED and self._wanted and tried is None:
            self._become(RegistrationState.TRYING, 0, "")
        hop = self._hop or self._domain_hop()
        if hop is None:
            self._stack.loop.call_soon(self._failed, 503, expires)
            return
        challenged: set[str] = set() if tried is None else tried
        self._stack.reach(self.account.listener, hop, lambda flow: self._send_on(flow, expires, answers, challenged))

    def _domain_hop(self) -> Hop | None:
        try:
            uri = parse_uri(f"sip:{self.account.domain}")
        except MalformedMessage:
            return None
        return Hop(uri.host, uri.port or 5060)

    def _send_on(self, flow: Flow | None, expires: int, answers: Headers, tried: set[str]) -> None:
        account = self.account
        self._cseq += 1
        uri = f"sip:{account.domain}"
        aor = f"<sip:{account.username}@{account.domain}>"
        contact = flow.contact(self.contact_user, account.contact_params) if flow is not None else ""
        headers = [
            ("Max-Forwards", "70"),
            ("From", f"{aor};tag={self._tag}"),
            ("To", aor),
            ("Call-ID", self._call_id),
            ("CSeq", f"{self._cseq} REGISTER"),
            ("Contact", f"{contact};expires={expires}"),
            ("Expires", str(expires)),
            ("User-Agent", self._stack.options.user_agent),
            ("Allow", ALLOW),
            *account.headers,
            *answers,
        ]

        def received(response: Response) -> None:
            if response.code >= 200:
                self._answered(response, uri, expires, tried)

        self._watch(flow)
        self._stack.request(flow, "REGISTER", uri, headers, b"", received, lambda code: self._failed(code, expires))

    def _answered(self, response: Response, uri: str, expires: int, tried: set[str]) -> None:
        code = response.code
        if code in (401, 407):
            answers = answer_challenge(response, "REGISTER", uri, self._credentials, tried)
            if answers:
                self._send(expires, answers, tried)
                return
        if expires == 0:
            self.stop()
            return
        if code == 423:
            minimum = optional_number(response.header("min-expires"))
            if minimum is not None and minimum > self._expires:
                self._expires = minimum
                self._send(minimum)
                return
        if code >= 300:
            self._failed(code, expires, response.reason)
            return
        if not self._wanted:
            self._send(0)
            return
        self._failures = 0
        granted = self._granted(response, expires)
        self.expires_at = self._stack.loop.time() + granted
        refresh = max(granted * random.uniform(0.75, 0.85), 0.5)  # noqa: S311 - spreads load, no secret
        self._timer = self._stack.loop.call_later(refresh, self._send, self._expires)
        self._ping_later()
        if self.state is not RegistrationState.REGED:
            self._become(RegistrationState.REGED, code, response.reason)

    def _granted(self, response: Response, asked: int) -> int:
        """Seconds given to our contact; the list may hold others' too."""
        try:
            contacts = response.contacts()
        except MalformedMessage:
            contacts = []
        for contact in contacts:
            try:
                if contact.uri.user != self.contact_user:
                    continue
            except MalformedMessage:
                continue
            expires = optional_number(contact.params.get("expires"))
            if expires:
                return expires
        return optional_number(response.header("expires")) or asked

    def _failed(self, code: int, expires: int, reason: str = "") -> None:
        if expires == 0 or not self._wanted:
            self.stop()
            return
        self._become(RegistrationState.FAILED, code, reason or ("timeout" if code == 408 else "unreachable"))
        if not self._wanted:  # its owner gave up on hearing that
            return
        self._become(RegistrationState.FAIL_WAIT, code, "")
        factor = min(2**self._failures, _MAX_BACK_OFF)
        self._failures += 1
        wait = self.account.retry_seconds * factor * random.uniform(0.9, 1.1)  # noqa: S311 - no secret
        self._cancel_timers()
        self._timer = self._stack.loop.call_later(wait, self._send, self._expires)

    def _watch(self, flow: Flow | None) -> None:
        if self._flow is not None:
            self._flow.unwatch(self._lost)
        self._flow = flow
        if flow is not None:
            flow.watch(self._lost)

    def _lost(self) -> None:
        """The connection broke: the provider can't reach us until we register anew."""
        if self.state is RegistrationState.REGED and self._wanted:
            self._cancel_timers()
            self._timer = self._stack.loop.call_later(min(1.0, self.account.retry_seconds), self._send, self._expires)

    def _ping_later(self) -> None:
        self._keep_alive = self._stack.loop.call_later(self._stack.options.keepalive_seconds, self._ping)

    def _ping(self) -> None:
        """Keeps the NAT in front of us open."""
        if self._flow is not None:
            self._flow.send(_KEEP_ALIVE)
        self._ping_later()
