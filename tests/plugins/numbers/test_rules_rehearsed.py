# SPDX-License-Identifier: Apache-2.0
"""Routing rules of a number, rehearsed: the first that fits by priority, list and schedule (NUM-1, R5). It is Wednesday, 12:00."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.plugin.testing import OUTSIDER, office, sip_user, steps, try_call
from engine.routing.action import Done
from engine.sdk import HANGUP, Did, Ref, Rehearsal, Script
from plugins.groups.actions import ToGroup, ToUser
from plugins.groups.part import Group, GroupsPart
from plugins.numbers.actions import ByRules
from plugins.numbers.part import ListEntry, NumberList, NumbersPart, Rule
from plugins.schedules.part import DayGroup, HourRange, Schedule, SchedulesPart

OPEN = Schedule(id=1, title="Open", days=(DayGroup("Wednesday", (2,), (HourRange(540, 1080),)),))
CLOSED = Schedule(id=2, title="Closed", days=(DayGroup("Sunday", (6,), (HourRange(540, 1080),)),))
REGULARS = NumberList(id=1, title="Regulars", entries=(ListEntry("+79271234567"),))
SLEEPING = NumberList(id=2, title="Sleeping", entries=(ListEntry("+79271234567", active=False),))
OFF = NumberList(id=3, title="Off", active=False, entries=(ListEntry("+79271234567"),))
TO_201, TO_202 = Ref("core.user", 201), Ref("core.user", 202)


def rule(number: int, **fields: object) -> Rule:
    values: dict[str, object] = {"priority": number, "target": TO_201, **fields}
    return Rule(id=number, title=f"Rule {number}", did=Ref(Did.kind, 1), **values)  # type: ignore[arg-type]  # fields of the struct


def called(*rules: Rule, number: str | None = "+79271234567") -> Rehearsal:
    parts = {
        "numbers": NumbersPart(rules=rules, lists=(REGULARS, SLEEPING, OFF)),
        "schedules": SchedulesPart(schedules=(OPEN, CLOSED)),
        "groups": GroupsPart(groups=(Group(id=1, title="PBX", no_answer=HANGUP),)),
    }
    house = office((sip_user(201), sip_user(202)), parts)
    script = Script({"201": (1, "answer"), "202": (1, "answer")})
    return try_call(house, (ByRules(), ToUser(), ToGroup()), Ref(Did.kind, 1), script, caller=replace(OUTSIDER, number=number))


@pytest.mark.feature("NUM-1", "R5")
@pytest.mark.parametrize(
    ("first", "why"),
    [
        (rule(1, numbers=REGULARS.ref), None),
        (rule(1, numbers=SLEEPING.ref), "not_in_list"),
        (rule(1, numbers=OFF.ref), "list_inactive"),
        (rule(1, schedule=OPEN.ref), None),
        (rule(1, schedule=CLOSED.ref), "outside_hours"),
        (rule(1, numbers=REGULARS.ref, schedule=CLOSED.ref), "outside_hours"),
        (rule(1, numbers=REGULARS.ref, schedule=OPEN.ref), None),
        (rule(1), None),
    ],
)
def test_a_rule_fits_by_list_and_schedule(first: Rule, why: str | None) -> None:
    got = called(rule(2, target=TO_202), first)
    assert got.outcome == Done(talked=True)
    assert [s[2] for s in steps(got, "rings")] == (["201"] if why is None else ["202"])
    assert [s.facts.get("why") for _, s in got.steps if s.what == "rule_skipped"] == ([] if why is None else [why])


@pytest.mark.feature("NUM-1", "R5")
def test_a_withheld_number_stands_in_no_list() -> None:
    got = called(rule(1, numbers=REGULARS.ref), rule(2, target=TO_202), number=None)
    assert [s[2] for s in steps(got, "rings")] == ["202"]


@pytest.mark.feature("NUM-1", "R5")
def test_none_fits_so_the_pbx_itself_takes_it() -> None:
    got = called(rule(1, numbers=OFF.ref), rule(2, active=False))
    assert steps(got, "rings") == []
    assert [what for _, what, _ in steps(got, "rule_skipped", "no_rule")] == ["rule_skipped", "no_rule"]
    assert any(s.what == "enters" and s.facts.get("title") == "PBX" for _, s in got.steps)
