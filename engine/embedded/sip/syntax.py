# SPDX-License-Identifier: Apache-2.0
"""The small grammars inside SIP headers (URIs, name-addr, parameters, lists), used by every module of this package."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import quote, unquote

_NO_PARAMS: Mapping[str, str] = MappingProxyType({})
_USER_SAFE = "-_.!~*'()&=+$,;?/"
_HOST = re.compile(r"[A-Za-z0-9._\-]+\Z")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]+\Z")
_TEL = re.compile(r"[+0-9A-Da-d*#.()\- ]+\Z")
_ESCAPED = re.compile(r"\\(.)")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]+")


def _no_params() -> Mapping[str, str]:
    return _NO_PARAMS


class MalformedMessage(ValueError):  # noqa: N818 - says what it is, and the core knows it by this name
    """The text breaks RFC 3261's grammar; the message says where, in words fit for a 400 reason phrase."""


def number(text: str, limit: int = 2**32) -> int:
    """A non-negative decimal as SIP writes it; `int()` alone would also take signs, underscores and other scripts."""
    text = text.strip()
    if not (text.isascii() and text.isdigit()) or len(text) > 10 or (value := int(text)) >= limit:
        raise MalformedMessage("Bad number")
    return value


def optional_number(text: str | None) -> int | None:
    """The number of a header that may be missing or broken, such as Expires."""
    try:
        return None if text is None else number(text)
    except MalformedMessage:
        return None


def split_list(value: str, separator: str = ",") -> list[str]:
    """Split at separators that stand outside quotes and angle brackets; empty items are dropped."""
    if separator not in value:
        stripped = value.strip()
        return [stripped] if stripped else []
    if '"' not in value and "<" not in value:
        return [item for part in value.split(separator) if (item := part.strip())]
    items: list[str] = []
    start = 0
    quoted = escaped = False
    depth = 0
    for position, char in enumerate(value):
        if escaped:
            escaped = False
        elif quoted:
            if char == "\\":
                escaped = True
            elif char == '"':
                quoted = False
        elif char == '"':
            quoted = True
        elif char == "<":
            depth = 1
        elif char == ">":
            depth = 0
        elif char == separator and not depth:
            items.append(value[start:position])
            start = position + 1
    items.append(value[start:])
    return [item for part in items if (item := part.strip())]


def unquoted(value: str) -> str:
    """The content of a quoted-string, or the token as it stands."""
    if len(value) >= 2 and value[0] == '"' and value[-1] == '"':
        return _ESCAPED.sub(r"\1", value[1:-1])
    return value


def quoted(value: str) -> str:
    """A quoted-string that holds any text: control characters become spaces."""
    cleaned = _CONTROLS.sub(" ", value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{cleaned}"'


def parse_params(text: str) -> dict[str, str]:
    """`;a=b;c` → {"a": "b", "c": ""}; names in lower case, quotes removed, the first of a repeated name wins."""
    params: dict[str, str] = {}
    quotes = '"' in text
    for item in split_list(text, ";") if quotes else text.split(";"):
        name, _, value = item.partition("=")
        name = name.strip().lower()
        if name and name not in params:
            value = value.strip()
            params[name] = unquoted(value) if quotes else value
    return params


@dataclass(frozen=True, slots=True)
class Uri:
    """A sip:, sips: or tel: URI. `user` is unescaped; `host` of a tel: URI is its phone-context; IPv6 has no brackets."""

    scheme: str
    user: str
    host: str
    port: int | None = None
    params: Mapping[str, str] = field(default_factory=_no_params, hash=False)
    headers: str = ""

    @property
    def transport(self) -> str:
        """Lower-case transport parameter, `udp` when it says nothing."""
        return self.params.get("transport", "udp").lower()

    @property
    def hostport(self) -> str:
        host = bracketed(self.host)
        return host if self.port is None else f"{host}:{self.port}"

    def __str__(self) -> str:
        params = "".join(f";{name}={value}" if value else f";{name}" for name, value in self.params.items())
        if self.scheme == "tel":
            return f"tel:{self.user}{params}"
        user = f"{quote(self.user, safe=_USER_SAFE)}@" if self.user else ""
        return f"{self.scheme}:{user}{self.hostport}{params}{'?' + self.headers if self.headers else ''}"


def bracketed(host: str) -> str:
    """The host as it stands in a URI, Via or `o=` line: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


@lru_cache(maxsize=4096)
def parse_uri(text: str) -> Uri:
    """Parse a URI; raises MalformedMessage. Unknown schemes are refused with the reason `Unsupported URI scheme`."""
    scheme, colon, rest = text.strip().partition(":")
    scheme = scheme.lower()
    if not colon or not rest:
        raise MalformedMessage("Bad URI")
    if scheme == "tel":
        number_text, _, tail = rest.partition(";")
        if not _TEL.match(number_text):
            raise MalformedMessage("Bad tel URI")
        params = parse_params(tail)
        visual = re.sub(r"[-.() ]", "", number_text)
        return Uri("tel", visual, params.get("phone-context", ""), None, MappingProxyType(params))
    if scheme not in ("sip", "sips"):
        raise MalformedMessage("Unsupported URI scheme")
    rest, _, headers = rest.partition("?") if "@" not in rest else _headers_after_host(rest)
    user_text, at, hostpart = rest.rpartition("@")
    if not at:
        user_text, hostpart = "", rest
    hostport, _, tail = hostpart.partition(";")
    host, port = split_hostport(hostport)
    user = unquote(user_text.partition(":")[0], errors="replace") if user_text else ""
    params = parse_params(tail) if tail else {}
    return Uri(scheme, _CONTROLS.sub("", user), host, port, MappingProxyType(params), headers)


def _headers_after_host(rest: str) -> tuple[str, str, str]:
    """`?` is legal in a user part, so only one after the @ starts the URI headers."""
    at = rest.rindex("@") if "?" not in rest.rpartition("@")[0] else rest.index("@")
    base, mark, headers = rest[at:].partition("?")
    return rest[:at] + base, mark, headers


def split_hostport(text: str) -> tuple[str, int | None]:
    """`host`, `host:port`, `[v6]:port` → host without brackets, lower case, and the port; raises MalformedMessage."""
    text = text.strip()
    if text.startswith("["):
        host, closing, tail = text[1:].partition("]")
        if not closing or not _IPV6.match(host) or (tail and not tail.startswith(":")):
            raise MalformedMessage("Bad host")
        port_text = tail[1:]
    else:
        host, _, port_text = text.partition(":")
        if not _HOST.match(host):
            raise MalformedMessage("Bad host")
    if not port_text:
        return host.lower(), None
    port = number(port_text, 65536)
    if port == 0:
        raise MalformedMessage("Bad port")
    return host.lower(), port


@dataclass(frozen=True, slots=True)
class NameAddr:
    """From, To, Contact, Route, Refer-To …: display name (unquoted), URI text and header parameters."""

    display: str
    uri_text: str
    params: Mapping[str, str] = field(default_factory=_no_params, hash=False)

    @property
    def uri(self) -> Uri:
        """Raises MalformedMessage."""
        return parse_uri(self.uri_text)

    @property
    def tag(self) -> str:
        return self.params.get("tag", "")


def parse_name_addr(value: str) -> NameAddr:
    """Parse one name-addr or addr-spec with its header parameters; raises MalformedMessage."""
    value = value.strip()
    display = ""
    if value.startswith('"'):
        match = re.match(r'"((?:[^"\\]|\\.)*)"\s*(?=<)', value)
        if match is None:
            raise MalformedMessage("Bad display name")
        display = _ESCAPED.sub(r"\1", match[1])
        value = value[match.end() :]
    bracket = value.find("<")
    if bracket < 0:
        uri_text, _, tail = value.partition(";")
    else:
        display = display or value[:bracket].strip()
        uri_text, closing, tail = value[bracket + 1 :].partition(">")
        if not closing:
            raise MalformedMessage("Unclosed angle bracket")
    uri_text = uri_text.strip()
    if not uri_text or " " in uri_text or "\t" in uri_text:
        raise MalformedMessage("Bad address")
    return NameAddr(display, uri_text, parse_params(tail) if tail else _NO_PARAMS)


def format_name_addr(display: str, uri: str, tag: str = "") -> str:
    """Build a From/To/Contact value."""
    name = f"{quoted(display)} " if display else ""
    return f"{name}<{uri}>;tag={tag}" if tag else f"{name}<{uri}>"


@dataclass(frozen=True, slots=True)
class Via:
    """One Via value: who sent the request and where its answers belong."""

    transport: str
    host: str
    port: int | None
    params: Mapping[str, str] = field(default_factory=_no_params, hash=False)

    @property
    def branch(self) -> str:
        return self.params.get("branch", "")


def parse_via(value: str) -> Via:
    """Parse one Via value; raises MalformedMessage."""
    protocol, _, rest = value.strip().partition(" ")
    if rest and rest.lstrip().startswith("/"):  # "SIP / 2.0 / UDP host" is legal
        pieces = re.match(r"\s*([\w.]+)\s*/\s*([\w.]+)\s*/\s*(\w+)\s+", value)
        if pieces is None:
            raise MalformedMessage("Bad Via")
        protocol, rest = f"{pieces[1]}/{pieces[2]}/{pieces[3]}", value[pieces.end() :]
    parts = protocol.split("/")
    if len(parts) != 3 or parts[0].upper() != "SIP" or not rest:
        raise MalformedMessage("Bad Via")
    sent_by, _, tail = rest.partition(";")
    host, port = split_hostport(sent_by)
    return Via(parts[2].strip().lower(), host, port, parse_params(tail) if tail else _NO_PARAMS)


def token(value: str) -> str:
    """Text made safe for a reason phrase or a bare header value: controls become spaces."""
    return _CONTROLS.sub(" ", value)
