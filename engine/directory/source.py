# SPDX-License-Identifier: Apache-2.0
"""What the switch's directory is answered from: the runtime implements `Directory` on its snapshots, the listener asks it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import md5
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class SipCredentials:
    """One SIP account with its clear password, which never leaves this process: the switch is told a hash."""

    account_id: int
    sip_account_id: int
    password: str = field(repr=False)
    user_id: int | None = None
    contact_id: int | None = None


@dataclass(frozen=True, slots=True)
class TrunkConfig:
    """A provider's line as the switch needs it.

    `proxy` is `host` or `host:port`; empty: calls come in only. With `register` the switch registers there; without,
    the provider knows our address.
    `addresses` are the networks the provider calls from; empty means "not known", which opens the trunk side to all
    and leaves the check to the engine: by the gateway's name (engine.calls.trunks) or by address.
    """

    id: int
    account_id: int
    proxy: str = ""
    register: bool = False
    username: str = ""
    password: str = field(default="", repr=False)
    auth_username: str = ""
    realm: str = ""
    from_domain: str = ""
    outbound_proxy: str = ""
    transport: Literal["udp", "tcp"] = "udp"
    expire_seconds: int = 600
    retry_seconds: int = 30
    addresses: tuple[str, ...] = ()


class Directory(Protocol):
    """Answers from memory; nothing here may wait, since a caller waits for it."""

    def account_for_domain(self, domain: str) -> int | None:
        """The account whose SIP domain this is (any case); None when no account has it."""

    def default_account(self) -> int | None:
        """The account that owns requests to unknown domains and bare addresses (R27)."""

    def sip_account(self, account_id: int, login: str) -> SipCredentials | None:
        """The active SIP account with this login."""

    def whitelist(self, account_id: int) -> Sequence[str]:
        """Networks and addresses from which the account's phones may register and call (PBX-5); empty means no limit."""

    def trunks(self) -> Iterable[TrunkConfig]:
        """Every active trunk of every account."""


def ha1(login: str, realm: str, password: str) -> str:
    """The digest secret of RFC 2617 section 3.2.2.2 for one realm, in hex."""
    return md5(f"{login}:{realm}:{password}".encode(), usedforsecurity=False).hexdigest()
