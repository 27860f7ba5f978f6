# SPDX-License-Identifier: Apache-2.0
"""Main settings of the PBX that the engine itself reads (PBX-1…PBX-5), inside an edit."""

from __future__ import annotations

import re
from ipaddress import ip_network
from zoneinfo import available_timezones

import msgspec

from engine.db.models import Account
from engine.errors import Invalid, Problem
from engine.i18n import N_
from engine.people.prefixes import prefix_problems
from engine.people.wishes import PbxWish
from engine.revisions import Edit
from engine.snapshot import SoundElement

_DOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


def check_account(number: str, title: str, domain: str, area_code: str) -> None:
    """What a new account may be called; number and domain stay as they are for good. Raises Invalid."""
    problems = []
    if not re.fullmatch(r"[0-9A-Za-z_-]{1,32}", number):
        problems.append(Problem("number", N_("An account's number has digits, Latin letters, “-” and “_”.")))
    if not title.strip():
        problems.append(Problem("title", N_("Enter a name.")))
    if not _DOMAIN.fullmatch(domain.lower()):
        problems.append(Problem("domain", N_("A SIP domain is a host name like pbx.example.com.")))
    problems += _area_code(area_code)
    if problems:
        raise Invalid(problems)


def _area_code(code: str) -> list[Problem]:
    known = not code or re.fullmatch(r"[0-9]{3,5}", code)
    return [] if known else [Problem("area_code", N_("An area code has three to five digits."))]


async def edit_pbx(edit: Edit, wish: PbxWish) -> None:
    """Raises Invalid with every wrong field; number and domain can't be changed (PBX-1)."""
    problems: list[Problem] = []
    networks: list[str] = []
    for text in wish.whitelist:
        try:
            networks.append(_network(text))
        except ValueError:
            problems.append(Problem("whitelist", N_("“{text}” is no IP address or network."), text=text))
    problems += _area_code(wish.area_code)
    if wish.timezone not in available_timezones():
        problems.append(Problem("timezone", N_("Choose one of the list.")))
    for field, sound in (("hold_music", wish.hold_music), ("recording_notice", wish.recording_notice)):
        if sound is not None and edit.before.get(sound, SoundElement) is None:
            problems.append(Problem(field, N_("Choose one of the list.")))
    problems += prefix_problems("client_prefixes", wish.client_prefixes)
    if problems:
        raise Invalid(problems)
    row = await Account.get(id=edit.account_id, using_db=edit.tx)
    row.update_from_dict(
        {
            "title": wish.title,
            "area_code": wish.area_code,
            "timezone": wish.timezone,
            "language": wish.language,
            "max_hold_seconds": wish.max_hold_seconds,
            "hold_music_kind": wish.hold_music.kind if wish.hold_music else None,
            "hold_music_id": wish.hold_music.id if wish.hold_music else None,
            "recording_notice_kind": wish.recording_notice.kind if wish.recording_notice else None,
            "recording_notice_id": wish.recording_notice.id if wish.recording_notice else None,
            "whitelist": networks,
            "client_prefixes": list(wish.client_prefixes),
            "ring_timeout_seconds": wish.ring_timeout_seconds,
        }
    )
    await row.save(using_db=edit.tx)
    root = edit.before.root
    if root is not None and root.title != wish.title:  # the PBX itself in the tree (R25)
        await edit.store_of(root).save(edit.account_id, msgspec.structs.replace(root, title=wish.title), edit.tx)
    edit.note("PBX settings changed")


def _network(text: str) -> str:
    """An address stays one; a network is written by its first address."""
    network = ip_network(text, strict=False)
    return str(network.network_address) if network.num_addresses == 1 else str(network)
