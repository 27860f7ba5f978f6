# SPDX-License-Identifier: Apache-2.0
"""What a conversation inherits from the way the call came: recording, shown number, whose failure it is when nobody talks."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from engine.calls.call import Call, Callee, Caller, Held, Leg, TransferAsked
from engine.calls.causes import USER_BUSY
from engine.calls.trunks import to_number
from engine.facts.distribution import DistributionFailed
from engine.plugin.testing import AT, OUTSIDER, office, sip_user, steps, try_call
from engine.rehearsal import Rehearsal, Script
from engine.rehearsal.rehearsed import RehearsedCall
from engine.routing.action import Done, Entry, GoTo, Hangup, Missed, Nesting, Outcome
from engine.routing.basic import HANGUP
from engine.routing.outbound import dial_number
from engine.routing.router import Router
from engine.snapshot import Condition, Contact, Did, Part, Ref, Snapshot, Verdict
from plugins.groups.actions import ToGroup, ToUser
from plugins.groups.api import Membership
from plugins.groups.part import Group, GroupsPart
from plugins.ivr.actions import ToMenu
from plugins.ivr.part import IvrPart, Menu

ACTIONS = (ToGroup(), ToUser())
ROOT = Ref("groups.group", 1)
SALES = Ref("groups.group", 2)
INSIDE = Caller("201", "", False, 201, None, "202")


class Never(Condition, frozen=True, kw_only=True):
    kind = "test.never"

    def verdict(self, moment: object, caller: str | None, whole: Snapshot) -> Verdict:
        return Verdict(False)


class Conditions(Part, frozen=True, kw_only=True):
    conditions: tuple[Never, ...] = (Never(id=1, title="Never"),)


def group(number: int, *members: int, **fields: object) -> Group:
    values: dict[str, object] = {"parent": ROOT, **fields}
    return Group(id=number, title=f"Group {number}", members=tuple(Membership(m) for m in members), **values)  # type: ignore[arg-type]


def house(*groups: Group, **of_201: object) -> Snapshot:
    users = (sip_user(201, **of_201), sip_user(202))
    return office(users, {"groups": GroupsPart(groups=groups), "conditions": Conditions()})


def recorded(run: Rehearsal) -> bool:
    return bool(steps(run, "record"))


@pytest.mark.feature("R13")
@pytest.mark.parametrize("fields", [{"active": False}, {"schedule": Ref("test.never", 1)}, {}], ids=["inactive", "closed", "nobody there"])
def test_a_group_that_was_only_tried_does_not_record(fields: dict[str, object]) -> None:
    snapshot = house(group(1, 202, parent=None), group(2, recording=True, **fields))
    got = try_call(snapshot, ACTIONS, ROOT, Script({"202": (2, "answer")}))
    assert got.outcome == Done(talked=True)
    assert not recorded(got)


@pytest.mark.feature("R13")
def test_every_group_on_the_way_records() -> None:
    snapshot = house(group(1, parent=None, recording=True), group(2, 202))
    got = try_call(snapshot, ACTIONS, ROOT, Script({"202": (2, "answer")}))
    assert recorded(got)


@pytest.mark.feature("R13")
def test_the_callers_own_flag_records_calls_inside() -> None:
    snapshot = house(group(1, parent=None), recording=True)
    target = Ref("core.user", 202)
    assert recorded(try_call(snapshot, ACTIONS, target, Script({"202": (2, "answer")}), caller=INSIDE))
    assert not recorded(try_call(snapshot, ACTIONS, target, Script({"202": (2, "answer")})))


async def dialled(snapshot: Snapshot, number: str, **wish: object) -> tuple[RehearsedCall, list[Callee]]:
    """An employee's outside call, answered after two seconds, and whom the switch was asked to call."""
    asked: list[Callee] = []

    class Watched(RehearsedCall):
        def dial(self, callee: Callee, *, caller_id: str | None = None):  # type: ignore[no-untyped-def]
            asked.append(callee)
            return super().dial(callee, caller_id=caller_id)

    call = Watched(snapshot, INSIDE, Script({number: (2, "answer")}), AT)
    await dial_number(call, GoTo(number, 201, **wish), Router({}, dial_number))  # type: ignore[arg-type]
    return call, asked


@pytest.mark.feature("R13", "R15", "GRP-2", "BIL-10")
async def test_outgoing_calls_belong_to_the_employees_own_group() -> None:
    second = Did(id=2, title="Sales", number="+74950000002", trunk=Ref("core.trunk", 1), connected=2)
    snapshot = house(group(1, parent=None), group(2, 201, recording=True, outbound=second.ref))
    core = msgspec.structs.replace(snapshot.core, dids=(*snapshot.core.dids, second))
    snapshot = Snapshot(1, core, snapshot.parts)
    call, asked = await dialled(snapshot, "+79261112233", reason="outgoing")
    assert [(c.group, c.reason) for c in asked] == [(SALES, "outgoing")]
    assert [s.what for _, s in call.steps if s.what == "record"] == ["record"]
    assert to_number(snapshot, asked[0], INSIDE, "", lambda trunk: 0, None).caller_number == "74950000002"


@pytest.mark.feature("R19")
def test_a_client_who_is_called_back_is_not_shown_his_own_number() -> None:
    snapshot = house(group(1, parent=None))
    trunk = msgspec.structs.replace(snapshot.core.trunks[0], passes_foreign=True)
    snapshot = Snapshot(1, msgspec.structs.replace(snapshot.core, trunks=(trunk,)), snapshot.parts)
    client, number = OUTSIDER.number or "", "74951234567"
    assert to_number(snapshot, Callee(client, number=client), OUTSIDER, f"+{number}", lambda t: 0, None).caller_number == number
    other = Callee("+79261112233", number="+79261112233")
    assert to_number(snapshot, other, OUTSIDER, f"+{number}", lambda t: 0, None).caller_number == client.removeprefix("+")


@pytest.mark.feature("R2", "R1")
@pytest.mark.parametrize(("fields", "why"), [({"active": False}, "inactive"), ({"schedule": Ref("test.never", 1)}, "closed")])
def test_a_user_outside_his_hours_is_closed_not_unanswered(fields: dict[str, object], why: str) -> None:
    got = try_call(house(group(1, parent=None), group(2, 201), **fields), ACTIONS, Ref("core.user", 201))
    assert [f.why for f in got.facts if isinstance(f, DistributionFailed)] == [why]


@pytest.mark.feature("R3")
def test_a_group_that_rings_nobody_says_so() -> None:
    got = try_call(house(group(1, parent=None), group(2, 201, method="NONE")), ACTIONS, SALES)
    assert [f.why for f in got.facts if isinstance(f, DistributionFailed)] == ["empty"]


@pytest.mark.feature("R8")
def test_a_group_that_falls_back_on_a_user_rings_him_once() -> None:
    got = try_call(house(group(1, parent=None), group(2, 202, no_answer=Ref("core.user", 201))), ACTIONS, SALES)
    assert [s[2] for s in steps(got, "rings")] == ["202", "201"]
    assert got.outcome == Missed("no_answer")


@pytest.mark.feature("R8", "R14")
def test_a_nested_group_that_failed_is_not_where_the_call_came_through() -> None:
    there = group(1, parent=None, no_answer=Ref("core.user", 201))
    nested = group(2, 202)
    got = try_call(house(there, nested), ACTIONS, ROOT, Script({"202": (1, USER_BUSY), "201": (1, USER_BUSY)}))
    assert [f.group for f in got.facts if isinstance(f, DistributionFailed)] == [SALES, ROOT, ROOT]
    assert Entry(SALES, "nested") not in got.trail


@pytest.mark.feature("R14")
def test_a_caller_held_too_long_in_a_menu_goes_to_the_no_answer_action_of_its_group() -> None:
    users = (sip_user(201), sip_user(202))
    menu = Menu(id=1, title="Menu", parent=ROOT, timeout_seconds=1, members=(Membership(202),))
    groups = GroupsPart(groups=(group(1, 201, parent=None, no_answer=HANGUP),))
    snapshot = office(users, {"groups": groups, "ivr": IvrPart(menus=(menu,))}, max_hold_seconds=10)
    holder = Leg("b1", "202", 202, users[1].contacts[0].id)
    got = try_call(snapshot, (*ACTIONS, ToMenu()), ROOT, Script({"202": (2, "answer")}, inject=[(5, Held(holder, True))]))
    assert [s[0] for s in steps(got, "hold_expired")] == [15.0]
    assert [s[2] for s in steps(got, "rings")] == ["202"]
    assert isinstance(got.outcome, Hangup)
    assert not [f for f in got.facts if isinstance(f, DistributionFailed)]


def held(leg: str, number: int, contact: int) -> Held:
    return Held(Leg(leg, str(number), number, contact), True)


@pytest.mark.feature("R14")
def test_a_caller_held_too_long_by_a_user_he_was_sent_to_goes_by_that_users_group() -> None:
    groups = GroupsPart(groups=(group(1, parent=None), group(2, 201, no_answer=Ref("core.user", 202))))
    snapshot = office((sip_user(201), sip_user(202)), {"groups": groups}, max_hold_seconds=10)
    script = Script({"201": (1, "answer"), "202": (1, "answer")}, inject=[(5, held("b1", 201, 2010))])
    got = try_call(snapshot, ACTIONS, Ref("core.user", 201), script)
    assert [s[::2] for s in steps(got, "rings")] == [(0.0, "201"), (15.0, "202")]
    assert got.outcome == Done(talked=True)


@pytest.mark.feature("R14")
@pytest.mark.parametrize("takes", [True, False])
def test_without_a_no_answer_action_the_holder_is_rung_once_more(takes: bool) -> None:
    groups = GroupsPart(groups=(group(1, 201, parent=None),))
    snapshot = office((sip_user(201),), {"groups": groups}, max_hold_seconds=10)
    script = Script({"201": [(1, "answer")] * (2 if takes else 1)}, inject=[(5, held("b1", 201, 2010))])
    got = try_call(snapshot, ACTIONS, ROOT, script)
    assert [s[::2] for s in steps(got, "rings")] == [(0.0, "201"), (15.0, "201")]
    assert got.outcome == Done(talked=True)


@pytest.mark.feature("R20")
@pytest.mark.parametrize(("no_answer", "after"), [(HANGUP, ["201", "202", "201"]), (Ref("core.user", 203), ["201", "202", "201", "203"])])
def test_a_transfer_that_nobody_takes_comes_back(no_answer: Ref, after: list[str]) -> None:
    groups = GroupsPart(groups=(group(1, 201, parent=None, no_answer=no_answer),))
    snapshot = office((sip_user(201), sip_user(202), sip_user(203)), {"groups": groups})
    asked = TransferAsked(Leg("b1", "201", 201, 2010), "202")
    got = try_call(snapshot, ACTIONS, ROOT, Script({"201": [(1, "answer")]}, inject=[(5, asked)]))
    assert [s[2] for s in steps(got, "rings")] == after
    assert [s[::2] for s in steps(got, "transfer_returns")] == [(25.0, "201")]
    assert not [f for f in got.facts if isinstance(f, DistributionFailed) and f.why != "no_answer"]


@pytest.mark.feature("R20")
@pytest.mark.parametrize("number", ["202", "89271112233"], ids=["extension", "outside"])
def test_a_transfer_is_tried_for_twenty_seconds(number: str) -> None:
    """However long the phones of whoever it goes to ring otherwise."""
    other = sip_user(202)
    replace = msgspec.structs.replace
    patient = [replace(other.contacts[0], id=id, priority=level, timeout_seconds=90) for level, id in ((1, 2020), (2, 2021))]
    groups = GroupsPart(groups=(group(1, 201, parent=None),))
    snapshot = office((sip_user(201), replace(other, contacts=tuple(patient))), {"groups": groups})
    asked = TransferAsked(Leg("b1", "201", 201, 2010), number)
    got = try_call(snapshot, ACTIONS, ROOT, Script({"201": [(1, "answer")]}, inject=[(5, asked)]))
    assert [s[::2] for s in steps(got, "transfer_returns")] == [(25.0, "201")]


@pytest.mark.feature("R20", "R18")
@pytest.mark.parametrize("number", ["8105551234567", "99"], ids=["forbidden", "no number"])
def test_a_caller_transferred_to_where_nobody_may_call_goes_back(number: str) -> None:
    groups = GroupsPart(groups=(group(1, 201, parent=None),))
    snapshot = office((sip_user(201, forbidden_prefixes=("810",)),), {"groups": groups})
    script = Script({"201": [(1, "answer"), (1, "answer")]}, inject=[(5, TransferAsked(Leg("b1", "201", 201, 2010), number))])
    got = try_call(snapshot, ACTIONS, ROOT, script)
    assert [s[2] for s in steps(got, "rings")] == ["201", "201"]
    assert not steps(got, "play")
    assert got.outcome == Done(talked=True)


def test_a_rehearsal_that_goes_round_is_a_dead_end() -> None:
    class Round(ToUser):
        async def run(self, call: Call, entry: Entry, router: Nesting) -> Outcome:
            while True:
                await call.next(call.now + timedelta(seconds=1))

    class Waits(ToUser):
        async def run(self, call: Call, entry: Entry, router: Nesting) -> Outcome:
            await call.next()
            return Done()

    for action in (Round(), Waits()):
        got = try_call(house(group(1, parent=None)), (action,), Ref("core.user", 201))
        assert got.dead_end
        assert got.outcome is None


@pytest.mark.feature("R3")
def test_the_phone_a_call_comes_from_is_not_rung_in_a_rehearsal_either() -> None:
    mobile = Contact(id=9, kind="phone", address=OUTSIDER.number or "")
    user = msgspec.structs.replace(sip_user(201), contacts=(mobile,))
    snapshot = office((user,), {"groups": GroupsPart(groups=(group(1, 201, parent=None),))})
    got = try_call(snapshot, ACTIONS, ROOT)
    assert [s.facts["why"] for _, s in got.steps if s.what == "skipped"] == ["already_in_call"]
