# SPDX-License-Identifier: Apache-2.0
"""The core's own part of a snapshot: what calls and the SIP directory need whichever plugins are on."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypeAlias

import msgspec

from engine.snapshot.element import Condition, Element, Part, Ref, SoundElement, To

UserRole: TypeAlias = Literal["user", "manager", "admin"]
"""Пользователь, Руководитель, Администратор (ACC-4)."""


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """One way to reach a user (USR-3). `address`: SIP login, or a phone number in E.164."""

    id: int
    kind: Literal["sip", "phone"]
    address: str
    priority: int = 1
    active: bool = True
    lines: int = 1
    timeout_seconds: int = 20
    schedule: Annotated[Ref | None, To(Condition)] = None
    by_number: bool = False

    @property
    def label(self) -> str:
        return self.address


class User(Element, frozen=True, kw_only=True):
    """An employee; a cabinet login is an optional part (ACC-6)."""

    kind: ClassVar[str] = "core.user"
    extension: str | None = None
    active: bool = True
    outbound: Annotated[Ref | None, To("core.did")] = None
    recording: bool = False
    schedule: Annotated[Ref | None, To(Condition)] = None
    no_ivr_transfer: bool = False
    pin: str | None = None
    forbidden_prefixes: tuple[str, ...] = ()
    contacts: tuple[Contact, ...] = ()
    role: UserRole = "user"
    language: str = "ru"


class SipAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Credentials of a phone; `secret` is the Fernet-encrypted password (R27)."""

    id: int
    login: str
    secret: str
    user: int
    contact: int


class Did(Element, frozen=True, kw_only=True):
    """An outside number that callers dial; `number` in E.164 (+7…)."""

    kind: ClassVar[str] = "core.did"
    number: str
    trunk: Annotated[Ref, To("core.trunk")]
    connected: int = 0
    """Order of connection; the oldest one still connected is the last resort of outgoing calls (GRP-2)."""


class Trunk(Element, frozen=True, kw_only=True):
    """Our record of a provider's line (NUM-2)."""

    kind: ClassVar[str] = "core.trunk"
    registers: bool
    server: str = ""
    port: int = 5060
    transport: Literal["udp", "tcp"] = "udp"
    login: str = ""
    secret: str = ""
    realm: str = ""
    sources: tuple[str, ...] = ()
    """Addresses or networks a non-registering provider calls from."""
    channels: int = 0
    """Most simultaneous calls; 0 = no limit."""
    active: bool = True
    passes_foreign: bool = False
    """The provider accepts a caller number that is not one of ours (R19)."""
    may_show: Annotated[tuple[Ref, ...], To("core.did")] = ()
    """Other trunks' DIDs that this one is allowed to show (fail-over, R16)."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Main settings of the PBX that the engine itself reads (PBX-1, PBX-4); groups of settings of plugins live in their parts."""

    id: int
    number: str
    title: str
    domain: str
    area_code: str = ""
    timezone: str = "Europe/Moscow"
    language: str = "ru"
    max_hold_seconds: int = 0
    """R14; 0 = no limit."""
    hold_music: Annotated[Ref | None, To(SoundElement)] = None
    whitelist: tuple[str, ...] = ()
    client_prefixes: tuple[str, ...] = ()
    """First digits of numbers that are not called for clients: CallBack and widget (R18)."""
    ring_timeout_seconds: int = 20
    active: bool = True


class CorePart(Part, frozen=True, kw_only=True):
    account: Account
    users: tuple[User, ...] = ()
    sip_accounts: tuple[SipAccount, ...] = ()
    trunks: tuple[Trunk, ...] = ()
    dids: tuple[Did, ...] = ()
    extensions: tuple[tuple[str, Ref], ...] = ()
    """Every internal number and whose it is (DIR-4)."""
