# SPDX-License-Identifier: Apache-2.0
"""Where phones and providers find this PBX, as people type it into them."""

from __future__ import annotations

import socket

from engine.settings import Settings

SIP_PORT = 5060
"""What phones assume when no port is given (RFC 3261 19.1.2)."""
_ANYWHERE = ("0.0.0.0", "::", "")


def phone_server(settings: Settings) -> str:
    """For phones: the host, with its port where that is not 5060."""
    port = settings.switch.sip_port
    host = _bracketed(public_host(settings))
    return host if port == SIP_PORT else f"{host}:{port}"


def phone_domain(settings: Settings, number: str, domain: str) -> str:
    """The SIP domain that phones of this account must be told; "" for the default account, which is known by the address (R27)."""
    return "" if number == settings.core.default_account else domain


def trunk_address(settings: Settings) -> str:
    """For providers that call without a registration."""
    return f"{_bracketed(public_host(settings))}:{settings.switch.trunk_port}"


def public_host(settings: Settings) -> str:
    """Name or address of this PBX: as set, else the address it advertises or listens on, else this machine's in its network."""
    switch = settings.switch
    listens = "" if switch.kind != "embedded" or switch.sip_host in _ANYWHERE else switch.sip_host
    return switch.public_host or switch.advertised_host or listens or own_address()


def own_address() -> str:
    """The address other machines of the local network see; loopback when there is no network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent: it only asks the kernel for a route
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
