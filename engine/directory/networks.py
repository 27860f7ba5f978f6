# SPDX-License-Identifier: Apache-2.0
"""Lists of networks as people type them: read for the address checks of the directory and of its listener."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_address, ip_network

log = logging.getLogger(__name__)

Network = IPv4Network | IPv6Network


@lru_cache(maxsize=1024)
def parse(entries: tuple[str, ...]) -> tuple[Network, ...]:
    """The networks of a list, neighbours joined; an entry that is none is left out with a warning."""
    four: list[IPv4Network] = []
    six: list[IPv6Network] = []
    for entry in entries:
        try:
            network = ip_network(entry.strip(), strict=False)
        except ValueError:
            log.warning("%r is neither an address nor a network; left out of its list", entry)
            continue
        if isinstance(network, IPv4Network):
            four.append(network)
        else:
            six.append(network)
    return (*collapse_addresses(four), *collapse_addresses(six))


def contains(networks: Iterable[Network], address: str) -> bool:
    """Whether the address lies in one of the networks; False for text that is no address."""
    try:
        wanted = ip_address(address.strip("[]"))
    except ValueError:
        return False
    if wanted.version == 6 and wanted.ipv4_mapped is not None:
        wanted = wanted.ipv4_mapped
    return any(wanted.version == network.version and wanted in network for network in networks)
