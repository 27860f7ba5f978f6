# SPDX-License-Identifier: Apache-2.0
"""Asks the engine's directory over HTTP as mod_xml_curl does: SIP accounts, sofia.conf, acl.conf; keeps cacheable accounts."""

from __future__ import annotations

import base64
import logging
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import md5
from ipaddress import ip_address, ip_network
from xml.etree import ElementTree

import aiohttp

from engine.embedded.config import Directory as DirectoryConfig

log = logging.getLogger(__name__)

_LARGEST = 8 * 1024 * 1024


class DirectoryAwayError(Exception):
    """No usable answer came."""


@dataclass(frozen=True, slots=True)
class User:
    """A SIP account as the directory describes it for one domain."""

    id: str
    domain: str
    params: Mapping[str, str]
    variables: tuple[tuple[str, str, str], ...] = ()
    """(name, value, direction): direction is "", inbound or outbound."""
    cache_until: float = 0.0

    @property
    def ha1(self) -> str:
        """MD5(user:realm:password) in hex, "" when the account has no password."""
        if ready := self.params.get("a1-hash"):
            return ready.lower()
        password = self.params.get("password")
        if not password:
            return ""
        return md5(f"{self.id}:{self.domain}:{password}".encode(), usedforsecurity=False).hexdigest()

    def admits(self, address: str) -> bool:
        """The `auth-acl` white list: networks joined by commas; absent = everybody."""
        allowed = self.params.get("auth-acl", "").strip()
        return not allowed or in_networks(address, allowed.split(","))


@dataclass(frozen=True, slots=True)
class Gateway:
    """A <gateway> of sofia.conf."""

    name: str
    params: Mapping[str, str]
    variables: tuple[tuple[str, str, str], ...] = ()


@dataclass(slots=True)
class Acl:
    """A <list> of acl.conf; nodes in order, the last one that fits decides."""

    allow: bool
    nodes: list[tuple[bool, str]] = field(default_factory=list)

    def admits(self, address: str) -> bool:
        answer = self.allow
        for allow, network in self.nodes:
            if in_networks(address, (network,)):
                answer = allow
        return answer


def in_networks(address: str, networks: list[str] | tuple[str, ...]) -> bool:
    """Whether an address is in one of these; what is no network matches nothing."""
    try:
        asked = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    for text in networks:
        try:
            if asked in ip_network(text.strip(), strict=False):
                return True
        except ValueError:
            continue
    return False


class DirectoryClient:
    def __init__(self, config: DirectoryConfig) -> None:
        self._config = config
        self._session: aiohttp.ClientSession | None = None
        self._cache: dict[tuple[str, str], User] = {}

    async def reconfigure(self, config: DirectoryConfig) -> None:
        """Ask there from now on; nothing learnt from the former one is kept."""
        self._config = config
        self.flush()
        await self.close()

    async def close(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    # -- accounts ----------------------------------------------------------------------------------------------------

    async def user(self, user: str, domain: str, details: Mapping[str, str]) -> User | None:
        """The account, None when there is none. Raises DirectoryAwayError."""
        cached = self._cache.get((user, domain))
        if cached is not None:
            if cached.cache_until > time.monotonic():
                return cached
            del self._cache[user, domain]
        form = {
            "tag_name": "domain",
            "key_name": "name",
            "key_value": domain,
            "key": "id",
            "user": user,
            "domain": domain,
            **{name: value for name, value in details.items() if name not in ("key", "user", "domain")},
        }
        root = await self._ask("directory", form)
        found = _user(root, user, domain)
        if found is not None and found.cache_until:
            if len(self._cache) > 100_000:
                self._cache.clear()
            self._cache[user, domain] = found
        return found

    def flush(self, user: str = "", domain: str = "") -> int:
        """Forget cached accounts (one, or all); returns how many there were."""
        if user:
            return 1 if self._cache.pop((user, domain), None) is not None else 0
        count = len(self._cache)
        self._cache.clear()
        return count

    # -- configuration -----------------------------------------------------------------------------------------------

    async def gateways(self, profile: str) -> dict[str, Gateway]:
        """The gateways of a profile in sofia.conf. Raises DirectoryAwayError."""
        root = await self._configuration("sofia.conf", {"Event-Name": "REQUEST_PARAMS", "profile": profile})
        found = {}
        for node in root.iterfind(f".//profile[@name='{profile}']/gateways/gateway"):
            name = node.get("name", "")
            if name:
                found[name] = Gateway(name, _pairs(node, "param"), _variables(node))
        return found

    async def acls(self) -> dict[str, Acl]:
        """The lists of acl.conf. Raises DirectoryAwayError."""
        root = await self._configuration("acl.conf", {})
        found = {}
        for node in root.iterfind(".//network-lists/list"):
            acl = Acl(node.get("default", "deny") == "allow")
            for entry in node.iterfind("node"):
                if network := entry.get("cidr"):
                    acl.nodes.append((entry.get("type", "allow") == "allow", network))
            found[node.get("name", "")] = acl
        return found

    async def _configuration(self, name: str, details: Mapping[str, str]) -> ElementTree.Element:
        form = {"tag_name": "configuration", "key_name": "name", "key_value": name, **details}
        return await self._ask("configuration", form)

    # -- HTTP --------------------------------------------------------------------------------------------------------

    async def _ask(self, section: str, form: Mapping[str, str]) -> ElementTree.Element:
        if not self._config.url:
            return ElementTree.Element("document")
        if self._session is None:
            headers = dict(self._config.headers)
            if self._config.credentials:
                headers["Authorization"] = f"Basic {base64.b64encode(self._config.credentials.encode()).decode()}"
            self._session = aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=self._config.timeout_seconds),
                headers=headers,
                connector=aiohttp.TCPConnector(limit=50),
            )
        fields = {"hostname": socket.gethostname(), "section": section, **form}
        url = f"{self._config.url.rstrip('/')}/{section}"
        try:
            async with self._session.post(url, data=fields) as response:
                if response.status != 200:
                    raise DirectoryAwayError(f"{url} answered {response.status}")
                body = await response.content.read(_LARGEST + 1)
                while not response.content.at_eof() and len(body) <= _LARGEST:
                    body += await response.content.read(_LARGEST)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise DirectoryAwayError(f"{url}: {type(error).__name__} {error}".rstrip()) from error
        return _parse(body, url)


def _parse(body: bytes, url: str) -> ElementTree.Element:
    if len(body) > _LARGEST:
        raise DirectoryAwayError(f"{url}: the answer is too long")
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise DirectoryAwayError(f"{url}: the answer declares entities")
    try:
        return ElementTree.fromstring(body)  # noqa: S314 - no entities, see above
    except ElementTree.ParseError as error:
        raise DirectoryAwayError(f"{url}: no XML: {error}") from error


def _pairs(node: ElementTree.Element, tag: str) -> dict[str, str]:
    return {found.get("name", ""): found.get("value", "") for found in node.iter(tag)}


def _variables(node: ElementTree.Element) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        (found.get("name", ""), found.get("value", ""), found.get("direction", "")) for found in node.iter("variable")
    )


def _user(root: ElementTree.Element, user: str, domain: str) -> User | None:
    """The <user> asked for; params and variables of its <domain> and <group> hold unless it has its own."""
    for place in root.iter("domain"):
        for node in place.iter("user"):
            if node.get("id") != user:
                continue
            params: dict[str, str] = {}
            variables: dict[tuple[str, str], str] = {}
            for holder in (place, node):
                for params_node in holder.findall("params"):
                    params.update(_pairs(params_node, "param"))
                for variables_node in holder.findall("variables"):
                    variables.update({(name, way): value for name, value, way in _variables(variables_node)})
            return User(
                user,
                domain,
                params,
                tuple((name, value, way) for (name, way), value in variables.items()),
                _cache_until(node.get("cacheable", "")),
            )
    return None


def _cache_until(text: str) -> float:
    """`cacheable` is milliseconds, or a yes for ever (a flush ends it)."""
    if text.isascii() and text.isdigit() and len(text) < 12 and int(text):
        return time.monotonic() + int(text) / 1000
    return float("inf") if text.lower() in ("true", "yes", "on") else 0.0
