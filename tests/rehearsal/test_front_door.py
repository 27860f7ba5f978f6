# SPDX-License-Identifier: Apache-2.0
"""Rehearsals that come in by the door of real calls: who calls what, when keys are typed, who does what."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest

from engine.calls.call import Step
from engine.errors import Problem
from engine.plugin.testing import sip_user
from engine.rehearsal import (
    NotAdmitted,
    Question,
    Rehearsed,
    Script,
    Typed,
    read_answers,
    read_caller,
    read_keys,
    read_moment,
    rehearse_call,
)
from engine.routing.action import Missed
from engine.sdk import HANGUP, REPEAT, DialQuestion, Did, Ref, Snapshot, Trunk
from tests.rehearsal.town import ACTIONS, CALLER, DID, GREETING, MOBILE, NIGHT, NOON, NUMBER, OPEN, REGULARS, group, menu, rule, town

SALES, SUPPORT, MENU = Ref("groups.group", 2), Ref("groups.group", 3), Ref("ivr.menu", 1)
HOUSE = town(
    group(2, 201, 202, extension="300", greeting=GREETING.ref),
    group(3, 203, no_answer=HANGUP),
    menu(1, {"1": SALES, "2": SUPPORT, "T": HANGUP}),
    rules=(rule(1, SUPPORT, numbers=REGULARS.ref, schedule=OPEN.ref), rule(2, MENU)),
    lists=(REGULARS,),
)
STRANGER = "+79990001122"


def call(
    to: str = NUMBER, caller: str | None = STRANGER, script: Script | None = None, *, house: Snapshot = HOUSE, at: datetime = NOON
) -> Rehearsed:
    return rehearse_call(house, ACTIONS, Question(to, caller, script or Script()), at)


def told(done: Rehearsed, *kinds: str) -> list[tuple[float, str, object]]:
    return [
        (at, s.what, s.facts.get("who") or s.facts.get("digit") or s.facts.get("title") or s.facts.get("why"))
        for at, s in done.rehearsal.steps if s.what in kinds
    ]  # fmt: skip


def entered(done: Rehearsed) -> list[object]:
    return [s.target for _, s in done.rehearsal.steps if s.what == "enters"]


@pytest.mark.feature("NUM-1", "R5")
@pytest.mark.parametrize(
    ("caller", "at", "wanted"), [(CALLER, NOON, SUPPORT), (CALLER, NIGHT, MENU), (STRANGER, NOON, MENU), (None, NOON, MENU)]
)
def test_a_call_from_outside_goes_by_the_rules_of_its_number(caller: str | None, at: datetime, wanted: Ref) -> None:
    done = call("8 (495) 123-45-67", caller, at=at)
    assert (done.arrival.direction, done.arrival.caller.trunk, done.arrival.caller.dialled) == ("in", 1, NUMBER)
    assert entered(done)[:2] == [DID, wanted]


@pytest.mark.feature("OUT-1", "OUT-2", "R16")
def test_employees_dial_extensions_numbers_of_ours_and_outside_ones() -> None:
    inside = call("300", "201")
    assert (inside.arrival.direction, entered(inside)) == ("internal", [SALES])
    assert [s[2] for s in told(inside, "rings")] == ["202"]  # his own phone is not rung
    own = call("84951234567", "201")
    assert (own.arrival.direction, entered(own)[0]) == ("in", DID)
    outside = call("89161234567", "201", Script({"+79161234567": (3, "answer")}))
    assert (outside.arrival.direction, entered(outside), outside.rehearsal.end) == ("out", [], "talked")
    assert call("12", "201").rehearsal.steps[0][1].what == "wrong_number"


@pytest.mark.parametrize(
    ("to", "caller", "why"),
    [
        ("+74950000000", STRANGER, "none of this PBX"),
        ("300", STRANGER, "employees only"),
        ("112", STRANGER, "employees only"),
    ],
)
def test_what_is_refused_at_the_door_is_told_plainly(to: str, caller: str, why: str) -> None:
    with pytest.raises(NotAdmitted, match=why):
        call(to, caller)


def test_switched_off_lines_accounts_and_users_let_nobody_in() -> None:
    off = msgspec.structs.replace(HOUSE.core.trunks[0], active=False)
    with pytest.raises(NotAdmitted, match="No line"):
        call(house=Snapshot(1, msgspec.structs.replace(HOUSE.core, trunks=(off,)), HOUSE.parts))
    account = msgspec.structs.replace(HOUSE.account, active=False)
    with pytest.raises(NotAdmitted, match="account is switched off"):
        call(house=Snapshot(1, msgspec.structs.replace(HOUSE.core, account=account), HOUSE.parts))
    with pytest.raises(NotAdmitted, match="user is switched off"):
        call("300", "201", house=town(group(2, 202, extension="300"), users=(sip_user(201, active=False), sip_user(202))))


@pytest.mark.parametrize(("to", "caller", "field"), [("abc", STRANGER, "to"), ("", STRANGER, "to"), (NUMBER, "nobody", "caller")])
def test_what_is_no_number_is_a_wrong_field(to: str, caller: str, field: str) -> None:
    with pytest.raises(Problem) as wrong:
        call(to, caller)
    assert wrong.value.field == field


@pytest.mark.feature("IVR-2", "R22")
def test_keys_are_typed_when_they_count() -> None:
    """Not during a group's greeting, in which nobody listens; a row of digits is one extension."""
    house = town(
        group(2, 201, greeting=GREETING.ref, no_answer=MENU),
        menu(1, {"2": SUPPORT}),
        group(3, 203, extension="300"),
        rules=(rule(1, SALES),),
    )
    typed, _ = read_keys("2")
    done = call(script=Script({"201": (1, "USER_BUSY")}, typed=typed), house=house)
    # four seconds of greeting, one until the busy tone, one until the caller has understood the menu
    assert told(done, "key") == [(6.0, "key", "2")]
    assert SUPPORT in entered(done)
    row, _ = read_keys("300")
    done = call(script=Script({"201": (1, "USER_BUSY")}, typed=row), house=house)
    assert [s[2] for s in told(done, "key")] == ["3", "0", "0"]
    assert entered(done)[-1] == SUPPORT


@pytest.mark.feature("IVR-3")
def test_one_word_is_typed_at_each_listening() -> None:
    house = town(menu(1, {"1": Ref("ivr.menu", 2)}), menu(2, {"2": SUPPORT}), group(3, 203), rules=(rule(1, MENU),))
    typed, _ = read_keys("1 2")
    done = call(script=Script(typed=typed), house=house)
    assert entered(done) == [DID, MENU, Ref("ivr.menu", 2), SUPPORT, *entered(done)[4:]]
    timed, fixed = read_keys("1@2.5, 2")
    assert (timed, fixed) == ((Typed("2"),), ((2.5, "1"),))
    assert told(call(script=Script(keys=fixed), house=house), "key") == [(2.5, "key", "1")]


def test_sounds_are_as_long_as_they_are() -> None:
    done = call(script=Script(typed=()), house=HOUSE)
    assert told(done, "menu_timeout") == [(11.0, "menu_timeout", None)]  # six seconds of the file, five of patience


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("201=busy,202=no,203=answer:5", {"201": (0.2, "USER_BUSY"), "202": (float("inf"), "answer"), "203": (5.0, "answer")}),
        ("User 203=answer", {"203": (5.0, "answer"), MOBILE: (5.0, "answer")}),
        ("201=no,201=answer:2", {"201": [(float("inf"), "answer"), (2.0, "answer")]}),
        ("8 903 000-00-01=reject", {MOBILE: (2.0, "CALL_REJECTED")}),
        ("8 916 123-45-67=busy", {"+79161234567": (0.2, "USER_BUSY")}),
    ],
)
def test_what_people_do_is_read(text: str, wanted: dict[str, object]) -> None:
    assert read_answers(HOUSE, text, Script()).answers == wanted


def test_everybody_and_phones_that_are_not_there() -> None:
    assert read_answers(HOUSE, "all=answer:1", Script()).others == (1.0, "answer")
    absent = call(script=read_answers(HOUSE, "201=absent,202=inuse", Script(typed=(Typed("1"),))))
    assert [(s.facts["who"], s.facts["why"]) for _, s in absent.rehearsal.steps if s.what == "skipped"] == [
        ("201", "not_registered"), ("202", "lines_busy"),
    ]  # fmt: skip
    nobody = call(script=read_answers(HOUSE, "all=absent", Script(typed=(Typed("2"),))))
    assert [s[2] for s in told(nobody, "rings")] == [MOBILE]  # a number outside is nobody's phone


@pytest.mark.parametrize("text", ["201", "999=busy", "201=sings", "201=answer:x", "201=answer:-1", "201=answer:nan", "Nobody=no"])
def test_nonsense_about_people_is_refused(text: str) -> None:
    with pytest.raises(Problem) as wrong:
        read_answers(HOUSE, text, Script())
    assert wrong.value.field == "answers"


@pytest.mark.parametrize("text", ["a", "2@", "2@x", "1-2", "9" * 101])
def test_nonsense_about_keys_is_refused(text: str) -> None:
    with pytest.raises(Problem) as wrong:
        read_keys(text)
    assert wrong.value.field == "keys"


def test_moments_are_those_of_the_pbx() -> None:
    moscow = ZoneInfo("Europe/Moscow")
    assert read_moment("2026-01-03 19:30", moscow) == datetime(2026, 1, 3, 16, 30, tzinfo=UTC)
    assert read_moment("2026-01-03T19:30:05+00:00", moscow) == datetime(2026, 1, 3, 19, 30, 5, tzinfo=UTC)
    for text in ("yesterday", "2026-02-30 10:00", "", "0001-01-01 00:00"):
        with pytest.raises(Problem):
            read_moment(text, moscow)
    assert [read_caller(text) for text in ("", "withheld", "Скрыт", " 201 ")] == [None, None, None, "201"]


@pytest.mark.feature("R11")
def test_a_configuration_that_goes_round_ends_with_a_clear_verdict() -> None:
    circle = town(group(2, 201, no_answer=SUPPORT), group(3, 203, no_answer=SALES), rules=(rule(1, SALES),))
    done = call(house=circle).rehearsal
    assert (done.end, done.dead_end) == ("goes_round", False)
    assert done.steps[-1][1] == Step("hop_limit", {"limit": 50})
    again = town(group(2, 201, no_answer=REPEAT, attempts=20, pause_seconds=600), rules=(rule(1, SALES),))
    long = call(house=again).rehearsal  # a day is longer than any caller waits
    assert (long.end, long.dead_end) == ("goes_round", True)


@pytest.mark.feature("R1")
def test_the_end_is_the_one_of_the_record() -> None:
    ends = {
        "talked": Script(typed=(Typed("1"),), others=(1, "answer")),
        "hung_up": Script(typed=(Typed("2"),)),
        "left": Script(caller_leaves=2),
    }
    found = {end: call(script=script).rehearsal for end, script in ends.items()}
    assert {end: done.end for end, done in found.items()} == {end: end for end in ends}
    assert [done.missed_why for done in found.values()] == ["", "no_answer", "menu"]
    alone = call(house=town(group(2, 201), rules=(rule(1, SALES),))).rehearsal
    assert (alone.end, alone.outcome, alone.cause) == ("missed", Missed("no_answer"), "NO_ANSWER")


@pytest.mark.feature("R11")
def test_operators_do_not_wait_for_ever() -> None:
    house = town(group(2, 201, attempts=3), rules=(rule(1, SALES),))
    done = call(script=Script(unanswered_limit=45.0), house=house)
    assert told(done, "answered_to_hold_the_line") == [(45.0, "answered_to_hold_the_line", None)]
    inside = call("201", "202", Script(unanswered_limit=1.0), house=town())
    assert not told(inside, "answered_to_hold_the_line")


@pytest.mark.feature("R16")
def test_a_line_without_channels_or_without_provider_is_passed_over() -> None:
    first = msgspec.structs.replace(HOUSE.core.trunks[0], channels=1)
    second = Trunk(id=7, title="Second", registers=False, server="127.0.0.7", may_show=(Ref(Did.kind, 1),))
    house = Snapshot(1, msgspec.structs.replace(HOUSE.core, trunks=(first, second)), HOUSE.parts)
    answers = {"+79161234567": (3.0, "answer")}
    assert call("89161234567", "201", Script(answers, in_use={1: 1}), house=house).rehearsal.end == "talked"
    full = call("89161234567", "201", Script(answers, in_use={1: 1}, down={7}), house=house).rehearsal
    assert [s.facts["cause"] for _, s in full.steps if s.what == "no"] == ["GATEWAY_DOWN"]
    down = call("89161234567", "201", Script(answers, down={1}), house=house)
    assert [s.facts["line"] for _, s in down.rehearsal.steps if s.what == "line_failed"] == ["Provider"]
    assert down.rehearsal.end == "talked"


@pytest.mark.feature("RST-1")
def test_gates_are_asked_when_they_are_given() -> None:
    asked: list[DialQuestion] = []

    def gate(question: DialQuestion) -> str | None:
        asked.append(question)
        return "no money"

    done = call("89161234567", "201", Script(gate=gate)).rehearsal
    assert [(q.number, q.user, q.trunk) for q in asked] == [("+79161234567", 201, 1)]
    assert [s.facts["why"] for _, s in done.steps if s.what == "gate_closed"] == ["no money"]
    assert call("112", "201", Script(gate=gate)).rehearsal.end == "missed"
    assert len(asked) == 1  # R17: emergency calls ask nobody


@pytest.mark.feature("R14", "R20")
def test_the_talk_may_be_held_and_transferred() -> None:
    house = town(group(2, 201, no_answer=SUPPORT), group(3, 203), rules=(rule(1, SALES),), max_hold_seconds=30)
    held = call(script=Script({"201": (1, "answer"), "203": (1, "answer")}, talk=((5, "hold"),), talk_seconds=120), house=house)
    assert told(held, "held", "hold_expired", "talk") == [
        (1.0, "talk", "201"), (6.0, "held", None), (36.0, "hold_expired", None), (37.0, "talk", "203"),
    ]  # fmt: skip
    back = Script({"201": (1, "answer")}, talk=((5, "hold"), (10, "resume")), talk_seconds=120)
    assert [s[0] for s in told(call(script=back, house=house), "talk_over")] == [121.0]
    sent = call(script=Script({"201": (1, "answer"), "202": (2, "answer")}, talk=((5, "202"),)), house=house)
    assert told(sent, "talk") == [(1.0, "talk", "201"), (8.0, "talk", "202")]


def test_phones_tell_that_they_ring_from_the_front_door() -> None:
    done = call(script=Script({"201": (4, "answer")}), house=town(group(2, 201), rules=(rule(1, SALES),)))
    assert told(done, "rings", "phone_rings", "answered") == [(0.0, "rings", "201"), (0.5, "phone_rings", "201"), (4.0, "answered", "201")]
    at_once = replace(Script({"201": (0.1, "answer")}))
    assert not told(call(script=at_once, house=town(group(2, 201), rules=(rule(1, SALES),))), "phone_rings")
