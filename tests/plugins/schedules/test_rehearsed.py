# SPDX-License-Identifier: Apache-2.0
"""Calls at chosen moments: where holidays and single days send them, and how the trace tells it in both languages (SCH-4, SCH-5)."""

from __future__ import annotations

from datetime import datetime
from functools import partial

import msgspec
import pytest

from engine.i18n import translate
from engine.plugin.testing import OUTSIDER, office, sip_user
from engine.rehearsal import Rehearsal, Script, rehearse
from engine.routing.action import Entry, RoutingAction
from engine.routing.basic import BASIC_ACTIONS
from engine.sdk import Did, Ref, User
from engine.telling import sentence, with_plugins
from plugins.groups.actions import ToGroup, ToUser
from plugins.groups.api import Membership
from plugins.groups.part import Group, GroupsPart
from plugins.ivr.actions import ToMenu
from plugins.ivr.part import IvrPart, Menu
from plugins.numbers.actions import SENTENCES, ByRules
from plugins.numbers.part import NumbersPart, Rule
from plugins.schedules.part import Schedule, SchedulesPart, SpecialDay
from tests.plugins.schedules.worlds import at, hours, single

OFFICE = hours(("01234w", ((540, 1080),)), ("s", ((540, 1020),)), holidays=True)
TO_DUTY = Ref(User.kind, 202)


def called(moment: datetime, *days: SpecialDay, at_rule: bool = False, at_user: bool = False, at_menu: bool = False,
           at_contact: bool = False, hours: Schedule = OFFICE) -> Rehearsal:  # fmt: skip
    """A call at a group within office hours, which falls back on the person on duty; or at another element with these hours."""
    anna = sip_user(201, schedule=hours.ref if at_user else None)
    if at_contact:
        anna = msgspec.structs.replace(anna, contacts=(msgspec.structs.replace(anna.contacts[0], schedule=hours.ref),))
    everywhere = not (at_user or at_menu or at_contact)
    sales = Group(id=2, title="Sales", parent=Ref(Group.kind, 1), members=(Membership(201),), no_answer=TO_DUTY,
                  schedule=hours.ref if everywhere and not at_rule else None)  # fmt: skip
    menu = Menu(id=1, title="Menu", parent=Ref(Group.kind, 1), schedule=hours.ref)
    target = menu.ref if at_menu else anna.ref if at_user else sales.ref
    first = Rule(id=1, title="By day", did=Ref(Did.kind, 1), target=target, schedule=hours.ref if at_rule else None)
    last = Rule(id=2, title="By night", did=Ref(Did.kind, 1), target=TO_DUTY)
    house = office(
        (anna, sip_user(202)),
        {
            "numbers": NumbersPart(rules=(first, last)),
            "groups": GroupsPart(groups=(Group(id=1, title="PBX", no_answer=TO_DUTY), sales)),
            "ivr": IvrPart(menus=(menu,)),
            "schedules": SchedulesPart(schedules=(hours,), days=days),
        },
    )
    actions: list[RoutingAction] = [*BASIC_ACTIONS, ByRules(), ToGroup(), ToUser(), ToMenu()]
    script = Script({"201": (1, "answer"), "202": (1, "answer")})
    return rehearse(house, {a.kind: a for a in actions}, Entry(Ref(Did.kind, 1), "rule"), OUTSIDER, script, moment)


def rung(got: Rehearsal) -> list[object]:
    return [s.facts["who"] for _, s in got.steps if s.what == "rings"]


def told(got: Rehearsal, language: str) -> list[str]:
    whole = with_plugins(SENTENCES)
    steps = [s for _, s in got.steps if s.what in ("closed", "skipped", "rule_skipped")]
    return [sentence(partial(translate, language), s.what, s.facts, whole) for s in steps]


@pytest.mark.feature("SCH-1", "SCH-4", "R6")
@pytest.mark.parametrize(
    ("moment", "who"),
    [
        ("2026-01-14 12:00", "201"),
        ("2026-01-14 18:00", "202"),
        ("2026-01-01 12:00", "202"),
        ("2026-01-09 12:00", "202"),  # moved off
        ("2026-01-10 12:00", "202"),
        ("2024-04-27 12:00", "201"),  # a Saturday that works
        ("2026-06-11 16:59", "201"),
        ("2026-06-11 17:00", "202"),  # short
        ("2028-01-04 12:00", "202"),  # by the law alone
    ],
)
def test_holidays_send_a_call_to_the_person_on_duty(moment: str, who: str) -> None:
    assert rung(called(at(moment))) == [who]
    assert rung(called(at(moment), at_rule=True)) == [who]


@pytest.mark.feature("SCH-5")
def test_a_single_day_opens_and_closes() -> None:
    assert rung(called(at("2026-01-14 12:00"), single("2026-01-14"))) == ["202"]
    assert rung(called(at("2026-01-14 14:59"), single("2026-01-14", (900, 1200)))) == ["202"]
    assert rung(called(at("2026-01-14 15:00"), single("2026-01-14", (900, 1200)))) == ["201"]
    assert rung(called(at("2026-01-01 12:00"), single("2026-01-01", (600, 900)))) == ["201"]


@pytest.mark.feature("SCH-4", "SCH-5")
def test_the_trace_names_the_day_in_both_languages() -> None:
    new_year, moved = called(at("2026-01-01 12:00")), called(at("2026-01-09 12:00"))
    assert told(new_year, "en") == ["“Sales” takes no calls: New Year holidays"]
    assert told(new_year, "ru") == ["«Sales» не принимает вызовы: Новогодние каникулы"]
    assert told(moved, "en") == ["“Sales” takes no calls: day off moved from 03.01.2026"]
    assert told(moved, "ru") == ["«Sales» не принимает вызовы: выходной, перенесённый с 03.01.2026"]
    closed = called(at("2026-01-14 12:00"), single("2026-01-14"))
    assert told(closed, "ru") == ["«Sales» не принимает вызовы: особый день «Day 1»"]
    assert told(called(at("2026-01-14 19:00")), "en") == ["“Sales” takes no calls: outside working hours"]


@pytest.mark.feature("SCH-1", "SCH-4")
@pytest.mark.parametrize("where", ["at_rule", "at_user", "at_menu", "at_contact"])
def test_every_element_with_hours_tells_why(where: str) -> None:
    got = called(at("2026-01-07 12:00"), **{where: True})  # type: ignore[arg-type]
    assert "201" not in rung(got)
    assert told(got, "en")[0].endswith(": Christmas")
    assert told(got, "ru")[0].endswith(": Рождество Христово")


def test_a_title_with_braces_is_only_a_title() -> None:
    odd = msgspec.structs.replace(single("2026-01-14"), title="{0} {title} %s {")
    assert told(called(at("2026-01-14 12:00"), odd), "en") == ["“Sales” takes no calls: special day “{0} {title} %s {”"]
