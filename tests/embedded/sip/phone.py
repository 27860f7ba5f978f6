# SPDX-License-Identifier: Apache-2.0
"""A scripted SIP phone for tests: raw sockets and its own little parser, so that it shares no mistake with the code tested."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import re
import socket
from dataclasses import dataclass, field

_numbers = itertools.count(1)
SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio 40000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
)


@dataclass
class Msg:
    start: str
    headers: list[tuple[str, str]]
    body: str
    source: tuple[str, int] = ("", 0)
    raw: bytes = b""

    @property
    def code(self) -> int:
        return int(self.start.split()[1]) if self.start.startswith("SIP/2.0") else 0

    @property
    def method(self) -> str:
        return "" if self.code else self.start.split()[0]

    @property
    def uri(self) -> str:
        return self.start.split()[1]

    def get(self, name: str) -> str:
        return next((v for n, v in self.headers if n.lower() == name.lower()), "")

    def all(self, name: str) -> list[str]:
        return [v for n, v in self.headers if n.lower() == name.lower()]

    def tag(self, name: str) -> str:
        found = re.search(r";tag=([^;>]+)", self.get(name))
        return found[1] if found else ""

    @property
    def contact(self) -> str:
        found = re.search(r"<([^>]+)>", self.get("Contact"))
        return found[1] if found else ""

    @property
    def cseq(self) -> tuple[int, str]:
        number, method = self.get("CSeq").split()
        return int(number), method


def parse(data: bytes, source: tuple[str, int] = ("", 0)) -> Msg:
    head, _, body = data.decode("utf-8", "replace").partition("\r\n\r\n")
    start, *lines = head.split("\r\n")
    headers = [(n.strip(), v.strip()) for n, _, v in (line.partition(":") for line in lines)]
    return Msg(start, headers, body, source, data)


def compose(start: str, headers: list[tuple[str, str]], body: str = "") -> bytes:
    lines = [start, *[f"{n}: {v}" for n, v in headers], f"Content-Length: {len(body.encode())}"]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


@dataclass
class Dialog:
    """What the phone remembers of a call."""

    call_id: str
    local: str
    remote: str
    target: str
    cseq: int = 1
    invite: Msg | None = None
    routes: list[str] = field(default_factory=list)


class Phone(asyncio.DatagramProtocol):
    def __init__(self, server: tuple[str, int], user: str = "101", domain: str = "t.test", password: str = "secret") -> None:
        self.server = server
        self.user, self.domain, self.password = user, domain, password
        self.inbox: asyncio.Queue[Msg] = asyncio.Queue()
        self.seen: list[Msg] = []
        self.contact_override = ""

    async def open(self, host: str = "127.0.0.1") -> Phone:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, (host, 0), family=socket.AF_INET)
        self.host, self.port = self._transport.get_extra_info("sockname")
        return self

    def close(self) -> None:
        self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not data.strip():
            return
        message = parse(data, addr)
        self.seen.append(message)
        self.inbox.put_nowait(message)

    def send(self, data: bytes | str, to: tuple[str, int] | None = None) -> None:
        self._transport.sendto(data.encode() if isinstance(data, str) else data, to or self.server)

    async def get(self, what: int | str, within: float = 3.0, *, method: str = "") -> Msg:
        """The next message that is this status or method; others are passed over."""
        async with asyncio.timeout(within):
            while True:
                m = await self.inbox.get()
                if what == (m.code or m.method) and (not method or m.cseq[1] == method):
                    return m

    async def silence(self, seconds: float, what: int | str) -> None:
        """Fails when such a message comes within the time."""
        try:
            m = await self.get(what, seconds)
        except TimeoutError:
            return
        raise AssertionError(f"unexpected {m.start}")

    def via(self, branch: str = "") -> str:
        return f"SIP/2.0/UDP {self.host}:{self.port};rport;branch={branch or f'z9hG4bK-{self.port}-{next(_numbers)}'}"

    @property
    def contact(self) -> str:
        return self.contact_override or f"sip:{self.user}@{self.host}:{self.port}"

    def request(
        self,
        method: str,
        uri: str = "",
        *,
        to: str = "",
        from_: str = "",
        call_id: str = "",
        cseq: int = 1,
        branch: str = "",
        extra: list[tuple[str, str]] | None = None,
        body: str = "",
    ) -> bytes:
        uri = uri or f"sip:200@{self.domain}"
        headers = [
            ("Via", self.via(branch)),
            ("Max-Forwards", "70"),
            ("From", from_ or f"<sip:{self.user}@{self.domain}>;tag=f{next(_numbers)}"),
            ("To", to or f"<{uri}>"),
            ("Call-ID", call_id or f"c{next(_numbers)}@{self.host}"),
            ("CSeq", f"{cseq} {method}"),
        ]
        if method in ("INVITE", "REGISTER", "REFER", "UPDATE") and not any(n == "Contact" for n, _ in extra or []):
            headers.append(("Contact", f"<{self.contact}>"))
        headers += extra or []
        if body and not any(n == "Content-Type" for n, _ in extra or []):
            headers.append(("Content-Type", "application/sdp"))
        return compose(f"{method} {uri} SIP/2.0", headers, body)

    def again(self, raw: bytes, **changes: str) -> bytes:
        """The request again with a new branch and changed headers."""
        m = parse(raw)
        headers = [(n, self.via() if n == "Via" else changes.pop(n, v)) for n, v in m.headers if n != "Content-Length"]
        headers += list(changes.items())
        return compose(m.start, headers, m.body)

    def ack(self, invite: bytes, response: Msg, body: str = "") -> bytes:
        """For a 2xx a request of its own to the Contact, for a failure one with the INVITE's branch."""
        m = parse(invite)
        number = m.cseq[0]
        if response.code < 300:
            headers = [("Via", self.via()), *[("Route", r) for r in response.all("Record-Route")[::-1]]]
            uri = response.contact
        else:
            headers = [("Via", m.get("Via"))]
            uri = m.uri
        headers += [("Max-Forwards", "70"), ("From", m.get("From")), ("To", response.get("To")),
                    ("Call-ID", m.get("Call-ID")), ("CSeq", f"{number} ACK")]  # fmt: skip
        if body:
            headers.append(("Content-Type", "application/sdp"))
        return compose(f"ACK {uri} SIP/2.0", headers, body)

    def reply(
        self, request: Msg, code: int, *, tag: str = "", body: str = "", extra: list[tuple[str, str]] | None = None, contact: str = ""
    ) -> bytes:
        to = request.get("To")
        if tag and "tag=" not in to:
            to += f";tag={tag}"
        headers = [("Via", v) for v in request.all("Via")]
        headers += [("Record-Route", v) for v in request.all("Record-Route")]
        headers += [("From", request.get("From")), ("To", to), ("Call-ID", request.get("Call-ID")), ("CSeq", request.get("CSeq"))]
        if request.method == "INVITE" and 100 < code < 300:
            headers.append(("Contact", f"<{contact or self.contact}>"))
        headers += extra or []
        if body:
            headers.append(("Content-Type", "application/sdp"))
        return compose(f"SIP/2.0 {code} Whatever", headers, body)

    def credentials(self, challenge: Msg, method: str, uri: str, *, password: str = "", user: str = "", nc: int = 1) -> tuple[str, str]:
        """(header name, value) that answers a 401/407."""
        name = "WWW-Authenticate" if challenge.code == 401 else "Proxy-Authenticate"
        fields = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge.get(name)))
        user = user or self.user

        def h(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        one = h(f"{user}:{fields['realm']}:{password or self.password}")
        two = h(f"{method}:{uri}")
        count = f"{nc:08x}"
        digest = h(f"{one}:{fields['nonce']}:{count}:abc:auth:{two}")
        value = (
            f'Digest username="{user}", realm="{fields["realm"]}", nonce="{fields["nonce"]}", uri="{uri}", '
            f'response="{digest}", algorithm=MD5, qop=auth, nc={count}, cnonce="abc"'
        )
        return ("Authorization" if challenge.code == 401 else "Proxy-Authorization"), value

    async def register(
        self, *, expires: int = 300, password: str = "", extra: list[tuple[str, str]] | None = None, user: str = "",
        call_id: str = "", cseq: int = 1, aor_user: str = "",
    ) -> Msg:  # fmt: skip
        """REGISTER with its challenge; the final response."""
        uri = f"sip:{self.domain}"
        aor = f"<sip:{aor_user or user or self.user}@{self.domain}>"
        headers = [("Expires", str(expires)), *(extra or [])]
        raw = self.request("REGISTER", uri, to=aor, from_=f"{aor};tag=r{next(_numbers)}", extra=headers, cseq=cseq, call_id=call_id)
        self.send(raw)
        challenge = await self.final("REGISTER")
        if challenge.code != 401:
            return challenge
        name, value = self.credentials(challenge, "REGISTER", uri, password=password, user=user)
        self.send(self.again(raw, CSeq=f"{cseq + 1} REGISTER", **{name: value}))
        return await self.final("REGISTER")

    async def final(self, method: str, within: float = 3.0) -> Msg:
        async with asyncio.timeout(within):
            while True:
                m = await self.inbox.get()
                if m.code >= 200 and m.cseq[1] == method:
                    return m

    def in_dialog(self, method: str, invite: bytes, response: Msg, *, cseq: int = 2, body: str = "",
                  extra: list[tuple[str, str]] | None = None, branch: str = "") -> bytes:  # fmt: skip
        """A request of the caller in the dialog its INVITE and the 2xx opened."""
        m = parse(invite)
        routes = [("Route", r) for r in response.all("Record-Route")[::-1]]
        return self.request(
            method, response.contact, to=response.get("To"), from_=m.get("From"), call_id=m.get("Call-ID"), cseq=cseq,
            extra=[*routes, *(extra or [])], body=body, branch=branch,
        )  # fmt: skip

    def callee_request(self, method: str, invite: Msg, tag: str, *, cseq: int = 100, body: str = "",
                       extra: list[tuple[str, str]] | None = None, to: tuple[str, int] | None = None) -> bytes:  # fmt: skip
        """A request of the callee in the dialog of an INVITE it received."""
        return self.request(
            method, invite.contact, to=invite.get("From"), from_=f"{invite.get('To')};tag={tag}",
            call_id=invite.get("Call-ID"), cseq=cseq, extra=extra, body=body,
        )  # fmt: skip
