# SPDX-License-Identifier: Apache-2.0
"""A stand-in for the core: keeps what it is told, answers as the test says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from engine.embedded.sip.agent import (
    AuthAnswer,
    AuthKnown,
    AuthOutcome,
    AuthQuestion,
    Binding,
    CallEvents,
    Ended,
    Refer,
    Refuse,
    RegistrationState,
    SipCall,
    ha1,
)
from engine.embedded.sip.message import Request
from engine.embedded.sip.sdp import Codec, answer, offer, parse_offer

ANSWER = offer("127.0.0.1", 30000, [Codec.PCMA])


class Told:
    """A list of (event, argument) on which tests wait."""

    def __init__(self) -> None:
        self.log: list[tuple[str, Any]] = []
        self._changed = asyncio.Event()

    def add(self, event: str, what: Any = None) -> None:
        self.log.append((event, what))
        self._changed.set()

    async def wait(self, event: str, count: int = 1, within: float = 3.0) -> Any:
        """The argument of the n-th such event."""
        async with asyncio.timeout(within):
            while True:
                found = self.all(event)
                if len(found) >= count:
                    return found[count - 1]
                self._changed.clear()
                await self._changed.wait()

    def all(self, event: str) -> list[Any]:
        return [what for name, what in self.log if name == event]


class Events(Told):
    """CallEvents of one call."""

    def ringing(self, code: int) -> None:
        self.add("ringing", code)

    def early_media(self, sdp: bytes) -> None:
        self.add("early_media", sdp)

    def answered(self, sdp: bytes) -> None:
        self.add("answered", sdp)

    def media(self, sdp: bytes) -> None:
        self.add("media", sdp)

    def offered(self, sdp: bytes | None) -> bytes:
        self.add("offered", sdp)
        if sdp is None:
            return offer("127.0.0.1", 30000, [Codec.PCMA])
        return answer(parse_offer(sdp), "127.0.0.1", 30000, [Codec.PCMA, Codec.PCMU])[0]

    def info_dtmf(self, digit: str, duration_ms: int) -> None:
        self.add("dtmf", (digit, duration_ms))

    def refer(self, refer: Refer) -> None:
        self.add("refer", refer)

    def acked(self) -> None:
        self.add("acked")

    def ended(self, ended: Ended) -> None:
        self.add("ended", ended)


class Core(Told):
    """Handler: accounts 101 and 102 at any domain, password `secret`."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[SipCall, Events]] = []
        self.on_call: Callable[[SipCall], Refuse | None] = lambda call: None
        self.accounts = {"101": "secret", "102": "secret"}
        self.asked: list[AuthQuestion] = []
        self.answer_with: AuthOutcome | None = None
        self.gate: asyncio.Event | None = None

    async def account(self, ask: AuthQuestion) -> AuthAnswer:
        self.asked.append(ask)
        if self.gate is not None:
            await self.gate.wait()
        if self.answer_with is not None:
            return self.answer_with
        password = self.accounts.get(ask.user)
        if password is None:
            return AuthOutcome.UNKNOWN
        return AuthKnown(ha1(ask.user, ask.realm, password), account=f"acc-{ask.user}")

    def incoming(self, call: SipCall) -> CallEvents | Refuse:
        events = Events()
        self.calls.append((call, events))
        refusal = self.on_call(call)
        self.add("incoming", call)
        return refusal or events

    def registered(self, binding: Binding) -> None:
        self.add("registered", binding)

    def unregistered(self, binding: Binding, reason: str) -> None:
        self.add("unregistered", (binding, reason))

    def registration_failed(self, who: str, source: tuple[str, int], why: str) -> None:
        self.add("failed", (who, source, why))

    def sip_out_of_dialog(self, request: Request, source: tuple[str, int], code: int) -> None:
        self.add("outside", (request.method, code))


class Gateway(Told):
    """RegistrationEvents of one gateway."""

    def registration(self, state: RegistrationState, code: int, reason: str) -> None:
        self.add(state.value, code)
