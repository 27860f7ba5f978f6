# SPDX-License-Identifier: Apache-2.0
"""A SIP phone of raw datagrams, just enough to look at a switch from outside without trusting a SIP library."""

from __future__ import annotations

import asyncio
import re
import secrets
from hashlib import md5

Message = tuple[str, dict[str, str], str]
"""Start line, headers by lower-case name (the first of each), body."""


def parse(text: str) -> Message:
    head, _, body = text.partition("\r\n\r\n")
    lines = head.split("\r\n")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    return lines[0], headers, body


class _Inbox(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.arrived: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.arrived.put_nowait(data)


class RawPhone:
    """One UDP socket for SIP, one for RTP, and the account it claims to be."""

    def __init__(self, login: str, domain: str, password: str, server: tuple[str, int], address: str = "127.0.0.1") -> None:
        self.login, self.domain, self.password, self.server, self.address = login, domain, password, server, address

    async def __aenter__(self) -> RawPhone:
        loop = asyncio.get_running_loop()
        self._sip, self._inbox = await loop.create_datagram_endpoint(_Inbox, local_addr=(self.address, 0))
        self._rtp, self.rtp = await loop.create_datagram_endpoint(_Inbox, local_addr=(self.address, 0))
        self.port: int = self._sip.get_extra_info("sockname")[1]
        self.rtp_port: int = self._rtp.get_extra_info("sockname")[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._sip.close()
        self._rtp.close()

    async def register(self, *, to: str = "", realm: str = "", expires: int = 300) -> str:
        """The final status line of a REGISTER; `to` is another address of record, `realm` another one to sign for."""
        aor = to or f"{self.login}@{self.domain}"
        call = secrets.token_hex(8)
        extra = [f"Contact: <sip:{self.login}@{self.address}:{self.port}>", f"Expires: {expires}"]
        return (await self._signed("REGISTER", f"sip:{aor.partition('@')[2]}", aor, call, extra, "", realm))[0]

    async def invite(self, number: str, *, host: str = "", sign: bool = True) -> Message:
        """The final answer to an INVITE with A-law offered; a 200 is acknowledged."""
        sdp = "\r\n".join(
            ["v=0", f"o=- 1 1 IN IP4 {self.address}", "s=-", f"c=IN IP4 {self.address}", "t=0 0",
             f"m=audio {self.rtp_port} RTP/AVP 8 101", "a=rtpmap:101 telephone-event/8000", ""]
        )  # fmt: skip
        uri = f"sip:{number}@{host or self.domain}"
        extra = [f"Contact: <sip:{self.login}@{self.address}:{self.port}>", "Content-Type: application/sdp"]
        call = secrets.token_hex(8)
        to = f"{number.partition(';')[0]}@{self.domain}"
        return await self._signed("INVITE", uri, to, call, extra, sdp, "", sign=sign)

    async def request(self) -> Message:
        """The next request that comes in."""
        async with asyncio.timeout(10):
            while True:
                message = parse((await self._inbox.arrived.get()).decode())
                if not message[0].startswith("SIP/2.0"):
                    return message

    async def _signed(
        self, method: str, uri: str, to: str, call: str, extra: list[str], body: str, realm: str, sign: bool = True
    ) -> Message:
        tag = secrets.token_hex(4)
        self._send(method, uri, to, call, tag, 1, extra, body)
        answer = await self._final()
        challenge = answer[1].get("www-authenticate") or answer[1].get("proxy-authenticate")
        if challenge is None or not sign:
            if method == "INVITE":
                self._ack(uri, to, call, tag, 1, answer)
            return answer
        if method == "INVITE":
            self._ack(uri, to, call, tag, 1, answer)
        fields = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge))
        realm = realm or fields["realm"]
        one = md5(f"{self.login}:{realm}:{self.password}".encode()).hexdigest()
        two = md5(f"{method}:{uri}".encode()).hexdigest()
        response = md5(f"{one}:{fields['nonce']}:00000001:abcd:auth:{two}".encode()).hexdigest()
        name = "Authorization" if "www-authenticate" in answer[1] else "Proxy-Authorization"
        header = (
            f'{name}: Digest username="{self.login}", realm="{realm}", nonce="{fields["nonce"]}", uri="{uri}", '
            f'response="{response}", algorithm=MD5, qop=auth, nc=00000001, cnonce="abcd"'
        )
        self._send(method, uri, to, call, tag, 2, [*extra, header], body)
        answer = await self._final()
        if method == "INVITE":
            self._ack(uri, to, call, tag, 2, answer)
        return answer

    def _ack(self, uri: str, to: str, call: str, tag: str, number: int, answer: Message) -> None:
        self._send("ACK", uri, to, call, tag, number, [], "", to_header=answer[1]["to"])

    def _send(
        self, method: str, uri: str, to: str, call: str, tag: str, number: int, extra: list[str], body: str, to_header: str = ""
    ) -> None:
        branch = "z9hG4bK" + md5(f"{call}{number}".encode()).hexdigest()[:16]
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.address}:{self.port};rport;branch={branch}",
            "Max-Forwards: 70",
            f"From: <sip:{self.login}@{self.domain}>;tag={tag}",
            f"To: {to_header or f'<sip:{to}>'}",
            f"Call-ID: {call}",
            f"CSeq: {number} {method}",
            *extra,
            f"Content-Length: {len(body)}",
            "",
            body,
        ]
        self._sip.sendto("\r\n".join(lines).encode(), self.server)

    async def _final(self) -> Message:
        async with asyncio.timeout(10):
            while True:
                message = parse((await self._inbox.arrived.get()).decode())
                if message[0].startswith("SIP/2.0") and not message[0].startswith("SIP/2.0 1"):
                    return message
