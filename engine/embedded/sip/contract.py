# SPDX-License-Identifier: Apache-2.0
"""The words spoken between the SIP layer and the core: what the core hands in and what it is told; no logic."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from engine.embedded.sip.bindings import Binding
    from engine.embedded.sip.call import SipCall
    from engine.embedded.sip.message import Request, Response
    from engine.embedded.sip.transfer import Refer

Address = tuple[str, int]
HeaderPairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Listener:
    """One place to listen. `challenge` says whether REGISTER and INVITE must authenticate (None: yes for "internal").

    `advertised` is shown to peers outside private networks; the others see the address the kernel uses towards them.
    """

    name: str
    host: str
    port: int
    udp: bool = True
    tcp: bool = True
    advertised: str | None = None
    challenge: bool | None = None
    silence: float = 0.0
    """How long a call that we make from here may stay without any answer, in seconds; 0 = Timer B."""

    @property
    def challenges(self) -> bool:
        return self.name == "internal" if self.challenge is None else self.challenge


@dataclass(frozen=True, slots=True)
class Hop:
    """Where a request goes first; a name is resolved by the operating system, a missing port means 5060."""

    host: str
    port: int = 5060
    transport: str = "udp"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What we answer a 401/407 with. `realm` None: whatever realm is asked."""

    username: str
    password: str
    realm: str | None = None


@dataclass(frozen=True, slots=True)
class InviteTarget:
    """Whom to call, from which listener, in whose name.

    `flow` is a registration: its connection or source address and Path are used and `hop` is not looked at.
    Without `flow` and `hop` the request URI itself says where to go.
    """

    listener: str
    uri: str
    from_user: str
    from_domain: str = ""  # empty: our own address towards the peer
    from_display: str = ""
    to_uri: str = ""  # empty: the request URI
    to_display: str = ""
    hop: Hop | None = None
    flow: Binding | None = None
    headers: HeaderPairs = ()
    credentials: Credentials | None = None
    contact_user: str = ""
    call_id: str = ""
    max_forwards: int = 70
    route: tuple[str, ...] = ()


class AuthOutcome(enum.Enum):
    """Why the core gives no account: each has its own answer and only UNKNOWN counts for the ban."""

    UNKNOWN = "unknown"  # no such account: 403, counted against the address
    REFUSED = "refused"  # known but not from there (white list, blocked): 403
    UNAVAILABLE = "unavailable"  # the directory did not answer: 503 with Retry-After


@dataclass(frozen=True, slots=True)
class AuthQuestion:
    """Who asks to be let in; the user name and realm are those of the digest."""

    user: str
    realm: str
    method: str
    source: Address
    transport: str
    listener: str
    user_agent: str
    request: Request


@dataclass(frozen=True, slots=True)
class AuthKnown:
    """An account: `ha1` = MD5(user:realm:password) in hex for the realm asked; `aor` (user@domain) is where its bindings
    are filed when the phone spoke to us by another name (None: user@realm as asked)."""

    ha1: str
    account: object = None
    aor: str | None = None


AuthAnswer = AuthKnown | AuthOutcome


@dataclass(frozen=True, slots=True)
class Refuse:
    """The core's no to an incoming call."""

    code: int
    reason: str = ""
    headers: HeaderPairs = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """How a call ended: told once per call, also when our own hangup() or reject() ended it."""

    code: int | None = None  # SIP status of a failed or refused set-up (487: cancelled); None after an answered call
    by_remote: bool = False
    q850: int | None = None  # from or for the Reason header
    reason: str = ""
    timed_out: bool = False  # no answer to our request (Timer B/F) or no ACK to our 200
    sip_cause: int | None = None  # `Reason: SIP;cause=200` of a CANCEL: completed elsewhere
    response: Response | None = None  # the final response of a failed outgoing call (e.g. a 302's Contact)


@dataclass(frozen=True, slots=True)
class GatewayAccount:
    """A registration we keep at a provider. Seconds everywhere."""

    name: str
    listener: str
    domain: str  # host part of the AOR and of the request URI
    username: str
    password: str
    hop: Hop | None = None  # the provider's proxy; None: the domain itself
    auth_username: str = ""
    realm: str | None = None
    expires: int = 3600
    retry_seconds: float = 30.0
    contact_user: str = ""  # empty: gw+NAME
    contact_params: str = ""
    headers: HeaderPairs = ()


class RegistrationState(enum.Enum):
    """States as FreeSWITCH names them."""

    TRYING = "TRYING"
    REGED = "REGED"
    FAILED = "FAILED"
    FAIL_WAIT = "FAIL_WAIT"
    UNREGED = "UNREGED"


class RegistrationEvents(Protocol):
    """What a gateway's owner is told; `code` is the SIP status behind the change, 0 when there was none."""

    def registration(self, state: RegistrationState, code: int, reason: str) -> None: ...


class CallEvents(Protocol):
    """What the owner of a call is told, always from the event loop and never from inside its own order to the call,
    except that `offered` may come while an order runs. None may raise, but `offered` may raise SdpError (→ 488)."""

    def ringing(self, code: int) -> None: ...

    def early_media(self, sdp: bytes) -> None: ...

    def answered(self, sdp: bytes) -> None:
        """An empty body: the 200 carried no description (the one of the early media holds, if there was one)."""

    def media(self, sdp: bytes) -> None:
        """The answer to our re-INVITE, or the ACK's answer to our offer."""

    def offered(self, sdp: bytes | None) -> bytes:
        """Re-INVITE or UPDATE from them → our answer; None: offerless, return an offer."""

    def info_dtmf(self, digit: str, duration_ms: int) -> None: ...

    def refer(self, refer: Refer) -> None: ...

    def acked(self) -> None: ...

    def ended(self, ended: Ended) -> None: ...


class Handler(Protocol):
    """What the process as a whole is asked and told; implemented by the core."""

    async def account(self, ask: AuthQuestion) -> AuthAnswer: ...

    def incoming(self, call: SipCall) -> CallEvents | Refuse: ...

    def registered(self, binding: Binding) -> None:
        """A new or refreshed binding."""

    def unregistered(self, binding: Binding, reason: str) -> None:
        """`reason`: unregistered, expired, replaced, flushed or "connection closed"."""

    def registration_failed(self, who: str, source: Address, why: str) -> None:
        """A REGISTER or INVITE was not let in; `who` is user@realm."""

    def sip_out_of_dialog(self, request: Request, source: Address, code: int) -> None:
        """A request outside any call was answered with `code` (OPTIONS 200, SUBSCRIBE 489, …); for counters and logs."""


@dataclass(frozen=True, slots=True)
class Timers:
    """RFC 3261 §17 base timers in seconds; tests shrink them."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0

    @property
    def give_up(self) -> float:
        """64*T1: Timers B, F, H, J, L, M."""
        return 64 * self.t1


@dataclass(frozen=True, slots=True)
class RegistrarRules:
    """Limits for registrations; seconds."""

    min_expires: int = 60
    max_expires: int = 3600
    default_expires: int = 3600
    max_contacts: int = 10
    grace: float = 5.0  # a refresh may be lost once before the phone counts as gone


@dataclass(frozen=True, slots=True)
class BanRules:
    """When an address is no longer listened to; seconds."""

    window: float = 60.0
    wrong_passwords: int = 10  # per (address, account)
    unknown_names: int = 30  # per address
    refused_for: float = 60.0
    remembered: int = 20_000  # entries kept in memory at most


@dataclass(frozen=True, slots=True)
class SipOptions:
    """Everything adjustable about the agent."""

    user_agent: str = "VATS"
    timers: Timers = field(default_factory=Timers)
    registrar: RegistrarRules = field(default_factory=RegistrarRules)
    bans: BanRules = field(default_factory=BanRules)
    nonce_seconds: float = 120.0
    keepalive_seconds: float = 25.0
    max_connections: int = 4000
