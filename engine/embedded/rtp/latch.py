# SPDX-License-Identifier: Apache-2.0
"""Symmetric RTP: decides for a Stream whose packets are its peer's, which is also where to send to."""

import ipaddress
import socket

from .packet import ahead16

Address = tuple[str, int]
RELOCK_SAMPLES = 2 * 8000
"""A source that was silent this long may be replaced by another one."""
NAT_REBIND_SAMPLES = 800
"""The same SSRC from a new address is the same phone behind a NAT, once the old address has been silent for 100 ms."""
MAX_DROPOUT = 3000
"""RFC 3550 appendix A.1: a larger step of the sequence number is a new start."""
_OLD_SOURCE_SAMPLES = 8000


class Latch:
    """The first source is locked; then others are refused, except the address that the SDP names (a stranger cannot be
    faster than it for long), a NAT's new port for the same SSRC, and anybody after two seconds of silence."""

    __slots__ = ("_family", "_former", "_former_signalled", "_former_until", "changes", "destination", "signalled", "source")

    def __init__(self, family: int) -> None:
        self._family = family
        self.signalled: Address | None = None
        self.source: Address | None = None
        self.destination: Address | None = None
        self.changes = 0
        self._former: Address | None = None
        self._former_signalled: Address | None = None
        self._former_until = 0

    def signal(self, address: Address, clock: int) -> None:
        """The SDP's address. The one known already keeps the learnt source (a re-INVITE from behind a NAT); the first one
        does too, as RTP may overtake it. Another one is learnt anew, with the old source's last packets kept out."""
        signalled = usable(address, self._family)
        if self.source is not None:
            if self.signalled is None or signalled == self.signalled:
                self.signalled = signalled
                return
            if self.source != signalled:
                self._former, self._former_until = self.source, clock + _OLD_SOURCE_SAMPLES
                self._former_signalled = self.signalled
        if signalled in (self._former, self._former_signalled):
            self._former = None  # they have come back to it
        self.signalled = self.destination = signalled
        self.source = None

    def accept(self, address: Address, *, silent: int, same_ssrc: bool, sequence: int, last_sequence: int, clock: int) -> bool:
        """Whether a packet from an address other than `source` makes it the source. `silent`: samples since the last
        packet of the source."""
        if self.source is not None and address != self.signalled:
            rebound = same_ssrc and 0 < ahead16(sequence, last_sequence) < MAX_DROPOUT
            if silent < (NAT_REBIND_SAMPLES if rebound else RELOCK_SAMPLES):
                return False
        if address == self._former and clock < self._former_until:
            return False
        self.changes += self.source is not None
        self.source = self.destination = address
        return True


def usable(address: Address, family: int) -> Address | None:
    """None unless it is a numeric address of the socket's family that can be sent to; a name would block on DNS."""
    host, port = address
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return None
    if ip.is_unspecified or not 0 < port < 65536 or (ip.version == 6) != (family == socket.AF_INET6):
        return None
    return str(ip), port
