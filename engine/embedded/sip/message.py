# SPDX-License-Identifier: Apache-2.0
"""SIP messages: a lazy parse of what came in, and the bytes of what goes out; used by transport, transactions and calls."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from engine.embedded.sip.syntax import (
    MalformedMessage,
    NameAddr,
    Uri,
    Via,
    number,
    parse_name_addr,
    parse_uri,
    parse_via,
    split_list,
    token,
)

if TYPE_CHECKING:
    from engine.embedded.sip.flow import Flow

Headers = Sequence[tuple[str, str]]

_COMPACT = {
    "a": "accept-contact", "b": "referred-by", "c": "content-type", "d": "request-disposition", "e": "content-encoding",
    "f": "from", "i": "call-id", "j": "reject-contact", "k": "supported", "l": "content-length", "m": "contact",
    "o": "event", "r": "refer-to", "s": "subject", "t": "to", "u": "allow-events", "v": "via", "x": "session-expires",
}  # fmt: skip
_KNOWN = {
    spelled: name.lower()
    for name in (
        "Via", "From", "To", "Call-ID", "CSeq", "Contact", "Max-Forwards", "Content-Length", "Content-Type", "Route",
        "Record-Route", "User-Agent", "Server", "Allow", "Supported", "Require", "Expires", "Authorization",
        "Proxy-Authorization", "Reason", "Subject", "Accept", "P-Asserted-Identity", "Allow-Events",
    )
    for spelled in (name, name.lower())
} | _COMPACT  # fmt: skip
_METHODS = frozenset({"INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "OPTIONS", "INFO", "UPDATE", "REFER", "NOTIFY"})
_METHOD = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+\Z")
_FOLD = re.compile(r"\n[ \t]+")
_RECEIVED = re.compile(r";\s*(?:rport|received)\b(?:\s*=\s*(?:\"[^\"]*\"|[^;,\s]*))?", re.IGNORECASE)
_MAX_LINES = 256

REASONS = {
    100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress", 200: "OK",
    202: "Accepted", 300: "Multiple Choices", 301: "Moved Permanently", 302: "Moved Temporarily", 400: "Bad Request",
    401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 406: "Not Acceptable",
    407: "Proxy Authentication Required", 408: "Request Timeout", 410: "Gone", 413: "Request Entity Too Large",
    415: "Unsupported Media Type", 416: "Unsupported URI Scheme", 420: "Bad Extension", 421: "Extension Required",
    423: "Interval Too Brief", 480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist",
    482: "Loop Detected", 483: "Too Many Hops", 484: "Address Incomplete", 486: "Busy Here", 487: "Request Terminated",
    488: "Not Acceptable Here", 489: "Bad Event", 491: "Request Pending", 500: "Server Internal Error",
    501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Server Time-out",
    505: "Version Not Supported", 513: "Message Too Large", 600: "Busy Everywhere", 603: "Decline",
    604: "Does Not Exist Anywhere", 606: "Not Acceptable",
}  # fmt: skip


class Message:
    """What requests and responses share. Header lines are indexed at the first look, values parsed when asked for."""

    __slots__ = ("_call_id", "_cseq", "_from", "_index", "_lines", "_to", "_via", "body", "encoding", "flow")

    def __init__(self, lines: list[str], body: bytes, encoding: str) -> None:
        self._lines = lines
        self._index: dict[str, list[str]] | None = None
        self._via: Via | None = None
        self._from: NameAddr | None = None
        self._to: NameAddr | None = None
        self._cseq: tuple[int, str] | None = None
        self._call_id: str | None = None
        self.body = body
        self.encoding = encoding
        self.flow: Flow | None = None

    @property
    def headers(self) -> dict[str, list[str]]:
        """Every header by its full lower-case name, values in order, compact forms expanded, as they came."""
        index = self._index
        if index is None:
            index = self._index = {}
            for line in self._lines:
                name, colon, value = line.partition(":")
                if not colon:
                    continue  # a line without a colon is no header; the rest of the message may still be good
                key = _KNOWN.get(name)
                if key is None:
                    key = name.strip().lower()
                    key = _COMPACT.get(key, key)
                if key in index:
                    index[key].append(value.strip())
                else:
                    index[key] = [value.strip()]
        return index

    def header(self, name: str) -> str | None:
        """First value of a header (full name, any case) or None."""
        values = self.headers.get(name if name.islower() else name.lower())
        return values[0] if values else None

    def values(self, name: str) -> list[str]:
        """All values of a header that may be a comma-separated list or repeated, in order."""
        rows = self.headers.get(name if name.islower() else name.lower())
        if not rows:
            return []
        if len(rows) == 1 and "," not in rows[0]:
            return rows if rows[0] else []
        return [value for row in rows for value in split_list(row)]

    def tokens(self, name: str) -> set[str]:
        """The option tags of Require, Supported, Allow …, in lower case."""
        return {value.lower() for value in self.values(name)}

    @property
    def via(self) -> Via:
        """Top Via; raises MalformedMessage."""
        if self._via is None:
            values = self.values("via")
            if not values:
                raise MalformedMessage("No Via")
            self._via = parse_via(values[0])
        return self._via

    @property
    def from_(self) -> NameAddr:
        if self._from is None:
            self._from = parse_name_addr(self._single("from"))
        return self._from

    @property
    def to(self) -> NameAddr:
        if self._to is None:
            self._to = parse_name_addr(self._single("to"))
        return self._to

    @property
    def call_id(self) -> str:
        if self._call_id is None:
            self._call_id = self._single("call-id")
        return self._call_id

    @property
    def cseq(self) -> tuple[int, str]:
        """(number, method)."""
        if self._cseq is None:
            parts = self._single("cseq").split()
            if len(parts) != 2:
                raise MalformedMessage("Bad CSeq")
            self._cseq = (number(parts[0]), parts[1])
        return self._cseq

    def _single(self, name: str) -> str:
        rows = self.headers.get(name)
        if not rows or not rows[0]:
            raise MalformedMessage(f"No {name}")
        if len(rows) > 1:
            raise MalformedMessage(f"Repeated {name}")
        return rows[0]

    def contacts(self) -> list[NameAddr]:
        """Contact values (a bare `*` gives an address with that text); raises MalformedMessage."""
        return [parse_name_addr(value) for value in self.values("contact")]

    def contact_uri(self) -> str | None:
        """URI of the first usable sip: Contact; None when there is none or it is broken."""
        try:
            first = parse_name_addr(self.values("contact")[0])
            parse_uri(first.uri_text)
        except (IndexError, MalformedMessage):
            return None
        return first.uri_text

    def sdp(self) -> bytes | None:
        """The session description, also when it is one part of a multipart body; None when there is none."""
        if not self.body:
            return None
        kind = (self.header("content-type") or "").lower()
        media_type = kind.partition(";")[0].strip()
        if media_type == "application/sdp":
            return self.body
        if media_type.startswith("multipart/"):
            return _sdp_part(self.body)
        return None

    def check(self) -> None:
        """Raise MalformedMessage unless every header that RFC 3261 §8.1.1 demands is there and can be read."""
        _ = self.via, self.call_id, self.cseq
        _ = self.from_.uri_text, self.to.uri_text
        length = self.header("content-length")
        if length is not None and number(length) > len(self.body):
            raise MalformedMessage("Body shorter than Content-Length")


class Request(Message):
    """An incoming request."""

    __slots__ = ("method", "source", "uri_text", "version")

    def __init__(self, method: str, uri_text: str, version: str, lines: list[str], body: bytes, encoding: str) -> None:
        Message.__init__(self, lines, body, encoding)
        self.method = method
        self.uri_text = uri_text
        self.version = version
        self.source: tuple[str, int] = ("", 0)

    @property
    def uri(self) -> Uri:
        """Request URI; raises MalformedMessage."""
        return parse_uri(self.uri_text)

    def check(self) -> None:
        super().check()
        if self.cseq[1] != self.method:
            raise MalformedMessage("CSeq method does not match")
        _ = self.from_.uri


class Response(Message):
    """An incoming response."""

    __slots__ = ("code", "reason")

    def __init__(self, code: int, reason: str, lines: list[str], body: bytes, encoding: str) -> None:
        super().__init__(lines, body, encoding)
        self.code = code
        self.reason = reason


def parse(data: bytes) -> Request | Response:
    """Read the start line and find the body; headers wait until somebody asks. Raises MalformedMessage."""
    if data[:1] in (b"\r", b"\n"):  # RFC 3261 §7.5, over UDP as well
        data = data.lstrip(b"\r\n")
    head, gap, body = data.partition(b"\r\n\r\n")
    if not gap:
        head, gap, body = data.partition(b"\n\n")
        if not gap:
            raise MalformedMessage("No end of headers")
    try:
        text, encoding = head.decode(), "utf-8"
    except UnicodeDecodeError:  # old phones send names in cp1251 or latin-1; the bytes are mirrored as they came
        text, encoding = head.decode("latin-1"), "latin-1"
    if "\0" in text:
        raise MalformedMessage("NUL in header")
    text = text.replace("\r\n", "\n")
    if "\r" in text:
        text = text.replace("\r", "\n")
    if "\n " in text or "\n\t" in text:
        text = _FOLD.sub(" ", text)
    lines = text.split("\n")
    if len(lines) > _MAX_LINES:
        raise MalformedMessage("Too many headers")
    start = lines[0].split(" ", 2)
    if len(start) < 2:
        raise MalformedMessage("Bad start line")
    del lines[0]
    if start[0][:4].upper() == "SIP/":
        code = start[1]
        if start[0].upper() != "SIP/2.0" or len(code) != 3 or not code.isascii() or not code.isdigit() or code < "100":
            raise MalformedMessage("Bad status line")
        if code >= "700":
            raise MalformedMessage("Bad status code")
        return Response(int(code), start[2] if len(start) > 2 else "", lines, _cut(lines, body), encoding)
    if len(start) != 3 or not start[1] or not (start[0] in _METHODS or _METHOD.match(start[0])):
        raise MalformedMessage("Bad request line")
    version = start[2].strip().upper()
    if not version.startswith("SIP/"):
        raise MalformedMessage("Bad request line")
    return Request(start[0], start[1], version, lines, _cut(lines, body), encoding)


def _cut(lines: list[str], body: bytes) -> bytes:
    """Drop what a datagram carries beyond its Content-Length (RFC 3261 §18.3); a short body is `check()`'s business."""
    if not body:
        return body
    for line in reversed(lines):
        name, _, value = line.partition(":")
        if name.strip().lower() in ("content-length", "l"):
            value = value.strip()
            if value.isascii() and value.isdigit() and len(value) < 10:
                return body[: int(value)]
            break
    return body


def _sdp_part(body: bytes) -> bytes | None:
    """The application/sdp part of a multipart body; the boundary is its first line."""
    boundary = body.lstrip().split(b"\r\n", 1)[0].rstrip()
    if not boundary.startswith(b"--") or len(boundary) < 3:
        return None
    for part in body.split(boundary)[1:]:
        head, gap, content = part.partition(b"\r\n\r\n")
        if gap and b"application/sdp" in head.lower():
            return content[:-2] if content.endswith(b"\r\n") else content
    return None


def build(start: str, headers: Iterable[tuple[str, str]], body: bytes, encoding: str = "utf-8") -> bytes:
    """Bytes of a message. Line ends inside values become spaces, so that no caller can smuggle in a header."""
    lines = [start]
    lines += [f"{name}: {value}" for name, value in headers]
    lines.append(f"Content-Length: {len(body)}\r\n\r\n")
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) + 1 or text.count("\r") != len(lines) + 1:
        lines = [token(line) for line in lines[:-1]] + lines[-1:]
        text = "\r\n".join(lines)
    return text.encode(encoding, "replace") + body


def build_request(method: str, uri: str, headers: Iterable[tuple[str, str]], body: bytes = b"") -> bytes:
    """Bytes of a request; Content-Length is added, everything else is in `headers`."""
    return build(f"{method} {uri} SIP/2.0", headers, body)


def build_response(
    request: Request, code: int, reason: str = "", *, to_tag: str = "", headers: Headers = (), body: bytes = b""
) -> bytes:
    """Bytes of a response: Via (with received and rport), From, To, Call-ID, CSeq and Record-Route come from `request`."""
    rows = request.headers
    vias = rows.get("via", [])
    lines: list[tuple[str, str]] = []
    if vias:
        top, *rest = split_list(vias[0]) if "," in vias[0] else vias[:1]
        lines.append(("Via", with_source(top, request.source)))
        lines += [("Via", value) for value in rest]
        lines += [("Via", value) for value in vias[1:]]
    if code < 300 and code > 100:
        lines += [("Record-Route", value) for value in rows.get("record-route", ())]
    to = rows.get("to", [""])[0]
    if to_tag and not request.to.tag:
        to = f"{to};tag={to_tag}"
    lines.append(("From", rows.get("from", [""])[0]))
    lines.append(("To", to))
    lines.append(("Call-ID", rows.get("call-id", [""])[0]))
    lines.append(("CSeq", rows.get("cseq", [""])[0]))
    if code == 100:
        lines += [("Timestamp", value) for value in rows.get("timestamp", ())[:1]]  # RFC 3261 §8.2.6.1
    lines += headers
    start = f"SIP/2.0 {code} {token(reason) or REASONS.get(code, 'Unknown')}"
    return build(start, lines, body, request.encoding)


def with_source(via: str, source: tuple[str, int]) -> str:
    """The top Via as our answer carries it: received and rport say where the request really came from (RFC 3581)."""
    return f"{_RECEIVED.sub('', via)};received={source[0]};rport={source[1]}"
