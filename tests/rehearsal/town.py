# SPDX-License-Identifier: Apache-2.0
"""A customer with rules, hours, menus and groups, for rehearsals from the front door."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from engine.plugin.testing import office, sip_user
from engine.routing.basic import BASIC_ACTIONS
from engine.sdk import HANGUP, Contact, Did, Ref, RoutingAction, Snapshot, User
from plugins.groups.actions import ToGroup, ToUser
from plugins.groups.api import Membership
from plugins.groups.part import Group, GroupsPart
from plugins.groups.service import store as groups_store
from plugins.ivr.actions import ToMenu
from plugins.ivr.part import IvrPart, Menu, MenuKey
from plugins.ivr.service import store as ivr_store
from plugins.numbers.actions import ByRules
from plugins.numbers.part import ListEntry, NumberList, NumbersPart, Rule
from plugins.numbers.service import store as numbers_store
from plugins.schedules.part import DayGroup, HourRange, Schedule, SchedulesPart
from plugins.schedules.service import store as schedules_store
from plugins.voicefiles.part import VoiceFile, VoicefilesPart

NOON = datetime(2026, 1, 14, 12, 0, tzinfo=ZoneInfo("Europe/Moscow")).astimezone(UTC)
"""A Wednesday."""
NIGHT = NOON + timedelta(hours=11)
NUMBER, CALLER = "+74951234567", "+79271234567"
MOBILE = "+79030000001"

ACTIONS: Mapping[str, RoutingAction] = {a.kind: a for a in (ByRules(), ToGroup(), ToUser(), ToMenu(), *BASIC_ACTIONS)}
STORES = {"groups": groups_store, "ivr": ivr_store, "numbers": numbers_store, "schedules": schedules_store}

OPEN = Schedule(id=1, title="Open", days=(DayGroup("Weekdays", (0, 1, 2, 3, 4), (HourRange(9 * 60, 18 * 60),)),))
GREETING = VoiceFile(id=1, title="Greeting", path="voice/1/greeting.wav", seconds=4.0)
FILE = VoiceFile(id=2, title="Menu file", path="voice/1/menu.wav", seconds=6.0)
DID = Ref(Did.kind, 1)
ROOT = Group(id=1, title="PBX", no_answer=HANGUP)


def group(id: int, *users: int, **fields: object) -> Group:
    values: dict[str, object] = {"title": f"Group {id}", "parent": ROOT.ref, **fields}
    return Group(id=id, members=tuple(Membership(u, n) for n, u in enumerate(users, 1)), **values)  # type: ignore[arg-type]  # of the struct


def menu(id: int, keys: Mapping[str, Ref], *users: int, **fields: object) -> Menu:
    values: dict[str, object] = {"title": f"Menu {id}", "parent": ROOT.ref, "file": FILE.ref, **fields}
    members = tuple(Membership(u, n) for n, u in enumerate(users, 1))
    return Menu(id=id, keys=tuple(MenuKey(k, t) for k, t in keys.items()), members=members, **values)  # type: ignore[arg-type]  # as above


def rule(id: int, target: Ref, **fields: object) -> Rule:
    values: dict[str, object] = {"priority": id, **fields}
    return Rule(id=id, title=f"Rule {id}", did=DID, target=target, **values)  # type: ignore[arg-type]  # as above


def people() -> tuple[User, ...]:
    mobile = Contact(id=2039, kind="phone", address=MOBILE, priority=2)
    third = sip_user(203)
    return sip_user(201), sip_user(202), msgspec.structs.replace(third, contacts=(*third.contacts, mobile))


def town(
    *branches: Group | Menu,
    rules: tuple[Rule, ...] = (),
    lists: tuple[NumberList, ...] = (),
    root: Group = ROOT,
    users: tuple[User, ...] | None = None,
    **account: object,
) -> Snapshot:
    """An account with these groups and menus below the root; without rules its number leads to the root."""
    parts = {
        "groups": GroupsPart(groups=(root, *(b for b in branches if isinstance(b, Group)))),
        "ivr": IvrPart(menus=tuple(b for b in branches if isinstance(b, Menu))),
        "numbers": NumbersPart(rules=rules, lists=lists),
        "schedules": SchedulesPart(schedules=(OPEN,)),
        "voicefiles": VoicefilesPart(files=(GREETING, FILE)),
    }
    return office(people() if users is None else users, parts, **account)


REGULARS = NumberList(id=1, title="Regulars", entries=(ListEntry(CALLER),))
