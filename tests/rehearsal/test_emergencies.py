# SPDX-License-Identifier: Apache-2.0
"""R17: what an internal number 101 to 104 and a forbidden prefix of 112 do to emergency calls, and that the check of settings says it."""

from __future__ import annotations

import msgspec
import pytest

from engine.i18n import translate
from engine.plugin.testing import sip_user
from engine.rehearsal import Question, Script, check_settings, new_warnings, rehearse_call
from engine.sdk import EMERGENCY, Ref, Snapshot, User
from tests.rehearsal.town import ACTIONS, NOON, ROOT, STORES, group, rule, town

G2 = Ref("groups.group", 2)
NAMES = {"en": ("Whoever dials 103 from a phone of the PBX", "112 goes through"), "ru": ("Кто наберёт 103 с телефона АТС", "112 доступен")}


def house(*extensions: int, prefixes: tuple[str, ...] = (), of: str = "user") -> Snapshot:
    own = {key: prefixes for key in ("user", "group", "root") if key == of}
    users = (sip_user(201, forbidden_prefixes=own.get("user", ())), *(sip_user(number) for number in extensions))
    root = msgspec.structs.replace(ROOT, forbidden_prefixes=own.get("root", ()))
    return town(group(2, 201, forbidden_prefixes=own.get("group", ())), rules=(rule(1, G2),), users=users, root=root)


def said(made: Snapshot, language: str = "en") -> list[str]:
    return [translate(language, f.message, **f.params) for f in check_settings(made, ACTIONS, STORES, NOON).findings]


def reached(made: Snapshot, dialled: str) -> list[str]:
    done = rehearse_call(made, ACTIONS, Question(dialled, "201", Script(others=(1, "answer"))), NOON)
    return [str(s.facts["who"]) for _, s in done.rehearsal.steps if s.what == "talk"]


@pytest.mark.feature("R16", "R17")
def test_an_internal_number_takes_the_place_of_its_service_and_of_no_other() -> None:
    assert [reached(house(103), number) for number in EMERGENCY] == [["112"], ["101"], ["102"], ["103"], ["104"]]
    made = house(103)
    done = rehearse_call(made, ACTIONS, Question("103", "201", Script()), NOON)
    assert Ref(User.kind, 103) in [s.target for _, s in done.rehearsal.steps if s.what == "enters"]
    done = rehearse_call(house(), ACTIONS, Question("103", "201", Script()), NOON)
    assert [s.target for _, s in done.rehearsal.steps if s.what == "enters"] == []


@pytest.mark.feature("R17")
@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_check_always_lists_an_internal_number_in_the_place_of_a_service(language: str) -> None:
    (only,) = said(house(103), language)
    assert all(part in only for part in (*NAMES[language], "User 103"))
    assert len(said(house(101, 102, 103, 104), language)) == 4
    assert said(house(105), language) == []


@pytest.mark.feature("R17", "RST-1")
@pytest.mark.parametrize("of", ["user", "group", "root"])
@pytest.mark.parametrize(
    ("prefix", "numbers"),
    [("112", "112"), ("11", "112"), ("10", "101, 102, 103, 104"), ("103", "103")],
)
def test_a_prefix_does_not_stop_an_emergency_call_and_that_is_said(of: str, prefix: str, numbers: str) -> None:
    made = house(prefixes=(prefix, "8809", prefix), of=of)
    title = {"user": "User 201", "group": "Group 2", "root": "PBX"}[of]
    assert said(made) == [
        f"The forbidden prefix {prefix} of “{title}” does not stop calls to {numbers}: emergency calls always go through. "
        "Delete it if it was meant for them."
    ]
    assert f"«{title}»" in said(made, "ru")[0]
    assert [reached(made, number) for number in EMERGENCY] == [[number] for number in EMERGENCY]


@pytest.mark.parametrize("prefix", ["1120", "+1", "1", "8112", "810", "2"])
def test_any_other_prefix_is_as_it_was_meant(prefix: str) -> None:
    assert said(house(prefixes=(prefix,))) == []


async def test_both_are_told_with_saved() -> None:
    new = await new_warnings(house(), house(103, prefixes=("112",)), ACTIONS, STORES)
    assert [f.where for f in new] == [Ref(User.kind, 103), Ref(User.kind, 201)]
    assert await new_warnings(house(103), house(103), ACTIONS, STORES) == []
