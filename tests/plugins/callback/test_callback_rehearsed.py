# SPDX-License-Identifier: Apache-2.0
"""CallBack rehearsed: the wish for it, and attempts of both types with a hang-up at every await."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from engine.calls.call import Caller
from engine.calls.causes import CALL_REJECTED, NO_ANSWER, NORMAL_CLEARING, USER_BUSY
from engine.facts.distribution import DistributionFailed
from engine.plugin.testing import office, sip_user, steps, try_call, try_order
from engine.rehearsal import Rehearsal, Script
from engine.routing.action import Done, Hangup, Missed
from engine.snapshot import Contact, Ref, Snapshot, User
from plugins.callback.actions import GroupCallBack, UserCallBack
from plugins.callback.attempt import CallBackAttempt
from plugins.callback.facts import CallBackRequested
from plugins.callback.part import CallBackPart, CallBackSettings, First
from plugins.callout.actions import CALL_OUT, ToCallOut
from plugins.callout.facts import PinGuard
from plugins.groups.actions import ToGroup, ToUser
from plugins.groups.api import Membership
from plugins.groups.part import Group, GroupsPart
from plugins.ivr.actions import ToMenu
from plugins.ivr.part import IvrPart, Menu, MenuKey
from plugins.voicefiles.part import VoiceFile, VoicefilesPart

CLIENT = "+79271234567"
DID = "+74951234567"
SALES, TO_SALES, TO_ANNA = Ref("groups.group", 2), Ref("callback.group", 2), Ref("callback.user", 201)
HELLO, FINAL = VoiceFile(id=1, title="hello", path="hello.wav"), VoiceFile(id=2, title="bye", path="bye.wav")
CONNECTING = "prompts/callback-employee.wav"
ACCEPTED, REFUSED = "prompts/callback-accepted.wav", "prompts/callback-refused.wav"


def sales(**fields: Any) -> Group:
    values = {"members": (Membership(201, 1), Membership(202, 2)), **fields}
    return Group(id=2, title="Sales", parent=Ref("groups.group", 1), **values)


def house(*groups: Group, settings: CallBackSettings | None = None, users: tuple[User, ...] = (), **parts: Any) -> Snapshot:
    return office(
        users or (sip_user(201), sip_user(202), sip_user(203)),
        {
            "groups": GroupsPart(groups=(Group(id=1, title="PBX"), *(groups or (sales(),)))),
            "callback": CallBackPart(settings=(settings,) if settings else ()),
            "voicefiles": VoicefilesPart(files=(HELLO, FINAL)),
            **parts,
        },
    )


ACTIONS = (ToGroup(), ToUser(), ToMenu(), UserCallBack(), GroupCallBack(), ToCallOut(PinGuard()))


def attempt(whole: Snapshot, first: First, script: Script | None = None, target: Ref = SALES) -> Rehearsal:
    wish = {"task": 1, "number": CLIENT, "target": str(target), "first": first, "did": DID}
    return try_order(whole, ACTIONS, CallBackAttempt(), wish, script)


def rung(got: Rehearsal) -> list[tuple[float, object]]:
    return [(s[0], s[2]) for s in steps(got, "rings")]


def wishes(got: Rehearsal) -> list[CallBackRequested]:
    return [f for f in got.facts if isinstance(f, CallBackRequested)]


# the wish -------------------------------------------------------------------------------------------------------------


@pytest.mark.feature("ACT-13", "CB-2")
def test_an_unanswered_caller_is_released_as_busy() -> None:
    got = try_call(house(), ACTIONS, TO_ANNA)
    assert got.outcome == Hangup(USER_BUSY)
    assert not steps(got, "answer", "play")
    (wish,) = wishes(got)
    assert (wish.number, wish.did, wish.target) == (CLIENT, DID, Ref("core.user", 201))
    assert (wish.first, wish.attempts, wish.pause_seconds, wish.delay_seconds) == ("employee", 3, 300, 10)


@pytest.mark.feature("ACT-14", "CB-1", "CB-2")
def test_an_answered_caller_hears_that_he_will_be_called_back() -> None:
    own = CallBackSettings(id=1, parent=SALES, first="client", attempts=5, pause_seconds=60, delay_seconds=0)
    menu = Menu(id=5, title="Menu", parent=Ref("groups.group", 1), file=HELLO.ref, keys=(MenuKey("1", TO_SALES),))
    whole = house(settings=own, ivr=IvrPart(menus=(menu,)))
    got = try_call(whole, ACTIONS, menu.ref, Script(keys=[(1, "1")]))
    assert [s[2] for s in steps(got, "play")] == ["hello.wav", ACCEPTED]
    assert got.outcome == Hangup(NORMAL_CLEARING)
    (wish,) = wishes(got)
    assert (wish.target, wish.first, wish.attempts, wish.pause_seconds, wish.delay_seconds) == (SALES, "client", 5, 60, 0)


@pytest.mark.feature("ACT-14")
def test_as_no_answer_action_of_a_group() -> None:
    got = try_call(house(sales(no_answer=TO_SALES)), ACTIONS, SALES)
    assert got.outcome == Hangup(USER_BUSY)
    assert len(wishes(got)) == 1


@pytest.mark.feature("R24")
@pytest.mark.parametrize(
    "caller",
    [
        Caller(None, "", True, None, 1, DID),
        Caller("12", "", True, None, 1, DID),
        Caller(DID, "", True, None, 1, DID),
        Caller("203", "", False, 203, None, "301"),
    ],
    ids=["withheld", "no number", "our own", "from inside"],
)
def test_a_number_that_cant_be_called_is_refused_with_a_phrase(caller: Caller) -> None:
    got = try_call(house(), ACTIONS, TO_SALES, caller=caller)
    assert [s[2] for s in steps(got, "play")] == [REFUSED]
    assert isinstance(got.outcome, Hangup)
    assert not wishes(got)


@pytest.mark.feature("R18", "R24")
def test_a_client_whose_number_is_forbidden_is_refused_and_not_called_either() -> None:
    whole = house()
    account = msgspec.structs.replace(whole.account, client_prefixes=("8927",))
    forbidding = Snapshot(1, msgspec.structs.replace(whole.core, account=account), whole.parts)
    got = try_call(forbidding, ACTIONS, TO_SALES)
    assert [s[2] for s in steps(got, "play")] == [REFUSED]
    assert not wishes(got)
    first: First
    for first in ("client", "employee"):
        got = attempt(forbidding, first, Script({"201": (4, "answer"), CLIENT: (6, "answer")}))
        assert not rung(got)
        assert got.outcome == Missed("forbidden", CALL_REJECTED)


def test_nobody_who_is_gone_or_switched_off_calls_back() -> None:
    assert try_call(house(), ACTIONS, Ref("callback.user", 999)).outcome == Missed("gone")
    assert try_call(house(sales(active=False)), ACTIONS, TO_SALES).outcome == Missed("inactive")


@pytest.mark.feature("CB-2")
def test_a_hang_up_at_every_await_of_the_wish_loses_no_wish() -> None:
    menu = Menu(id=5, title="Menu", parent=Ref("groups.group", 1), keys=(MenuKey("1", TO_SALES),))
    whole = house(ivr=IvrPart(menus=(menu,)))
    awaits = try_call(whole, ACTIONS, menu.ref, Script(keys=[(1, "1")])).awaits
    for at in range(1, awaits + 1):
        got = try_call(whole, ACTIONS, menu.ref, Script(keys=[(1, "1")], gone_at_await=at))
        assert len(wishes(got)) == (1 if at > 1 else 0)  # the first await is that for the key


# the client first -----------------------------------------------------------------------------------------------------


@pytest.mark.feature("CB-3")
def test_client_first_enters_the_group_like_a_call_from_outside() -> None:
    whole = house(sales(greeting=HELLO.ref))
    got = attempt(whole, "client", Script({CLIENT: (5, "answer"), "202": (4, "answer")}))
    assert rung(got) == [(0.0, CLIENT), (8.0, "201"), (28.0, "202")]  # greeting 3 s, then by the method
    assert [s[2] for s in steps(got, "play")] == ["hello.wav"]
    assert got.outcome == Done(talked=True)


@pytest.mark.feature("CB-3", "R24")
def test_client_first_rings_nobody_else_when_the_client_does_not_answer() -> None:
    got = attempt(house(), "client", Script({CLIENT: (5, USER_BUSY)}))
    assert rung(got) == [(0.0, CLIENT)]
    assert got.outcome == Missed("no_answer")
    assert got.leaked == ()


@pytest.mark.feature("CB-3")
def test_client_first_with_a_menu_is_telemarketing() -> None:
    menu = Menu(id=5, title="Offer", parent=SALES, file=HELLO.ref, keys=(MenuKey("1", Ref("core.user", 203)),))
    whole = house(ivr=IvrPart(menus=(menu,)))
    got = attempt(whole, "client", Script({CLIENT: (5, "answer"), "203": (2, "answer")}, keys=[(7, "1")]))
    assert rung(got) == [(0.0, CLIENT), (7.0, "203")]


@pytest.mark.feature("CB-3", "CO-2")
def test_client_first_without_ringing_and_with_callout_calls_out_through_the_pbx() -> None:
    mobile = Contact(id=900, kind="phone", address=CLIENT, by_number=True)
    anna = User(id=201, title="Anna", contacts=(mobile,))
    whole = house(sales(method="NONE", no_answer=CALL_OUT, members=()), users=(anna, sip_user(202)))
    keys = [(7 + n / 2, key) for n, key in enumerate("84951112233#")]
    got = attempt(whole, "client", Script({CLIENT: (5, "answer"), "+74951112233": (3, "answer")}, keys=keys, caller_leaves=60))
    assert [s[2] for s in steps(got, "callout_by_number")] == ["Anna"]
    assert [s[2] for s in steps(got, "talk")] == ["+74951112233"]


@pytest.mark.feature("CB-3", "R1")
def test_client_first_who_reaches_nobody_is_missed_by_the_group() -> None:
    got = attempt(house(), "client", Script({CLIENT: (5, "answer")}))
    assert got.outcome == Missed("no_answer")
    assert [f.group for f in got.facts if isinstance(f, DistributionFailed)] == [SALES]


@pytest.mark.feature("CB-3")
def test_client_first_to_a_user() -> None:
    got = attempt(house(), "client", Script({CLIENT: (5, "answer"), "201": (4, "answer")}), Ref("core.user", 201))
    assert rung(got) == [(0.0, CLIENT), (5.0, "201")]
    assert got.outcome == Done(talked=True)


# the employee first ---------------------------------------------------------------------------------------------------


@pytest.mark.feature("CB-3")
def test_employee_first_by_the_groups_method_without_greeting_then_the_client() -> None:
    whole = house(sales(greeting=HELLO.ref))
    got = attempt(whole, "employee", Script({"202": (4, "answer"), CLIENT: (6, "answer")}))
    assert rung(got) == [(0.0, "201"), (20.0, "202"), (28.1, CLIENT)]
    assert [s[2] for s in steps(got, "play")] == [CONNECTING]
    assert steps(got, "talk") == [(34.1, "talk", "202")]  # the client is served, and talks with the employee
    assert got.outcome == Done(talked=True)
    assert got.leaked == ()


@pytest.mark.feature("CB-3")
def test_employee_first_goes_through_nested_groups_and_steps_over_menus_and_closed_ones() -> None:
    menu = Menu(id=5, title="Menu", parent=SALES, file=HELLO.ref, priority=1)
    late = Group(id=3, title="B", parent=SALES, priority=3, members=(Membership(203),), greeting=HELLO.ref)
    silent = Group(id=4, title="C", parent=SALES, priority=2, method="NONE", members=(Membership(202),))
    shut = Group(id=6, title="D", parent=SALES, priority=2, active=False, members=(Membership(202),))
    whole = house(sales(members=(Membership(201),)), late, silent, shut, ivr=IvrPart(menus=(menu,)))
    got = attempt(whole, "employee", Script({"201": (4, "answer"), CLIENT: (6, "answer")}))
    assert rung(got) == [(0.0, "203"), (20.0, "201"), (28.1, CLIENT)]


@pytest.mark.feature("R24")
def test_employee_first_fails_without_ringing_the_client_when_no_employee_answers() -> None:
    got = attempt(house(), "employee", Script({"201": (2, USER_BUSY)}))
    assert rung(got) == [(0.0, "201"), (2.0, "202")]
    assert got.outcome == Missed("no_answer")
    assert not [f for f in got.facts if isinstance(f, DistributionFailed)]  # nobody has called: nothing was missed


@pytest.mark.feature("R24")
def test_employee_first_lets_the_employee_go_when_the_client_does_not_answer() -> None:
    got = attempt(house(), "employee", Script({"201": (2, "answer"), CLIENT: (9, NO_ANSWER)}))
    assert got.outcome == Missed("no_answer")
    assert got.leaked == ()


def test_employee_first_of_a_user_who_is_switched_off() -> None:
    whole = house(users=(sip_user(201, active=False), sip_user(202)))
    assert attempt(whole, "employee", target=Ref("core.user", 201)).outcome == Missed("no_answer")


@pytest.mark.feature("R18")
def test_restrictions_of_the_employee_do_not_hold_for_the_client() -> None:
    whole = house(users=(sip_user(201, forbidden_prefixes=("8927",)), sip_user(202)))
    got = attempt(whole, "employee", Script({"201": (2, "answer"), CLIENT: (3, "answer")}), Ref("core.user", 201))
    assert got.outcome == Done(talked=True)


# both -----------------------------------------------------------------------------------------------------------------


@pytest.mark.feature("CB-1")
@pytest.mark.parametrize("first", ["client", "employee"])
def test_the_final_phrase_when_the_employee_has_hung_up(first: First) -> None:
    whole = house(settings=CallBackSettings(id=1, parent=SALES, first=first, phrase=FINAL.ref))
    got = attempt(whole, first, Script({"201": (2, "answer"), CLIENT: (3, "answer")}, talk_seconds=20))
    assert steps(got, "play")[-1][1:] == ("play", "bye.wav")
    assert steps(got, "talk_over")[0][2] == "201"


def test_no_final_phrase_without_a_talk() -> None:
    whole = house(settings=CallBackSettings(id=1, parent=SALES, first="client", phrase=FINAL.ref))
    assert "bye.wav" not in [s[2] for s in steps(attempt(whole, "client", Script({CLIENT: (3, "answer")})), "play")]


@pytest.mark.parametrize("first", ["client", "employee"])
def test_whoever_was_deleted_calls_nobody(first: First) -> None:
    got = attempt(house(), first, target=Ref("groups.group", 99))
    assert got.outcome == Missed("gone")
    assert not rung(got)


@pytest.mark.parametrize("first", ["client", "employee"])
@pytest.mark.parametrize("make", [sales, lambda: sales(method="ALL_AT_ONCE"), lambda: sales(method="RANDOM", attempts=2)])
def test_a_hang_up_at_every_await_of_an_attempt_leaves_nothing_ringing(first: First, make: Callable[[], Group]) -> None:
    whole = house(make(), settings=CallBackSettings(id=1, parent=SALES, first=first, phrase=FINAL.ref))
    answers = {"202": (4, "answer"), CLIENT: (6, "answer")}
    complete = attempt(whole, first, Script(answers))
    assert complete.outcome == Done(talked=True)
    for at in range(1, complete.awaits + 1):
        got = attempt(whole, first, Script(answers, gone_at_await=at))
        assert got.leaked == (), at
        assert got.outcome is None
