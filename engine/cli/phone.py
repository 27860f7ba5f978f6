# SPDX-License-Identifier: Apache-2.0
"""A small SIP phone on the built-in SIP and RTP layers: registers, calls, answers by itself; used by demo_call.py and by tests."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from pathlib import Path

from engine.cli.phone_call import PhoneCall, Say
from engine.embedded.rtp import MediaEngine, NoPort
from engine.embedded.sip.agent import (
    Address,
    Agent,
    AuthOutcome,
    AuthQuestion,
    Binding,
    CallEvents,
    ClientRegistration,
    Credentials,
    GatewayAccount,
    Hop,
    InviteTarget,
    Listener,
    Refuse,
    RegistrationState,
    Request,
    SipCall,
)
from engine.errors import VatsError

LISTENER = "phone"
REGISTER_SECONDS = 120
_UNREGISTER_WITHIN_SECONDS = 2.0


class PhoneError(VatsError):
    """The phone can't do what it was told; the message is one sentence."""


@dataclass(frozen=True, slots=True)
class Line:
    """The account of a phone. `server` is host or host:port; an empty password answers no challenge."""

    server: str
    login: str
    password: str
    domain: str

    @property
    def hop(self) -> Hop:
        """The server's IP address and port. Raises PhoneError."""
        host, separator, port = self.server.rpartition(":")
        if not (separator and port.isdecimal()):
            host, port = self.server, "5060"
        try:
            found = socket.getaddrinfo(host, int(port), socket.AF_INET, socket.SOCK_DGRAM)
        except (OSError, OverflowError) as error:
            raise PhoneError(f"The SIP server {self.server} has no address: {error}.") from error
        return Hop(str(found[0][4][0]), int(port))


class Phone:
    """Holds one call at a time and takes calls from its server only. Implements the SIP layer's Handler."""

    def __init__(self, line: Line, *, wav: Path, tone_hz: int, say: Say, answer_after_seconds: float = 1.0, host: str = "0.0.0.0") -> None:
        """`wav`: where what the phone hears is written. `tone_hz` 0: it says nothing."""
        self.line, self._wav, self._tone_hz, self._say = line, wav, tone_hz, say
        self._answer_after_seconds, self._host = answer_after_seconds, host
        self._hop = line.hop
        self._agent = Agent(self, user_agent="VATS phone")
        self._engine = MediaEngine()
        self._registration: ClientRegistration | None = None
        self._state_changed = asyncio.Event()
        self._refused = ""
        self.port = 0
        self.call: PhoneCall | None = None
        self.has_call = asyncio.Event()

    async def open(self) -> None:
        """Raises PhoneError."""
        self._engine.start()
        try:
            self.port = await self._agent.listen(Listener(LISTENER, self._host, 0, tcp=False, challenge=False))
        except OSError as error:
            raise PhoneError(f"The phone can't listen on {self._host}: {error}.") from error

    async def close(self) -> None:
        """Hang up, take the registration back, wait for the files."""
        if self.call is not None and not self.call.is_ended.is_set():
            self.call.hang_up()
        if self._registration is not None:
            self._registration.unregister()
            await self._registered_is(RegistrationState.UNREGED, _UNREGISTER_WITHIN_SECONDS)
        await self._engine.close()
        await self._agent.close()

    # -- registration

    async def register(self, within_seconds: float = 10.0) -> None:
        """Raises PhoneError when the server does not take the account in time."""
        line = self.line
        account = GatewayAccount(
            line.login, LISTENER, line.domain, line.login, line.password, self._hop, expires=REGISTER_SECONDS, contact_user=line.login
        )
        self._registration = self._agent.register(account, self)
        if not await self._registered_is(RegistrationState.REGED, within_seconds):
            raise PhoneError(f"{line.server} does not register {line.login}@{line.domain}: {self._refused or 'no answer'}.")
        self._say("registered", f"{line.login}@{line.domain}")

    async def _registered_is(self, wanted: RegistrationState, within_seconds: float) -> bool:
        """Wait for a state; at once False when the server refuses."""
        assert self._registration is not None
        try:
            async with asyncio.timeout(within_seconds):
                while self._registration.state is not wanted:
                    if self._refused and wanted is RegistrationState.REGED:
                        return False
                    self._state_changed.clear()
                    await self._state_changed.wait()
        except TimeoutError:
            return False
        return True

    def registration(self, state: RegistrationState, code: int, reason: str) -> None:
        """Told by the SIP layer."""
        if state is RegistrationState.FAILED:
            self._refused = f"{code} {reason}"
        self._state_changed.set()

    # -- calls

    def dial(self, number: str) -> PhoneCall:
        """Call a number at the server. Raises PhoneError."""
        line, hop = self.line, self._hop
        target = InviteTarget(
            LISTENER,
            f"sip:{number}@{line.domain}",
            from_user=line.login,
            from_domain=line.domain,
            hop=hop,
            credentials=Credentials(line.login, line.password) if line.password else None,
            contact_user=line.login,
        )
        talk = self._talk()
        own = self._agent.target_address(target)
        try:
            talk.audio.open(own, own)
        except (NoPort, OSError) as error:
            raise PhoneError(f"The phone has no port for sound on {own}: {error}.") from error
        self._say("calling", number)
        talk.call = self._agent.invite(target, talk, talk.audio.offer())
        return talk

    def _talk(self) -> PhoneCall:
        self.call = PhoneCall(self._engine, wav=self._wav, tone_hz=self._tone_hz, say=self._say)
        self.has_call.set()
        return self.call

    def incoming(self, call: SipCall) -> CallEvents | Refuse:
        """Told by the SIP layer: ring, answer a little later."""
        if call.source[0] != self._hop.host:
            return Refuse(403)
        if self.call is not None and not self.call.is_ended.is_set():
            return Refuse(486)
        talk = self._talk()
        talk.call = call
        loop = asyncio.get_running_loop()
        loop.call_soon(call.ring)
        loop.call_later(self._answer_after_seconds, talk.pick_up, self._agent.local_address(LISTENER, call.source[0]))
        self._say("rings", "")
        return talk

    # -- the rest of the SIP layer's Handler: a phone has no accounts of its own

    async def account(self, ask: AuthQuestion) -> AuthOutcome:
        return AuthOutcome.REFUSED

    def registered(self, binding: Binding) -> None: ...

    def unregistered(self, binding: Binding, reason: str) -> None: ...

    def registration_failed(self, who: str, source: Address, why: str) -> None: ...

    def sip_out_of_dialog(self, request: Request, source: Address, code: int) -> None: ...
