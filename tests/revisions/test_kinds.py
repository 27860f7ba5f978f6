# SPDX-License-Identifier: Apache-2.0
"""References lead to what they may lead to: a configuration that says otherwise is not saved, from whatever door it comes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine.plugin.testing import office, sip_user
from engine.revisions.checks import generic
from engine.snapshot import Ref, Snapshot, User
from plugins.groups.api import Membership
from plugins.groups.part import Group, GroupsPart
from plugins.ivr.part import IvrPart, Menu, MenuKey
from plugins.numbers.part import NumbersPart, Rule
from plugins.schedules.part import Schedule, SchedulesPart
from plugins.voicefiles.part import VoiceFile, VoicefilesPart

ROOT = Group(id=1, title="PBX", members=(Membership(201),))
HOURS = Schedule(id=1, title="Hours", timezone="Europe/Moscow")
HELLO = VoiceFile(id=1, title="Hello", path="hello.wav")
MENU = Menu(id=1, title="Menu", parent=ROOT.ref, file=HELLO.ref, schedule=HOURS.ref, keys=(MenuKey("1", Ref("core.user", 201)),))
KINDS = frozenset({"core.user", "core.did", "core.trunk", "groups.group", "ivr.menu", "schedules.schedule", "voicefiles.file"})
BORIS = sip_user(201)


def house(root: Group = ROOT, menu: Menu = MENU, user: User = BORIS, rule: Rule | None = None, **account: Any) -> Snapshot:
    rules = NumbersPart(rules=(rule,) if rule else ())
    schedules, files = SchedulesPart(schedules=(HOURS,)), VoicefilesPart(files=(HELLO,))
    parts = {"groups": GroupsPart(groups=(root,)), "ivr": IvrPart(menus=(menu,)), "schedules": schedules, "voicefiles": files}
    return office((user,), {**parts, "numbers": rules}, **account)


RULE = Rule(id=1, title="Rule", did=Ref("core.did", 1), target=MENU.ref)


def test_what_is_right_is_right() -> None:
    at_work = (msgspec.structs.replace(BORIS.contacts[0], schedule=HOURS.ref),)
    user = msgspec.structs.replace(BORIS, schedule=HOURS.ref, outbound=Ref("core.did", 1), contacts=at_work)
    assert not list(generic(house(user=user, rule=msgspec.structs.replace(RULE, schedule=HOURS.ref), hold_music=HELLO.ref), KINDS))


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (house(menu=msgspec.structs.replace(MENU, file=Ref("core.user", 201))), "file"),
        (house(menu=msgspec.structs.replace(MENU, schedule=ROOT.ref)), "schedule"),
        (house(root=msgspec.structs.replace(ROOT, outbound=Ref("core.trunk", 1))), "outbound"),
        (house(user=msgspec.structs.replace(BORIS, schedule=Ref("core.user", 201))), "schedule"),
        (house(user=msgspec.structs.replace(BORIS, contacts=(msgspec.structs.replace(BORIS.contacts[0], schedule=ROOT.ref),))), "contacts"),
        (house(rule=msgspec.structs.replace(RULE, did=Ref("core.trunk", 1))), "did"),
        (house(rule=msgspec.structs.replace(RULE, numbers=HOURS.ref)), "numbers"),
        (house(hold_music=HOURS.ref), "hold_music"),
    ],
)
def test_a_reference_to_another_kind_of_thing_is_an_error(wrong: Snapshot, field: str) -> None:
    (found,) = generic(wrong, KINDS)
    assert (found.severity, found.params["field"]) == ("error", field)


def test_a_member_who_does_not_exist_is_an_error() -> None:
    (found,) = generic(house(root=msgspec.structs.replace(ROOT, members=(Membership(201), Membership(999)))), KINDS)
    assert (found.severity, found.where, found.params["ref"]) == ("error", ROOT.ref, "core.user:999")
