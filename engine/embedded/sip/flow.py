# SPDX-License-Identifier: Apache-2.0
"""A flow is the way to one peer: an address on one of our UDP sockets, or a TCP connection (`tcp.py`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

from engine.embedded.sip.contract import Address
from engine.embedded.sip.syntax import Via, bracketed


class Side(Protocol):
    """What a flow needs of the listener it belongs to."""

    name: str
    port: int
    silence: float
    connections: dict[Address, Flow]
    max_connections: int

    @property
    def bound_host(self) -> str: ...

    def own_host(self, peer: str) -> str: ...

    def send_datagram(self, data: bytes, remote: Address) -> bool: ...

    def receive(self, data: bytes, flow: Flow) -> None: ...

    def closed(self, flow: Flow) -> None: ...


class Flow(ABC):
    """The way to one peer: for UDP a listener and an address, for TCP a connection."""

    transport: str
    reliable: bool
    listener: Side
    remote: Address

    @abstractmethod
    def send(self, data: bytes) -> bool:
        """Hand over to the network; False when that failed for good. Never raises, never waits."""

    @property
    def own(self) -> Address:
        """Our address as this peer must be told it (Via, Contact; the host also in SDP)."""
        return self.listener.own_host(self.remote[0]), self.listener.port

    @property
    def closed(self) -> bool:
        return False

    def watch(self, lost: Callable[[], None]) -> None:
        """Call `lost` once when the flow breaks (connections only)."""
        _ = lost

    def unwatch(self, lost: Callable[[], None]) -> None:
        _ = lost

    def back_to(self, port: int | None) -> Flow | None:
        """A broken connection made anew to the port the peer named in its Via (RFC 3261 §18.2.2); None for UDP."""
        _ = port
        return None

    def abort(self) -> None:
        """Break the flow (connections only)."""
        return

    def via(self, branch: str) -> str:
        """Value of our Via on this flow."""
        host, port = self.own
        return f"SIP/2.0/{self.transport.upper()} {bracketed(host)}:{port};rport;branch={branch}"

    def contact(self, user: str, params: str = "") -> str:
        """Value of our Contact on this flow."""
        host, port = self.own
        transport = ";transport=tcp" if self.transport == "tcp" else ""
        at = f"{user}@" if user else ""
        return f"<sip:{at}{bracketed(host)}:{port}{transport}{params}>"


class UdpFlow(Flow):
    """A peer's address as seen by one of our UDP sockets."""

    __slots__ = ("listener", "remote")
    transport = "udp"
    reliable = False

    def __init__(self, listener: Side, remote: Address) -> None:
        self.listener = listener
        self.remote = remote

    def send(self, data: bytes) -> bool:
        return self.listener.send_datagram(data, self.remote)


def way_back(via: Via, flow: Flow) -> Flow:
    """Where the answers to a request belong (RFC 3261 §18.2.2): one that listens on another port than it sends by writes no rport.

    Only one that names the address it was seen at is taken at its word: any other is behind a NAT.
    """
    port = via.port or 5060
    if flow.transport != "udp" or "rport" in via.params or (via.host, port) == flow.remote or via.host != flow.remote[0]:
        return flow
    return UdpFlow(flow.listener, (via.host, port))
