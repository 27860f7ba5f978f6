# SPDX-License-Identifier: Apache-2.0
"""What may be asked for users, contacts, phones and the PBX itself: the structs that forms, API and command line fill in."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from engine.i18n import Language
from engine.snapshot import Ref, UserRole

Title = Annotated[str, Meta(min_length=1, max_length=200)]
Priority = Annotated[int, Meta(ge=1, le=99)]


class UserWish(msgspec.Struct, frozen=True, kw_only=True):
    """USR-2 without contacts and login."""

    title: Title
    extension: str | None = None
    active: bool = True
    outbound: Ref | None = None
    recording: bool = False
    schedule: Ref | None = None
    no_ivr_transfer: bool = False
    pin: str | None = None
    forbidden_prefixes: tuple[str, ...] = ()
    language: Language = "ru"


class ContactWish(msgspec.Struct, frozen=True, kw_only=True):
    """USR-3. `address`: a phone number as typed, or the login of the SIP account to be made with it."""

    kind: Literal["sip", "phone"] = "sip"
    address: Annotated[str, Meta(min_length=1, max_length=64)]
    priority: Priority = 1
    active: bool = True
    lines: Annotated[int, Meta(ge=1, le=100)] = 1
    timeout_seconds: Annotated[int, Meta(ge=1, le=180)] = 20
    schedule: Ref | None = None
    by_number: bool = False
    password: str | None = None
    """Of a new SIP account; made at random when empty."""


class OwnContactWish(msgspec.Struct, frozen=True, kw_only=True):
    """What an employee may change of his own contact (ACC-4)."""

    active: bool = True
    timeout_seconds: Annotated[int, Meta(ge=1, le=180)] = 20
    schedule: Ref | None = None


class LoginWish(msgspec.Struct, frozen=True, kw_only=True):
    """The way into the cabinet. No login = no way in (ACC-6)."""

    login: str | None = None
    role: UserRole = "user"
    password: str | None = None
    """Empty keeps the present one, or makes one at random for a new login."""


class PbxWish(msgspec.Struct, frozen=True, kw_only=True):
    """PBX-1…PBX-5, as far as the engine itself reads them."""

    title: Title
    area_code: str = ""
    timezone: str = "Europe/Moscow"
    language: Language = "ru"
    max_hold_seconds: Annotated[int, Meta(ge=0, le=7200)] = 0
    hold_music: Ref | None = None
    recording_notice: Ref | None = None
    whitelist: tuple[str, ...] = ()
    client_prefixes: tuple[str, ...] = ()
    ring_timeout_seconds: Annotated[int, Meta(ge=1, le=180)] = 20
