# SPDX-License-Identifier: Apache-2.0
"""Digest authentication (RFC 2617/7616, MD5, qop auth): as server for phones, as client towards providers."""

from __future__ import annotations

import enum
import hashlib
import hmac
import re
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping

from engine.embedded.sip.contract import Credentials
from engine.embedded.sip.message import Response
from engine.embedded.sip.syntax import MalformedMessage, quoted, unquoted

_FIELD = re.compile(r'([A-Za-z][A-Za-z0-9_-]*)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s,"]+)')
_NONCES_REMEMBERED = 50_000


def md5(text: str) -> str:
    """Hex digest; MD5 is what SIP phones speak, it protects nothing else here."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def ha1(username: str, realm: str, password: str) -> str:
    """The hash the directory keeps instead of the password."""
    return md5(f"{username}:{realm}:{password}")


def parse_digest(value: str) -> dict[str, str] | None:
    """Fields of a Digest challenge or answer in lower-case names; None for another scheme."""
    scheme, _, rest = value.strip().partition(" ")
    if scheme.lower() != "digest":
        return None
    return {name.lower(): unquoted(text) for name, text in _FIELD.findall(rest)}


def _expected(secret: str, fields: Mapping[str, str], method: str) -> str:
    """The response value for HA1 `secret`; without qop the old RFC 2069 form."""
    ha2 = md5(f"{method}:{fields.get('uri', '')}")
    if fields.get("qop"):
        return md5(
            f"{secret}:{fields.get('nonce', '')}:{fields.get('nc', '')}:{fields.get('cnonce', '')}:{fields['qop']}:{ha2}"
        )
    return md5(f"{secret}:{fields.get('nonce', '')}:{ha2}")


class NonceState(enum.Enum):
    GOOD = "good"
    STALE = "stale"  # expired, used up, or not from this process: ask again with stale=true


class DigestServer:
    """Issues nonces and checks answers. Nonces carry their own time, bound to realm and address by a keyed hash, so
    that a flood of challenges costs no memory; only nonces that were answered are remembered (for the nc check)."""

    def __init__(self, now: Callable[[], float], lifetime: float) -> None:
        self._now = now
        self._lifetime = lifetime
        self._secret = secrets.token_bytes(32)
        self._counts: OrderedDict[str, int] = OrderedDict()

    def challenge(self, realm: str, address: str, *, stale: bool = False) -> str:
        """Value of WWW-Authenticate or Proxy-Authenticate."""
        body = f"{int(self._now() * 1000):x}.{secrets.token_hex(6)}"
        nonce = f"{body}.{self._mac(body, realm, address)}"
        tail = ", stale=true" if stale else ""
        return f'Digest realm={quoted(realm)}, nonce="{nonce}", algorithm=MD5, qop="auth"{tail}'

    def _mac(self, body: str, realm: str, address: str) -> str:
        message = f"{body}|{realm}|{address}".encode()
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()[:24]

    def accept_nonce(self, fields: Mapping[str, str], address: str) -> NonceState:
        """Check and use up the nonce count of an answer. Raises MalformedMessage for an unreadable one."""
        nonce = fields.get("nonce", "")
        body, _, mac = nonce.rpartition(".")
        expected = self._mac(body, fields.get("realm", ""), address)
        if not body or not hmac.compare_digest(mac.encode(), expected.encode()):
            return NonceState.STALE
        issued = int(body.partition(".")[0], 16) / 1000
        if self._now() - issued > self._lifetime:
            return NonceState.STALE
        last = self._counts.get(nonce, 0)
        if fields.get("qop"):
            text = fields.get("nc", "")
            if len(text) != 8 or not re.fullmatch("[0-9A-Fa-f]{8}", text):
                raise MalformedMessage("Bad nc")
            count = int(text, 16)
        else:
            count = 1  # without qop nothing tells a replay from a new request: such a nonce serves once
        if count <= last:
            return NonceState.STALE
        self._counts[nonce] = count if fields.get("qop") else 2**32
        self._counts.move_to_end(nonce)
        while len(self._counts) > _NONCES_REMEMBERED:
            self._counts.popitem(last=False)
        return NonceState.GOOD

    @staticmethod
    def verify(fields: Mapping[str, str], method: str, secret: str) -> bool:
        """Whether the answer was made with this HA1."""
        if fields.get("algorithm", "MD5").upper() != "MD5" or fields.get("qop", "auth").lower() != "auth":
            return False
        return hmac.compare_digest(_expected(secret, fields, method).encode(), fields.get("response", "").lower().encode())


def credentials_of(values: Iterable[str]) -> dict[str, str] | None:
    """The first complete Digest answer among (Proxy-)Authorization values; raises MalformedMessage for a broken one."""
    for value in values:
        fields = parse_digest(value)
        if fields is None:
            continue
        if not all(fields.get(name) for name in ("username", "realm", "nonce", "uri", "response")):
            raise MalformedMessage("Bad credentials")
        return fields
    return None


def answer_challenge(
    response: Response, method: str, uri: str, credentials: Credentials, tried: set[str]
) -> list[tuple[str, str]] | None:
    """Headers for repeating a request after a 401/407; None: no challenge we can answer, or this realm refused us before.

    `tried` holds the realms answered so far and is updated; a stale nonce gives a second chance.
    """
    name, answer_name = (
        ("proxy-authenticate", "Proxy-Authorization") if response.code == 407 else ("www-authenticate", "Authorization")
    )
    headers: list[tuple[str, str]] = []
    for value in response.headers.get(name, ()):
        fields = parse_digest(value)
        if fields is None or fields.get("algorithm", "MD5").upper() != "MD5" or "nonce" not in fields:
            continue
        realm = fields.get("realm", "")
        if credentials.realm is not None and credentials.realm != realm:
            continue
        stale = fields.get("stale", "").lower() == "true"
        mark = f"{realm} stale" if stale else realm
        if mark in tried:
            continue
        tried.add(mark)
        headers.append((answer_name, _answer(fields, method, uri, credentials)))
    return headers or None


def _answer(fields: Mapping[str, str], method: str, uri: str, credentials: Credentials) -> str:
    realm = fields.get("realm", "")
    said = {"nonce": fields["nonce"], "uri": uri}
    qops = [item.strip().lower() for item in fields.get("qop", "").split(",")]
    if "auth" in qops:
        said |= {"qop": "auth", "nc": "00000001", "cnonce": secrets.token_hex(8)}
    digest = _expected(ha1(credentials.username, realm, credentials.password), said, method)
    parts = [
        f"username={quoted(credentials.username)}", f"realm={quoted(realm)}", f"nonce={quoted(fields['nonce'])}",
        f"uri={quoted(uri)}", f'response="{digest}"', "algorithm=MD5",
    ]  # fmt: skip
    if "opaque" in fields:
        parts.append(f"opaque={quoted(fields['opaque'])}")
    if "qop" in said:
        parts += ["qop=auth", "nc=00000001", f'cnonce="{said["cnonce"]}"']
    return "Digest " + ", ".join(parts)
