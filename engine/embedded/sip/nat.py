# SPDX-License-Identifier: Apache-2.0
"""Addresses as seen from each side of a NAT: which own address a peer must be told, and where it can be reached."""

from __future__ import annotations

import ipaddress
import socket
import time
from functools import lru_cache

from engine.embedded.sip.contract import Address
from engine.embedded.sip.syntax import Uri

_SHARED = ipaddress.ip_network("100.64.0.0/10")  # carrier-grade NAT, not `is_private` in every Python version
_CACHE_SECONDS = 60.0
_CACHE_SIZE = 10_000


@lru_cache(maxsize=4096)
def is_ip(host: str) -> bool:
    """Whether the text is an IP address (no brackets)."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=4096)
def is_private(host: str) -> bool:
    """Whether this IP address means nothing outside its own network: private, shared, link-local, loopback."""
    address = ipaddress.ip_address(host)
    if address.version == 4 and address in _SHARED:
        return True
    return address.is_private or address.is_link_local or address.is_loopback or address.is_unspecified


def is_loopback(host: str) -> bool:
    return is_ip(host) and ipaddress.ip_address(host).is_loopback


def behind_nat(contact: Uri, source: Address) -> bool:
    """Whether a peer whose packets come from `source` can't be reached at the Contact it wrote.

    An address equal to the source's, a public one, and a loopback one seen from loopback are taken at their word.
    """
    host = contact.host
    if not is_ip(host):
        return host.endswith((".invalid", ".local", ".localdomain", ".lan")) or host == "localhost"
    if host == source[0]:
        return False
    if is_loopback(host) and is_loopback(source[0]):
        return False
    return is_private(host)


class OwnAddresses:
    """The local address the kernel uses towards a peer, remembered for a minute: routes change rarely."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, str]] = {}

    def towards(self, peer: str) -> str:
        """IP address without brackets; the loopback address when there is no route to the peer."""
        now = time.monotonic()
        known = self._known.get(peer)
        if known is not None and known[0] > now:
            return known[1]
        family, fallback = (socket.AF_INET6, "::1") if ":" in peer else (socket.AF_INET, "127.0.0.1")
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((peer, 9))  # sends nothing, only asks for the route
                own = str(probe.getsockname()[0])
            except OSError:
                own = fallback
        if len(self._known) >= _CACHE_SIZE:
            self._known.clear()
        self._known[peer] = (now + _CACHE_SECONDS, own)
        return own


def shown_address(bound: str, advertised: str | None, peer: str, own: OwnAddresses) -> str:
    """What Via, Contact and SDP tell this peer. A public `advertised` address is not for peers in private networks."""
    if advertised and not (is_ip(advertised) and not is_private(advertised) and is_private(peer)):
        return advertised
    if bound and bound not in ("0.0.0.0", "::"):
        return bound
    return own.towards(peer)
