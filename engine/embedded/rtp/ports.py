# SPDX-License-Identifier: Apache-2.0
"""Hands MediaEngine bound UDP sockets on even ports; the odd port above each stays free for RTCP (RFC 3550 section 11)."""

import errno
import socket
from collections import deque

EXPEDITED_FORWARDING = 0xB8
_OS_ATTEMPTS = 200


class NoPort(OSError):  # noqa: N818 - the name is part of the seam with the core; it reads as the refusal it is
    """No free even port is left on this address."""


class PortPool:
    """Free even ports per local address; the port freed longest ago is used first, so that late packets of the
    last call do not reach the next one. Without a range the operating system chooses (tests)."""

    def __init__(self, ports: range | None) -> None:
        self._ports = ports
        self._free: dict[str, deque[int]] = {}

    def bind(self, local_ip: str) -> socket.socket:
        """A non-blocking socket on an even port. Raises NoPort, or OSError when the address is not ours."""
        if self._ports is None:
            return self._bind_any(local_ip)
        free = self._free.get(local_ip)
        if free is None:
            free = self._free[local_ip] = deque(port for port in self._ports if port % 2 == 0)
        for _ in range(len(free)):
            port = free.popleft()
            try:
                return _bind(local_ip, port)
            except OSError as error:
                free.append(port)
                if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                    raise
        raise NoPort(errno.EADDRINUSE, f"no free RTP port on {local_ip} in {self._ports}")

    def release(self, local_ip: str, port: int) -> None:
        if self._ports is not None:
            self._free[local_ip].append(port)

    def _bind_any(self, local_ip: str) -> socket.socket:
        for _ in range(_OS_ATTEMPTS):
            sock = _bind(local_ip, 0)
            if sock.getsockname()[1] % 2 == 0:
                return sock
            sock.close()
        raise NoPort(errno.EADDRINUSE, f"no free even UDP port on {local_ip}")


def _bind(local_ip: str, port: int) -> socket.socket:
    ipv6 = ":" in local_ip
    sock = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if ipv6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, EXPEDITED_FORWARDING)
        else:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, EXPEDITED_FORWARDING)
        sock.bind((local_ip, port))
    except BaseException:
        sock.close()
        raise
    return sock
