# SPDX-License-Identifier: Apache-2.0
"""CallOut rehearsed: who is known by what, what is asked, what is dialled on whose behalf, and what stands in the trace."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import pytest

from engine.calls.call import Caller
from engine.calls.causes import USER_BUSY
from engine.facts.distribution import Served
from engine.i18n import translate
from engine.plugin.testing import AT, OUTSIDER, office, sip_user, steps, try_call
from engine.rehearsal import Rehearsal, Script, read_keys
from engine.routing.action import Done, Hangup
from engine.snapshot import Contact, Ref, Snapshot, User
from engine.telling import rehearsed
from plugins.callout.actions import CALL_OUT, ToCallOut, known_by_number
from plugins.callout.facts import PinGuard, WrongPin
from plugins.callout.part import CallOutPart, CallOutPhrases
from plugins.groups.actions import ToGroup, ToUser
from plugins.groups.api import Membership
from plugins.groups.part import Group, GroupsPart
from plugins.voicefiles.part import VoiceFile, VoicefilesPart

MOBILE = "+79271234567"
NUMBER, BAD_NUMBER, PIN, BAD_PIN, REFUSED = (
    f"prompts/callout-{name}.wav" for name in ("number", "bad-number", "pin", "bad-pin", "refused")
)
FORBIDDEN = "prompts/forbidden-number.wav"
OUTSIDE = "+74951112233"


def mobile(**fields: object) -> Contact:
    return Contact(id=900, kind="phone", address=MOBILE, priority=2, **{"by_number": True, **fields})  # type: ignore[arg-type]


def anna(*more: Contact, **fields: object) -> User:
    return User(id=201, title="Anna", extension="201", contacts=(Contact(id=2010, kind="sip", address="201"), *more), **fields)  # type: ignore[arg-type]


def house(*users: User, phrases: CallOutPhrases | None = None) -> Snapshot:
    group = Group(id=2, title="Sales", parent=Ref("groups.group", 1), extension="301", members=(Membership(202),))
    return office(
        (*users, sip_user(202)),
        {
            "groups": GroupsPart(groups=(Group(id=1, title="PBX"), group)),
            "callout": CallOutPart(phrases=(phrases,) if phrases else ()),
            "voicefiles": VoicefilesPart(files=(VoiceFile(id=1, title="number", path="own-number.wav"),)),
        },
    )


def call_out(
    whole: Snapshot, script: Script, *, caller: Caller = OUTSIDER, guard: PinGuard | None = None, target: Ref = CALL_OUT
) -> Rehearsal:
    return try_call(whole, (ToCallOut(guard or PinGuard()), ToGroup(), ToUser()), target, script, caller=caller)


def typed(at: float, keys: str, every: float = 0.5) -> list[tuple[float, str]]:
    return [(at + every * n, key) for n, key in enumerate(keys)]


def played(got: Rehearsal) -> list[object]:
    return [s[2] for s in steps(got, "play")]


@pytest.mark.feature("CO-1", "CO-2", "ACT-15")
def test_a_flagged_number_is_asked_for_no_pin_and_calls_outside_at_once_after_hash() -> None:
    script = Script({OUTSIDE: (5, "answer")}, keys=typed(1, "84951112233#"), caller_leaves=60)
    got = call_out(house(anna(mobile())), script)
    assert played(got)[0] == NUMBER
    assert steps(got, "callout_by_number") == [(0.0, "callout_by_number", "Anna")]
    assert steps(got, "rings") == [(6.5, "rings", OUTSIDE)]
    assert steps(got, "talk") == [(11.5, "talk", OUTSIDE)]
    assert got.leaked == ()


@pytest.mark.feature("R23")
def test_after_the_talk_the_next_number_is_asked_for() -> None:
    script = Script({OUTSIDE: (5, "answer"), "202": (2, "answer")}, keys=[*typed(1, "84951112233#"), *typed(45, "202#")], talk_seconds=30)
    got = call_out(house(anna(mobile())), script)
    assert played(got)[:3] == [NUMBER, NUMBER, NUMBER]
    assert [s[2] for s in steps(got, "talk")] == [OUTSIDE, "202"]
    assert isinstance(got.outcome, Hangup)  # nothing was entered any more


@pytest.mark.feature("CO-2")
def test_a_busy_or_silent_number_leads_to_the_next_one() -> None:
    got = call_out(house(anna(mobile())), Script({OUTSIDE: (5, USER_BUSY)}, keys=typed(1, "84951112233#"), caller_leaves=20))
    assert played(got) == [NUMBER, NUMBER]


@pytest.mark.feature("CO-1")
def test_a_pause_ends_the_input_as_well() -> None:
    got = call_out(house(anna(mobile())), Script({"202": (1, "answer")}, keys=typed(1, "202"), caller_leaves=30))
    assert steps(got, "rings") == [(6.0, "rings", "202")]


@pytest.mark.feature("CO-1")
@pytest.mark.parametrize("keys", ["4711#", "4711"], ids=["hash", "pause"])
def test_whoever_is_not_known_enters_his_pin(keys: str) -> None:
    got = call_out(house(anna(pin="4711")), Script({"202": (1, "answer")}, keys=[*typed(1, keys), *typed(8, "202#")], caller_leaves=30))
    assert played(got) == [PIN, NUMBER]
    assert steps(got, "callout_by_pin")[0][2] == "Anna"
    assert [s[2] for s in steps(got, "talk")] == ["202"]


@pytest.mark.feature("CO-1", "R23")
def test_three_wrong_pins_end_the_call() -> None:
    keys = [*typed(1, "1111#"), *typed(8, "2222#"), *typed(16, "3333#"), *typed(24, "4711#")]
    got = call_out(house(anna(pin="4711")), Script(keys=keys))
    assert played(got) == [PIN, BAD_PIN, PIN, BAD_PIN, PIN, BAD_PIN]
    assert isinstance(got.outcome, Hangup)
    assert [f.number for f in got.facts if isinstance(f, WrongPin)] == [MOBILE] * 3


@pytest.mark.feature("CO-1")
def test_the_right_pin_may_come_second_and_silence_is_no_wrong_pin() -> None:
    keys = [*typed(17, "4711#"), *typed(21, "202#")]
    got = call_out(house(anna(pin="4711")), Script({"202": (1, "answer")}, keys=keys, caller_leaves=40))
    assert played(got) == [PIN, BAD_PIN, PIN, NUMBER]
    assert not [f for f in got.facts if isinstance(f, WrongPin)]


@pytest.mark.feature("R23")
def test_a_pin_stands_in_no_trace_and_no_fact() -> None:
    """Also one that is entered in place of a number by somebody who was known by his own."""
    for user, keys in ((anna(pin="4711"), "4711#"), (anna(mobile(), pin="4711"), "4711#"), (anna(pin="4711"), "9876#")):
        got = call_out(house(user), Script(keys=typed(1, keys), caller_leaves=30))
        told = repr(got.steps) + repr(got.facts)
        assert keys[:4] not in told
        assert not [s for _, s in got.steps if s.what == "key"]


@pytest.mark.feature("R23")
def test_authorisation_by_number() -> None:
    caller = OUTSIDER
    assert known_by_number(house(anna(mobile())), caller) == anna(mobile())
    assert known_by_number(house(anna(mobile(by_number=False))), caller) is None
    assert known_by_number(house(anna(mobile(active=False))), caller) is None
    twice = (anna(mobile()), User(id=203, title="Boris", contacts=(mobile(),)))
    assert known_by_number(house(*twice), caller) is None  # not unique
    unflagged = (anna(mobile()), User(id=203, title="Boris", contacts=(mobile(by_number=False),)))
    assert known_by_number(house(*unflagged), caller) == anna(mobile())  # unique among those flagged
    assert known_by_number(house(anna(mobile())), Caller(None, "", True, None, 1, "+74951234567")) is None
    assert known_by_number(house(anna(mobile())), Caller(MOBILE, "", False, 202, None, "301")) is None  # no outsider


@pytest.mark.feature("R23")
@pytest.mark.parametrize("how", ["number", "pin"])
def test_an_authorised_user_who_is_switched_off_is_refused(how: str) -> None:
    user = anna(mobile(), active=False) if how == "number" else anna(active=False, pin="4711")
    got = call_out(house(user), Script({"202": (1, "answer")}, keys=[*typed(1, "4711#"), *typed(10, "202#")]))
    assert played(got)[-1] == REFUSED
    assert not steps(got, "rings")
    assert isinstance(got.outcome, Hangup)


@pytest.mark.feature("CO-2", "R18")
def test_restrictions_of_the_user_hold_and_he_may_try_another_number() -> None:
    script = Script({"202": (1, "answer")}, keys=[*typed(1, "810441234567#"), *typed(16, "202#")], caller_leaves=40)
    got = call_out(house(anna(mobile(), forbidden_prefixes=("810",))), script)
    assert played(got) == [NUMBER, FORBIDDEN, NUMBER]
    assert [s[2] for s in steps(got, "rings")] == ["202"]


@pytest.mark.feature("CO-2", "CO-3")
def test_a_bad_number_is_asked_for_again_and_not_for_ever() -> None:
    got = call_out(house(anna(mobile())), Script(keys=[*typed(1, "99#"), *typed(10, "*5#")]))
    assert played(got) == [NUMBER, BAD_NUMBER] * 3
    assert isinstance(got.outcome, Hangup)


@pytest.mark.feature("CO-3")
def test_the_phrases_of_the_pbx() -> None:
    own = CallOutPhrases(id=1, enter_number=Ref("voicefiles.file", 1))
    assert played(call_out(house(anna(mobile()), phrases=own), Script(caller_leaves=5))) == ["own-number.wav"]


@pytest.mark.feature("R7", "R23")
def test_a_group_by_its_extension() -> None:
    got = call_out(house(anna(mobile())), Script({"202": (1, "answer")}, keys=typed(1, "301#"), caller_leaves=20))
    assert [s[2] for s in steps(got, "talk")] == ["202"]


@pytest.mark.feature("R1", "ACT-15")
def test_callout_is_never_missed() -> None:
    got = call_out(house(anna(mobile())), Script(caller_leaves=2))
    assert [f.how for f in got.facts if isinstance(f, Served)] == ["callout"]


@pytest.mark.feature("ACT-15")
def test_as_no_answer_action() -> None:
    group = Group(id=2, title="Out", parent=Ref("groups.group", 1), method="NONE", no_answer=CALL_OUT)
    whole = office((anna(mobile()), sip_user(202)), {"groups": GroupsPart(groups=(Group(id=1, title="PBX"), group))})
    got = call_out(whole, Script({"202": (1, "answer")}, keys=typed(1, "202#"), caller_leaves=30), target=group.ref)
    assert [s[2] for s in steps(got, "talk")] == ["202"]


BOTH = Script({OUTSIDE: (5, "answer")}, keys=[*typed(1, "1#"), *typed(7, "4711#"), *typed(12, "84951112233#")], talk_seconds=10)


def test_a_hang_up_at_every_await_leaves_nothing_ringing() -> None:
    whole = call_out(house(anna(pin="4711")), BOTH)
    assert [s[2] for s in steps(whole, "talk")] == [OUTSIDE]
    assert whole.awaits > 10
    for at in range(1, whole.awaits + 1):
        script = Script(BOTH.answers, keys=BOTH.keys, talk_seconds=10, gone_at_await=at)
        got = call_out(house(anna(pin="4711")), script)
        assert got.leaked == (), at
        assert got.outcome is None


# the memory of wrong PINs ---------------------------------------------------------------------------------------------


def wrong(guard: PinGuard, minutes: Sequence[float], number: str | None = MOBILE, account: int = 1) -> None:
    for minute in minutes:
        guard.learn(WrongPin(account=account, call=f"c{minute}", at=AT + timedelta(minutes=minute), number=number))


def blocked(guard: PinGuard, minute: float, number: str | None = MOBILE, account: int = 1) -> bool:
    return guard.blocks(account, number, AT + timedelta(minutes=minute))


@pytest.mark.feature("R23")
def test_nine_wrong_pins_within_an_hour_block_the_number_for_an_hour() -> None:
    guard = PinGuard()
    wrong(guard, range(8))
    assert not blocked(guard, 8)
    wrong(guard, range(8))  # told once more: they are the same
    assert not blocked(guard, 8)
    wrong(guard, [40])
    assert blocked(guard, 40)
    assert blocked(guard, 99)
    assert not blocked(guard, 100)
    assert not blocked(guard, 50, "+79990000000")
    assert not blocked(guard, 50, account=2)
    assert not blocked(guard, 50, None)


@pytest.mark.feature("R23")
def test_nine_wrong_pins_in_more_than_an_hour_block_nobody() -> None:
    guard = PinGuard()
    wrong(guard, [n * 8 for n in range(30)])
    assert not blocked(guard, 240)


@pytest.mark.feature("R23")
def test_a_blocked_number_is_asked_for_no_pin_but_known_numbers_are_served() -> None:
    guard = PinGuard()
    wrong(guard, [-n for n in range(9)])
    got = call_out(house(anna(pin="4711")), Script(keys=typed(1, "4711#")), guard=guard)
    assert played(got) == [REFUSED]
    assert isinstance(got.outcome, Hangup)
    known = call_out(house(anna(mobile())), Script({"202": (1, "answer")}, keys=typed(1, "202#")), guard=guard)
    assert [s[2] for s in steps(known, "talk")] == ["202"]
    assert isinstance(known.outcome, Hangup | Done)


@pytest.mark.parametrize("keys", ["1234# 201#", "1234 201", "1234#, 201"])
@pytest.mark.feature("CO-1", "CO-2")
def test_words_are_typed_as_soon_as_they_are_asked_for(keys: str) -> None:
    words, _ = read_keys(keys)
    got = call_out(house(anna(pin="1234")), Script({"201": (2, "answer")}, typed=words, caller_leaves=120))
    assert [s[1] for s in steps(got, "callout_by_pin", "callout_number", "talk")] == ["callout_by_pin", "callout_number", "talk"]
    assert got.unused_keys == ""


def test_what_nobody_waited_for_is_said() -> None:
    words, timed = read_keys("1234# 201# 9@900")
    got = call_out(house(), Script(typed=words, keys=timed))  # nobody has such a PIN, and one word is left after three attempts
    assert got.unused_keys == "9"
    told = [line.text for line in rehearsed(partial(translate, "en"), got, house(), {ToCallOut.kind: ToCallOut(PinGuard())})]
    assert told[0] == "Goes to “CallOut”"
    assert "Keys that nobody waited for: 9" in told
