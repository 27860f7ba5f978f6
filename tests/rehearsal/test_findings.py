# SPDX-License-Identifier: Apache-2.0
"""What a check of the settings finds: exactly the loops, dead ends, lost places and silent hours that were put in."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from engine.i18n import translate
from engine.plugin.testing import sip_user
from engine.rehearsal import Checked, check_settings
from engine.sdk import HANGUP, NOTHING, REPEAT, Contact, Ref, Snapshot
from engine.telling import hours_words
from plugins.numbers.part import NumberList, Rule
from plugins.numbers.service import next_priority
from tests.rehearsal.town import ACTIONS, NOON, OPEN, REGULARS, ROOT, STORES, group, menu, rule, town

G2, G3, G4, M1, M2, M3 = (Ref(f"{kind}", n) for kind, n in (
    ("groups.group", 2), ("groups.group", 3), ("groups.group", 4), ("ivr.menu", 1), ("ivr.menu", 2), ("ivr.menu", 3),
))  # fmt: skip


def check(house: Snapshot) -> Checked:
    return check_settings(house, ACTIONS, STORES, NOON)


OTHER = "Choose another no-answer or timeout action in one of them."
KEY = "Let this key lead elsewhere in one of the menus."
USERS = "Add users with active contacts, or choose a no-answer action."
RULES = "Look at its rules and at where they lead."
LEAD = "Choose it in a rule or for a key, give it an extension, or delete it."


def found(house: Snapshot) -> list[str]:
    """But for hints, of which test_phoneless.py is."""
    return [translate("en", f.message, **f.params) for f in check(house).findings if f.severity != "hint"]


def hours(house: Snapshot) -> list[str]:
    return [hours_words("en", u, ZoneInfo("Europe/Moscow")) for u in check(house).unserved]


def loop(way: str) -> str:
    return f"Calls go round without end: {way}. The caller hears it again and again until he is hung up on. {OTHER}"


def test_a_sound_configuration_has_nothing_to_say() -> None:
    house = town(
        group(2, 201, 202, no_answer=G3),
        group(3, 203, no_answer=HANGUP),
        menu(1, {"1": G2, "2": G3, "9": M1, "*": REPEAT, "T": G2}),
        rules=(rule(1, M1),),
    )
    assert found(house) == []
    assert hours(house) == []


def test_rules_that_are_never_asked_and_rules_of_one_priority_are_told() -> None:
    groups = (group(2, 201, no_answer=HANGUP), group(3, 202, no_answer=HANGUP))
    late = "The rule “Rule 2” never applies: “Rule 1” is asked before it and takes every call. "
    late += "Give it a lower number as its priority, or delete it."
    assert found(town(*groups, rules=(rule(1, G2), rule(2, G2, schedule=OPEN.ref)))) == [late, *lost("Group 3")]
    assert found(town(*groups, rules=(rule(1, G2, active=False), rule(2, G2)))) == lost("Group 3")
    twins = "The rules “Rule 1” and “Rule 2” have the same priority: the older one is asked first. Give them different ones."
    same = (rule(1, G2, priority=5, schedule=OPEN.ref), rule(2, G3, priority=5))
    assert found(town(*groups, rules=same)) == [twins]


@pytest.mark.parametrize(
    ("rules", "priority"),
    [
        ((), 1),
        ((rule(1, G2, schedule=OPEN.ref), rule(2, G2, schedule=OPEN.ref)), 3),
        ((rule(1, G2, schedule=OPEN.ref), rule(10, G2)), 2),
        ((rule(1, G2, schedule=OPEN.ref), rule(2, G2)), 3),
        ((rule(1, G2),), 2),
    ],
)
def test_a_new_rule_comes_before_the_one_that_takes_every_call_where_there_is_room(rules: tuple[Rule, ...], priority: int) -> None:
    assert next_priority(rules) == priority


def test_groups_that_fall_back_on_each_other_go_round() -> None:
    house = town(group(2, 201, no_answer=G3), group(3, 202, no_answer=G4), group(4, 203, no_answer=G2), rules=(rule(1, G3),))
    assert found(house) == [loop("Group 2 → Group 3 → Group 4 → Group 2")]


def test_a_group_that_falls_back_on_itself_goes_round_and_one_that_repeats_does_as_it_was_told() -> None:
    assert found(town(group(2, 201, no_answer=G2), rules=(rule(1, G2),))) == [loop("Group 2 → Group 2")]
    assert found(town(group(2, 201, no_answer=REPEAT), rules=(rule(1, G2),))) == []


@pytest.mark.feature("IVR-3")
def test_menus_that_nobody_answers_go_round_by_their_timeouts() -> None:
    house = town(menu(1, {"1": G2, "T": M2}), menu(2, {"1": G2, "T": M1}), group(2, 201), rules=(rule(1, M1),))
    assert found(house) == [loop("Menu 1 → Menu 2 → Menu 1")]
    assert found(town(menu(1, {"1": G2, "T": REPEAT}), group(2, 201), rules=(rule(1, M1),))) == []


@pytest.mark.feature("IVR-3")
def test_a_key_that_leads_round_is_told_with_the_key() -> None:
    house = town(menu(1, {"1": M2, "5": G2}), menu(2, {"1": M3}), menu(3, {"1": M1, "2": G2}), group(2, 201), rules=(rule(1, M1),))
    assert found(house) == ["A caller who keeps pressing 1 goes round without end: Menu 1 → Menu 2 → Menu 3 → Menu 1. " + KEY]


@pytest.mark.feature("IVR-3")
def test_any_other_key_may_lead_round() -> None:
    house = town(menu(1, {"5": G2, "D": M2}), menu(2, {"5": G2, "D": M1}), group(2, 201), rules=(rule(1, M1),))
    assert found(house) == ["A caller who keeps pressing 1 goes round without end: Menu 1 → Menu 2 → Menu 1. " + KEY]


def test_a_loop_behind_a_key_and_a_list_is_found_as_well() -> None:
    house = town(
        group(2, 201, no_answer=G3), group(3, 202, no_answer=G2), menu(1, {"3": G2}), menu(2, {"1": G4}), group(4, 203),
        rules=(rule(1, M1, numbers=REGULARS.ref), rule(2, M2)), lists=(REGULARS,),
    )  # fmt: skip
    assert found(house) == [loop("Group 2 → Group 3 → Group 2")]


def test_a_loop_at_night_is_found_by_day() -> None:
    """By day the group is open and hangs up; at night its rules send the call round."""
    house = town(
        menu(1, {"1": G2, "T": G2}), group(2, 201, schedule=OPEN.ref, no_answer=M1), rules=(rule(1, M1),),
        users=(sip_user(201), sip_user(202)),
    )  # fmt: skip
    assert found(house) == [loop("Group 2 → Menu 1 → Group 2")]
    assert hours(house) == [
        "Calls to +7 495 123-45-67 reach nobody in these hours: Wed 18:00 – Thu 09:00; Thu 18:00 – Fri 09:00; "
        "Fri 18:00 – Mon 09:00; Mon 18:00 – Tue 09:00; Tue 18:00 – Wed 09:00"
    ]


RINGS_NOBODY = type(ROOT)(id=1, title="PBX", no_answer=HANGUP, method="NONE")
GHOST = sip_user(204, active=False)
DEAD_PHONE = sip_user(205)
DEAD_PHONE = type(DEAD_PHONE)(
    id=205, title="User 205", extension="205", contacts=(Contact(id=2050, kind="sip", address="205", active=False),)
)


@pytest.mark.parametrize(
    "lonely",
    [
        group(2),
        group(2, no_answer=NOTHING),
        group(2, 204),
        group(2, 205),
        group(2, 206),
        group(2, 201, method="NONE"),
    ],
    ids=["empty", "does nothing", "a user switched off", "a contact switched off", "a user without contacts", "nobody is rung"],
)
def test_a_group_in_which_nobody_can_answer_is_a_dead_end(lonely: object) -> None:
    users = (sip_user(201), GHOST, DEAD_PHONE, type(GHOST)(id=206, title="User 206"))
    house = town(lonely, menu(1, {"1": G2}), rules=(rule(1, M1),), users=users)  # type: ignore[arg-type]  # a group
    assert found(house) == ["Nobody can ever answer in the group “Group 2”, and it has no no-answer action. " + USERS]
    assert hours(house) == ["Calls to +7 495 123-45-67 reach nobody at any hour. " + RULES]


@pytest.mark.parametrize("alive", [group(2, no_answer=HANGUP), group(2, 201), group(2, 204, 201)])
def test_a_group_that_somebody_or_something_serves_is_none(alive: object) -> None:
    house = town(alive, rules=(rule(1, G2),), users=(sip_user(201), GHOST))  # type: ignore[arg-type]  # a group
    assert found(house) == []


def test_a_group_whose_nested_group_answers_is_no_dead_end() -> None:
    house = town(group(2), group(3, 201, parent=G2), rules=(rule(1, G2),))
    assert found(house) == []
    assert found(town(group(2), group(3, parent=G2), rules=(rule(1, G2),))) == [
        "Nobody can ever answer in the group “Group 2”, and it has no no-answer action. " + USERS,
        "Nobody can ever answer in the group “Group 3”, and it has no no-answer action. " + USERS,
    ]


def test_a_menu_without_keys_and_users_is_a_dead_end() -> None:
    text = "The menu “Menu 1” has neither keys nor users: its callers can only dial an internal number. Choose what its keys do."
    assert found(town(menu(1, {}), rules=(rule(1, M1),))) == [text]
    assert found(town(menu(1, {"1": NOTHING}), rules=(rule(1, M1),))) == [text]
    assert found(town(menu(1, {}, 201), rules=(rule(1, M1),))) == []


def lost(*titles: str) -> list[str]:
    return [f"No call gets to “{title}”: no rule, key, group or internal number leads there. {LEAD}" for title in titles]


@pytest.mark.parametrize(
    ("house", "wanted"),
    [
        (town(group(2, 201), group(3, 202), rules=(rule(1, G2),)), lost("Group 3")),
        (town(group(2, 201), group(3, 202, extension="303"), rules=(rule(1, G2),)), []),
        (town(group(2, 201, no_answer=G3), group(3, 202), rules=(rule(1, G2),)), []),
        (town(group(2, 201), group(3, 202), rules=(rule(1, G2, schedule=OPEN.ref),)), []),
        (town(group(2, 201), group(3, 202)), []),
        (town(group(2, 201), group(3, 202), rules=(rule(1, G2), rule(2, G3))), lost("Group 3")),
        (town(group(2, 201), group(3, 202), rules=(rule(1, G3, active=False), rule(2, G2))), lost("Group 3")),
        (town(group(2, 201), group(3, 202, parent=G2), rules=(rule(1, G2),)), []),
        (town(group(2, 201), group(3, 202), root=RINGS_NOBODY), lost("Group 2", "Group 3")),
        (town(menu(1, {"1": G2}), group(2, 201), menu(2, {"1": G2}), rules=(rule(1, M1),)), lost("Menu 2")),
        (
            town(group(2, 201), group(3, 202), rules=(rule(1, G3, numbers=Ref(NumberList.kind, 1)), rule(2, G2)), lists=(REGULARS,)),
            [],
        ),
    ],
    ids=[
        "a rule takes every call", "an internal number", "a no-answer action", "a rule with hours", "no rule", "a rule below such a rule",
        "an inactive rule", "nested in a group that is reached", "the root rings nobody", "a menu without a key", "a list",
    ],
)  # fmt: skip
def test_places_that_no_call_gets_to(house: Snapshot, wanted: list[str]) -> None:
    assert [told for told in found(house) if not told.startswith("The rule ")] == wanted


def test_hours_in_which_a_number_reaches_nobody() -> None:
    shut = town(group(2, 201, schedule=OPEN.ref), rules=(rule(1, G2),))
    assert hours(shut) == [
        "Calls to +7 495 123-45-67 reach nobody in these hours: Wed 18:00 – Thu 09:00; Thu 18:00 – Fri 09:00; "
        "Fri 18:00 – Mon 09:00; Mon 18:00 – Tue 09:00; Tue 18:00 – Wed 09:00"
    ]
    at_home = town(group(2, 201, schedule=OPEN.ref, no_answer=G3), group(3, 203), rules=(rule(1, G2),))
    assert hours(at_home) == []
    by_rule = town(group(2, 201), rules=(rule(1, G2, schedule=OPEN.ref), rule(2, HANGUP)))
    assert hours(by_rule) == hours(shut)


def test_a_menu_reaches_whoever_its_keys_reach() -> None:
    assert hours(town(menu(1, {"1": M2}), menu(2, {"7": M3}), menu(3, {"0": G2}), group(2, 201), rules=(rule(1, M1),))) == []
    # that a stranger may guess an internal number counts for nothing
    assert hours(town(menu(1, {"1": HANGUP}), rules=(rule(1, M1),))) == ["Calls to +7 495 123-45-67 reach nobody at any hour. " + RULES]
