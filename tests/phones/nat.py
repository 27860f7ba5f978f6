# SPDX-License-Identifier: Apache-2.0
"""A home router for tests: a network namespace of its own and, behind it, address and port translation as a router does it.

The namespace's only way out is a TUN device that ends here; each inner (address, port) gets a port at the public address and hears
only those it has sent something to. So no packet filter of the kernel is needed, only root. UDP alone is carried.
"""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import threading
from pathlib import Path
from types import TracebackType

_CLONE_NEWNET = 0x40000000
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
Address = tuple[str, int]


def missing() -> str:
    """Why there can be no such router here; empty when there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not Path("/dev/net/tun").exists():
        return "there is no /dev/net/tun"
    probe = f"vats-probe-{os.getpid()}"  # workers look at the same moment
    try:
        made = subprocess.run(["ip", "netns", "add", probe], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "del", probe], capture_output=True, check=False)
    except FileNotFoundError:
        return "iproute2 is not installed"
    return "" if made.returncode == 0 else f"ip netns: {made.stderr.decode().strip()}"


class _Outside(asyncio.DatagramProtocol):
    """One translated port."""

    def __init__(self, nat: Nat, inner: Address) -> None:
        self._nat, self._inner = nat, inner
        self.spoken_to: set[Address] = set()

    def datagram_received(self, data: bytes, addr: Address) -> None:
        if addr in self.spoken_to:
            self._nat.deliver(data, addr, self._inner)
        else:
            self._nat.turned_away += 1


class Nat:
    """`name` is the namespace that stands behind the router; its machine has the address `inner`."""

    inner = "192.168.77.2"

    def __init__(self, public: str) -> None:
        self.public = public
        self.name = f"vats-{os.getpid()}-{public.replace('.', '-')}"
        self.turned_away = 0
        """Packets from those nobody inside has spoken to."""
        self._ports: dict[Address, tuple[asyncio.DatagramTransport, _Outside]] = {}
        self._opening: dict[Address, asyncio.Task[None]] = {}
        self._identification = 0

    async def __aenter__(self) -> Nat:
        self._ip("netns", "add", self.name)
        try:
            self._tun = self._open_tun()
            for words in (
                f"addr add {self.inner}/24 dev wan", "link set wan mtu 9000 up", "link set lo up", "route add default dev wan",
            ):  # fmt: skip
                self._ip("-n", self.name, *words.split())
        except BaseException:
            self._ip("netns", "del", self.name)
            raise
        os.set_blocking(self._tun, False)
        asyncio.get_running_loop().add_reader(self._tun, self._outward)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        asyncio.get_running_loop().remove_reader(self._tun)
        for task in self._opening.values():
            task.cancel()
        for transport, _ in self._ports.values():
            transport.close()
        os.close(self._tun)
        self._ip("netns", "del", self.name)

    def port_of(self, port: int) -> int:
        """The public port of an inner one."""
        return int(self._ports[self.inner, port][0].get_extra_info("sockname")[1])

    @staticmethod
    def _ip(*words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True)

    def _open_tun(self) -> int:
        """The device is made inside the namespace by a thread that goes there; its other end stays with us."""
        opened: list[int | BaseException] = []

        def inside() -> None:
            try:
                with open(f"/run/netns/{self.name}", "rb") as namespace:
                    libc = ctypes.CDLL(None, use_errno=True)
                    if libc.setns(namespace.fileno(), _CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), "setns")
                tun = os.open("/dev/net/tun", os.O_RDWR)
                fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH22x", b"wan", _IFF_TUN | _IFF_NO_PI))
                opened.append(tun)
            except OSError as error:
                opened.append(error)

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        (result,) = opened
        if isinstance(result, BaseException):
            raise result
        return result

    def _outward(self) -> None:
        packet = os.read(self._tun, 65536)
        length = (packet[0] & 15) * 4
        if packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_UDP:
            return
        source, target = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
        from_port, to_port = struct.unpack_from("!HH", packet, length)
        inner, outer, data = (source, from_port), (target, to_port), packet[length + 8 :]
        known = self._ports.get(inner)
        if known is None:  # what comes while the port is being opened is lost, as on any network
            if inner not in self._opening:
                self._opening[inner] = asyncio.create_task(self._open(inner, outer, data))
            return
        known[1].spoken_to.add(outer)
        known[0].sendto(data, outer)

    async def _open(self, inner: Address, outer: Address, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_datagram_endpoint(lambda: _Outside(self, inner), (self.public, 0))
        self._ports[inner] = transport, protocol
        protocol.spoken_to.add(outer)
        transport.sendto(data, outer)

    def deliver(self, data: bytes, source: Address, inner: Address) -> None:
        """A packet from outside to the machine behind the router."""
        self._identification = (self._identification + 1) & 0xFFFF
        udp = struct.pack("!HHHH", source[1], inner[1], 8 + len(data), 0)  # no checksum: optional in IPv4
        head = struct.pack(
            "!BBHHHBBH4s4s", 0x45, 0, 28 + len(data), self._identification, 0, 64, socket.IPPROTO_UDP, 0,
            socket.inet_aton(source[0]), socket.inet_aton(inner[0]),
        )  # fmt: skip
        total = sum(struct.unpack("!10H", head))
        total = (total & 0xFFFF) + (total >> 16)
        checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
        os.write(self._tun, head[:10] + struct.pack("!H", checksum) + head[12:] + udp + data)
