# SPDX-License-Identifier: Apache-2.0
"""The core's own part of a snapshot: what calls and the SIP directory need whichever plugins are on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, Literal, TypeAlias

import msgspec
from msgspec import Meta

from engine.i18n import N_, Language
from engine.snapshot.element import Condition, Element, IdOf, Part, Ref, SoundElement, To

UserRole: TypeAlias = Literal["user", "manager", "admin"]
"""Пользователь, Руководитель, Администратор (ACC-4)."""
ROLES: Final[Mapping[UserRole, str]] = {"user": N_("User"), "manager": N_("Manager"), "admin": N_("Administrator")}
LANGUAGE_NAMES: Final[Mapping[Language, str]] = {"ru": N_("Russian"), "en": N_("English")}
CONTACTS: Final[Mapping[str, str]] = {"sip": N_("SIP phone"), "phone": N_("Phone")}


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """One way to reach a user (USR-3). `address`: SIP login, or a phone number in E.164."""

    id: Annotated[int, IdOf("core.contact")]
    kind: Annotated[Literal["sip", "phone"], Meta(title="Type", extra={"words": CONTACTS})]
    address: Annotated[str, Meta(title="Number or SIP login", extra={"most": 64})]
    priority: Annotated[int, Meta(title="Priority", extra={"range": (1, 99)})] = 1
    active: Annotated[bool, Meta(title="Active")] = True
    lines: Annotated[int, Meta(title="Lines", extra={"range": (1, 100)})] = 1
    timeout_seconds: Annotated[int, Meta(title="Waiting time", extra={"range": (1, 180)})] = 20
    schedule: Annotated[Ref | None, To(Condition), Meta(title="Schedule")] = None
    by_number: Annotated[bool, Meta(title="Authorise by number")] = False

    @property
    def label(self) -> str:
        return self.address


class User(Element, frozen=True, kw_only=True):
    """An employee; a cabinet login is an optional part (ACC-6)."""

    kind: ClassVar[str] = "core.user"
    noun: ClassVar[str] = N_("User")
    extension: Annotated[str | None, Meta(title="Extension")] = None
    active: Annotated[bool, Meta(title="Active")] = True
    outbound: Annotated[Ref | None, To("core.did"), Meta(title="Outbound number")] = None
    recording: Annotated[bool, Meta(title="Call recording")] = False
    schedule: Annotated[Ref | None, To(Condition), Meta(title="Schedule")] = None
    no_ivr_transfer: Annotated[bool, Meta(title="Forbid transfer from IVR")] = False
    pin: Annotated[str | None, Meta(title="PIN", extra={"most": 16})] = None
    forbidden_prefixes: Annotated[tuple[str, ...], Meta(title="Forbidden prefixes")] = ()
    contacts: Annotated[tuple[Contact, ...], Meta(title="Contacts")] = ()
    role: Annotated[UserRole, Meta(title="User type", extra={"words": ROLES})] = "user"
    language: Annotated[str, Meta(title="Language", extra={"words": LANGUAGE_NAMES})] = "ru"


class SipAccount(msgspec.Struct, frozen=True, kw_only=True):
    """Credentials of a phone; `secret` is the Fernet-encrypted password (R27)."""

    noun: ClassVar[str] = N_("SIP account")
    id: Annotated[int, IdOf("core.sip_account")]
    login: Annotated[str, Meta(title="Login", extra={"most": 64})]
    secret: Annotated[str, Meta(title="Password")]
    user: Annotated[int, IdOf("core.user", goes=True), Meta(title="User")]
    contact: Annotated[int, IdOf("core.contact", goes=True)]


class Did(Element, frozen=True, kw_only=True):
    """An outside number that callers dial; `number` in E.164 (+7…)."""

    kind: ClassVar[str] = "core.did"
    noun: ClassVar[str] = N_("Number")
    number: Annotated[str, Meta(title="Phone number", extra={"most": 32})]
    trunk: Annotated[Ref, To("core.trunk"), Meta(title="Line")]
    connected: Annotated[int, Meta(title="Order of connection", extra={"range": (0, 2**31 - 1)})] = 0
    """Order of connection; the oldest one still connected is the last resort of outgoing calls (GRP-2)."""


class Trunk(Element, frozen=True, kw_only=True):
    """Our record of a provider's line (NUM-2)."""

    kind: ClassVar[str] = "core.trunk"
    noun: ClassVar[str] = N_("Line")
    by_title: ClassVar[bool] = True
    registers: Annotated[bool, Meta(title="With registration")]
    server: Annotated[str, Meta(title="Server", extra={"most": 200})] = ""
    port: Annotated[int, Meta(title="Port", extra={"range": (1, 65535)})] = 5060
    transport: Annotated[Literal["udp", "tcp"], Meta(title="Transport")] = "udp"
    login: Annotated[str, Meta(title="Login", extra={"most": 100})] = ""
    secret: Annotated[str, Meta(title="Password")] = ""
    realm: Annotated[str, Meta(title="Realm", extra={"most": 200})] = ""
    sources: Annotated[tuple[str, ...], Meta(title="Provider's addresses")] = ()
    """Addresses or networks a non-registering provider calls from."""
    channels: Annotated[int, Meta(title="Simultaneous calls", extra={"range": (0, 10_000)})] = 0
    """Most simultaneous calls; 0 = no limit."""
    active: Annotated[bool, Meta(title="Active")] = True
    passes_foreign: Annotated[bool, Meta(title="Passes foreign caller numbers")] = False
    """The provider accepts a caller number that is not one of ours (R19)."""
    may_show: Annotated[tuple[Ref, ...], To("core.did"), Meta(title="Numbers of other lines it may show")] = ()
    """Other trunks' DIDs that this one is allowed to show (fail-over, R16)."""


EXTENSION: Final = "core.extension"
"""Kind of targets that are internal numbers; the id is the number."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Main settings of the PBX that the engine itself reads (PBX-1, PBX-4); groups of settings of plugins live in their parts."""

    noun: ClassVar[str] = N_("Main settings of the PBX")
    id: int
    number: Annotated[str, Meta(title="Account number")]
    title: Annotated[str, Meta(title="Title")]
    domain: Annotated[str, Meta(title="SIP domain")]
    area_code: Annotated[str, Meta(title="Area code", extra={"most": 8})] = ""
    timezone: Annotated[str, Meta(title="Time zone")] = "Europe/Moscow"
    language: Annotated[str, Meta(title="Language", extra={"words": LANGUAGE_NAMES})] = "ru"
    max_hold_seconds: Annotated[int, Meta(title="Longest hold, seconds", extra={"range": (0, 7200)})] = 0
    """R14; 0 = no limit."""
    hold_music: Annotated[Ref | None, To(SoundElement), Meta(title="Music on hold")] = None
    recording_notice: Annotated[Ref | None, To(SoundElement), Meta(title="Notice of recording")] = None
    """What a caller from outside hears before a talk that is recorded."""
    whitelist: Annotated[tuple[str, ...], Meta(title="White list")] = ()
    client_prefixes: Annotated[tuple[str, ...], Meta(title="Forbidden prefixes of calls to clients")] = ()
    """First digits of numbers that are not called for clients: CallBack and widget (R18)."""
    ring_timeout_seconds: Annotated[int, Meta(title="Ringing time, seconds", extra={"range": (1, 180)})] = 20
    active: Annotated[bool, Meta(title="Active")] = True


class CorePart(Part, frozen=True, kw_only=True):
    account: Account
    users: tuple[User, ...] = ()
    sip_accounts: tuple[SipAccount, ...] = ()
    trunks: tuple[Trunk, ...] = ()
    dids: tuple[Did, ...] = ()
    extensions: tuple[tuple[str, Ref], ...] = ()
    """Every internal number and whose it is (DIR-4)."""
