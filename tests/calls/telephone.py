# SPDX-License-Identifier: Apache-2.0
"""The scripted telephone (tests.embedded.telephone) for call tests: patient on a busy machine, deaf to repeats; and a provider."""

from __future__ import annotations

import asyncio

from tests.embedded.sip.phone import Msg, parse
from tests.embedded.telephone import Answering, Talk, Telephone

PATIENCE = 20.0


class Line(Telephone):
    """Waits long; an INVITE that is repeated because the machine is busy is one call."""

    def __init__(self, server: tuple[str, int], user: str, domain: str, password: str = "") -> None:
        super().__init__(server, user, domain, password)
        self._requests: set[bytes] = set()
        self.unattended = False
        """Nobody is there: every call rings here until the caller gives up."""
        self.rung: list[float] = []
        """When calls came (loop time)."""
        self.stopped: list[float] = []
        """When the caller's side gave one up."""

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not data.startswith(b"SIP/2.0"):
            if data in self._requests:
                return
            self._requests.add(data)
        if data.startswith((b"OPTIONS", b"NOTIFY")):
            self.send(self.reply(parse(data, addr), 200, tag="o"), addr)
            return
        message = parse(data, addr)
        if message.method == "INVITE" and not message.tag("To"):
            self.rung.append(asyncio.get_running_loop().time())
            if self.unattended:
                self.send(self.reply(message, 180, tag=f"u{message.cseq[0]}"), addr)
        elif message.method == "CANCEL" and self.unattended:
            self.stopped.append(asyncio.get_running_loop().time())
            invite = next(m for m in self.seen if m.method == "INVITE" and m.get("Call-ID") == message.get("Call-ID"))
            self.send(self.reply(message, 200, tag=f"u{invite.cseq[0]}"), addr)
            self.send(self.reply(invite, 487, tag=f"u{invite.cseq[0]}"), addr)
        super().datagram_received(data, addr)

    async def get(self, what: int | str, within: float = PATIENCE, *, method: str = "") -> Msg:
        return await super().get(what, max(within, PATIENCE), method=method)

    async def final(self, method: str, within: float = PATIENCE) -> Msg:
        return await super().final(method, max(within, PATIENCE))

    async def hears(self, hertz: float, within: float = PATIENCE, seconds: float = 0.3, *, since: int | None = None) -> None:
        await super().hears(hertz, max(within, PATIENCE), seconds, since=since)

    async def takes(self) -> Answering:
        """The next call, ringing."""
        call = await self.incoming()
        call.ring()
        return call

    async def answers(self) -> Answering:
        """The next call, answered."""
        call = await self.takes()
        await call.answer()
        return call

    async def refuses(self, code: int) -> Msg:
        """The next call, refused; its INVITE."""
        call = await self.incoming()
        await call.refuse(code)
        return call.invite


class Provider(Line):
    """Calls in without credentials; takes REGISTERs of `login` with `secret` and remembers where they came from."""

    login, secret = "74956000000", "trunk-pw"

    def __init__(self, server: tuple[str, int], user: str, domain: str) -> None:
        super().__init__(server, user, domain)
        self.registered_from = ""
        """The Contact that the switch has registered."""
        self.registrations = 0
        self.refuses_registrations = False
        self._registered = asyncio.Event()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not data.startswith(b"REGISTER"):
            super().datagram_received(data, addr)
            return
        request = parse(data, addr)
        signed = request.get("Authorization")
        if self.refuses_registrations:
            self.send(self.reply(request, 403, tag="p"), addr)
        elif not signed:
            challenge = 'Digest realm="provider.test", nonce="n1", qop="auth", algorithm=MD5'
            self.send(self.reply(request, 401, tag="p", extra=[("WWW-Authenticate", challenge)]), addr)
        elif f'username="{self.login}"' in signed:
            self.send(self.reply(request, 200, tag="p", extra=[("Contact", f"<{request.contact}>;expires=600")]), addr)
            self.registered_from = request.contact
            self.registrations += 1
            self._registered.set()

    async def is_registered(self) -> None:
        """Wait until the switch has registered here."""
        async with asyncio.timeout(PATIENCE):
            await self._registered.wait()

    async def calls(self, number: str, *, by: str = "") -> Talk:
        """Call `number`; `by` is a registered Contact to which the request is addressed (the number stands in To)."""
        if not by:
            return await self.call(number, sign=False)
        me = f"<sip:{self.user}@{self.domain}>;tag=p{len(self.seen)}"
        raw = self.request("INVITE", by, to=f"<sip:{number}@{self.domain}>", from_=me, body=self.sdp())
        self.send(raw)
        return Talk(self, raw)
