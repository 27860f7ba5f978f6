# SPDX-License-Identifier: Apache-2.0
"""Groups by the manual's five methods, rehearsed: who rings when, who is told what, where the call goes then."""

from __future__ import annotations

import msgspec
import pytest

from engine.calls.causes import CALL_REJECTED, USER_BUSY
from engine.facts.distribution import DistributionFailed
from engine.plugin.testing import office, sip_user, steps, try_call
from engine.rehearsal import Script
from engine.routing.action import Done, Hangup, Missed
from engine.routing.basic import HANGUP, NOTHING, REPEAT
from engine.snapshot import Contact, Ref, Snapshot
from plugins.groups.actions import ToGroup, ToUser
from plugins.groups.api import Membership
from plugins.groups.part import Group, GroupsPart
from plugins.voicefiles.part import VoiceFile, VoicefilesPart

ACTIONS = (ToGroup(), ToUser())
ROOT = Group(id=1, title="PBX")
FILES = VoicefilesPart(files=(VoiceFile(id=1, title="hello", path="hello.wav"), VoiceFile(id=2, title="wait", path="wait.wav")))
TEAM = (sip_user(201), sip_user(202, "202", "202m"), sip_user(203))


def sales(**fields: object) -> Group:
    values: dict[str, object] = {"members": (Membership(201, 1), Membership(202, 1), Membership(203, 2)), **fields}
    return Group(id=2, title="Sales", parent=Ref("groups.group", 1), **values)  # type: ignore[arg-type]


def with_groups(*groups: Group) -> Snapshot:
    return office(TEAM, {"groups": GroupsPart(groups=(ROOT, *groups)), "voicefiles": FILES})


@pytest.mark.feature("GRP-3", "R9")
def test_sequential_rings_equal_priorities_together_then_the_next_level() -> None:
    got = try_call(with_groups(sales()), ACTIONS, Ref("groups.group", 2))
    assert [s[::2] for s in steps(got, "rings")] == [(0.0, "201"), (0.0, "202"), (0.0, "202m"), (20.0, "203")]
    assert got.outcome == Missed("no_answer")


@pytest.mark.feature("GRP-3")
def test_all_at_once_ignores_every_priority() -> None:
    got = try_call(with_groups(sales(method="ALL_AT_ONCE")), ACTIONS, Ref("groups.group", 2), Script({"203": (4, "answer")}))
    assert {s[::2] for s in steps(got, "rings")} == {(0.0, n) for n in ("201", "202", "202m", "203")}
    assert {s[2] for s in steps(got, "cancelled")} == {"201", "202", "202m"}
    assert got.outcome == Done(talked=True)
    assert not got.facts


@pytest.mark.feature("GRP-3", "R9")
def test_by_user_walks_each_users_contacts_at_his_own_pace() -> None:
    two = sip_user(202, "202", "202m")
    two = msgspec.structs.replace(two, contacts=(two.contacts[0], msgspec.structs.replace(two.contacts[1], priority=2)))
    snapshot = office((TEAM[0], two, TEAM[2]), {"groups": GroupsPart(groups=(ROOT, sales(method="BY_USER")))})
    got = try_call(snapshot, ACTIONS, Ref("groups.group", 2), Script({"202": (3, USER_BUSY), "202m": (2, CALL_REJECTED)}))
    assert [s[::2] for s in steps(got, "rings")] == [(0.0, "201"), (0.0, "202"), (0.0, "203"), (3.0, "202m")]


@pytest.mark.feature("GRP-3", "R10")
def test_random_is_a_fresh_order_each_attempt_and_rings_one_user_at_a_time() -> None:
    group = sales(method="RANDOM", attempts=4, pause_seconds=0)
    got = try_call(with_groups(group), ACTIONS, Ref("groups.group", 2), seed=3)
    rung = [s[2] for s in steps(got, "rings") if s[2] != "202m"]
    orders = [tuple(rung[i : i + 3]) for i in range(0, 12, 3)]
    assert all(sorted(o) == ["201", "202", "203"] for o in orders)
    assert len(set(orders)) > 1


@pytest.mark.feature("GRP-3", "ACT-4")
def test_no_distribution_plays_the_greeting_and_takes_the_no_answer_action_at_once() -> None:
    group = sales(method="NONE", greeting=Ref("voicefiles.file", 1), no_answer=HANGUP)
    got = try_call(with_groups(group), ACTIONS, Ref("groups.group", 2))
    assert steps(got, "play", "rings") == [(0.0, "play", "hello.wav")]
    assert isinstance(got.outcome, Hangup)


@pytest.mark.feature("GRP-6", "ACT-5", "R3")
def test_attempts_with_phrase_and_pause() -> None:
    hello, wait = Ref("voicefiles.file", 1), Ref("voicefiles.file", 2)
    group = sales(members=(Membership(201),), attempts=2, pause_seconds=7, phrase=wait, greeting=hello)
    got = try_call(with_groups(group), ACTIONS, Ref("groups.group", 2))
    # greeting 3 s, 20 s of ringing, phrase 3 s, then the pause, then once more without the greeting
    assert [s[::2] for s in steps(got, "play", "rings")] == [(0.0, "hello.wav"), (3.0, "201"), (23.0, "wait.wav"), (33.0, "201")]


@pytest.mark.feature("GRP-4", "R2", "R3")
def test_nested_groups_come_before_users_by_priority_and_a_closed_one_is_stepped_over() -> None:
    late = Group(id=3, title="B", parent=Ref("groups.group", 2), priority=2, members=(Membership(202),))
    early = Group(id=4, title="A", parent=Ref("groups.group", 2), priority=1, members=(Membership(203),))
    shut = Group(id=5, title="C", parent=Ref("groups.group", 2), priority=1, active=False, members=(Membership(201),))
    got = try_call(with_groups(sales(members=(Membership(201),)), late, early, shut), ACTIONS, Ref("groups.group", 2))
    assert [s[2] for s in steps(got, "rings")] == ["203", "202", "202m", "201"]
    failed = [f.group.id for f in got.facts if isinstance(f, DistributionFailed)]
    assert failed == [4, 3, 2]


@pytest.mark.feature("R3", "GRP-6")
@pytest.mark.parametrize("fields", [{"attempts": 2, "pause_seconds": 1}, {"no_answer": REPEAT}], ids=["second attempt", "repeat"])
def test_a_further_pass_is_without_the_greetings_of_what_is_nested(fields: dict[str, object]) -> None:
    nested = Group(id=3, title="B", parent=Ref("groups.group", 2), greeting=Ref("voicefiles.file", 1), members=(Membership(202),))
    deep = Group(id=4, title="C", parent=Ref("groups.group", 3), greeting=Ref("voicefiles.file", 1), members=(Membership(203),))
    got = try_call(with_groups(sales(**fields), nested, deep), ACTIONS, Ref("groups.group", 2))
    assert len(steps(got, "play")) == 2
    assert len([s for s in steps(got, "rings") if s[2] == "203"]) >= 2


@pytest.mark.feature("R2")
def test_a_nested_no_answer_action_does_not_come_back() -> None:
    nested = Group(id=3, title="B", parent=Ref("groups.group", 2), members=(Membership(202),), no_answer=HANGUP)
    got = try_call(with_groups(sales(), nested), ACTIONS, Ref("groups.group", 2))
    assert "201" not in [s[2] for s in steps(got, "rings")]
    assert isinstance(got.outcome, Hangup)


@pytest.mark.feature("R2", "R6", "GRP-9")
def test_a_closed_group_reached_directly_takes_its_no_answer_action_without_greeting() -> None:
    group = sales(active=False, greeting=Ref("voicefiles.file", 1), no_answer=Ref("core.user", 203))
    got = try_call(with_groups(group), ACTIONS, Ref("groups.group", 2), Script({"203": (1, "answer")}))
    assert [s[2] for s in steps(got, "play", "rings")] == ["203"]
    assert [f.why for f in got.facts if isinstance(f, DistributionFailed)] == ["inactive"]


@pytest.mark.feature("ACT-6", "R2")
def test_do_nothing_means_failed() -> None:
    got = try_call(with_groups(sales(no_answer=NOTHING)), ACTIONS, Ref("groups.group", 2))
    assert isinstance(got.outcome, Missed)


@pytest.mark.feature("ACT-5", "R11")
def test_repeat_for_ever_is_ended_by_the_hop_limit() -> None:
    got = try_call(with_groups(sales(no_answer=REPEAT)), ACTIONS, Ref("groups.group", 2))
    assert isinstance(got.outcome, Hangup)
    assert got.steps[-1][1].what == "hop_limit"


@pytest.mark.feature("R1")
def test_a_caller_who_leaves_while_phones_ring_is_missed_by_that_group() -> None:
    got = try_call(with_groups(sales()), ACTIONS, Ref("groups.group", 2), Script(caller_leaves=5))
    assert got.outcome is None
    assert [(f.group.id, f.why) for f in got.facts if isinstance(f, DistributionFailed)] == [(2, "left")]
    assert got.leaked == ()


@pytest.mark.feature("R1")
def test_a_caller_who_leaves_the_talk_is_not_missed() -> None:
    got = try_call(with_groups(sales()), ACTIONS, Ref("groups.group", 2), Script({"201": (1, "answer")}, caller_leaves=5))
    assert got.facts == ()


@pytest.mark.feature("R11")
def test_all_busy_is_busy_for_the_caller() -> None:
    busy = dict.fromkeys(("201", "202", "202m", "203"), (1.0, USER_BUSY))
    got = try_call(with_groups(sales()), ACTIONS, Ref("groups.group", 2), Script(busy))
    assert got.outcome == Missed("no_answer", USER_BUSY)


@pytest.mark.feature("R12")
def test_phones_that_cannot_ring_are_skipped_with_the_reason() -> None:
    script = Script(absent=frozenset({"201"}), busy={"203": 1})
    got = try_call(with_groups(sales()), ACTIONS, Ref("groups.group", 2), script)
    why = {s.facts["who"]: s.facts["why"] for _, s in got.steps if s.what == "skipped"}
    assert why == {"201": "not_registered", "203": "lines_busy"}


@pytest.mark.feature("USR-3")
def test_an_inactive_contact_is_not_rung() -> None:
    user = msgspec.structs.replace(TEAM[0], contacts=(Contact(id=1, kind="sip", address="201", active=False),))
    snapshot = office((user,), {"groups": GroupsPart(groups=(ROOT, sales(members=(Membership(201),))))})
    assert steps(try_call(snapshot, ACTIONS, Ref("groups.group", 2)), "rings") == []


@pytest.mark.feature("ACT-2", "R8")
def test_a_user_reached_directly_falls_to_his_first_groups_action() -> None:
    snapshot = with_groups(sales(no_answer=Ref("core.user", 203)))
    got = try_call(snapshot, ACTIONS, Ref("core.user", 201), Script({"203": (2, "answer")}))
    assert [s[2] for s in steps(got, "rings")] == ["201", "203"]


@pytest.mark.parametrize("method", ["SEQUENTIAL", "BY_USER", "ALL_AT_ONCE", "RANDOM", "NONE"])
def test_a_hang_up_at_every_await_leaves_nothing_ringing(method: str) -> None:
    group = sales(method=method, attempts=2, greeting=Ref("voicefiles.file", 1), phrase=Ref("voicefiles.file", 2))
    script = Script({"202": (2, USER_BUSY), "203": (5, "answer")})
    snapshot = with_groups(group)
    total = try_call(snapshot, ACTIONS, Ref("groups.group", 2), script).awaits
    assert total > 0
    for at in range(1, total + 1):
        got = try_call(snapshot, ACTIONS, Ref("groups.group", 2), Script(script.answers, gone_at_await=at))
        assert got.outcome is None
        assert got.leaked == (), at


@pytest.mark.feature("GRP-4", "GRP-5", "R11")
@pytest.mark.parametrize(("nested", "attempts"), [(52, 1), (6, 20)])
def test_nested_groups_that_were_tried_in_vain_are_no_hops(nested: int, attempts: int) -> None:
    closed = tuple(Group(id=10 + n, title=f"G{n}", parent=ROOT.ref, active=False) for n in range(nested))
    root = msgspec.structs.replace(ROOT, attempts=attempts, pause_seconds=0, members=(Membership(201),), no_answer=Ref("core.user", 203))
    house = office(TEAM, {"groups": GroupsPart(groups=(root, *closed))})
    got = try_call(house, ACTIONS, root.ref, Script({"203": (1, "answer")}))
    assert got.outcome == Done(talked=True)
    assert len(steps(got, "closed")) == nested * attempts


@pytest.mark.feature("R11")
def test_groups_that_send_the_call_to_each_other_end_it() -> None:
    one = Group(id=2, title="One", parent=ROOT.ref, method="NONE", no_answer=Ref("groups.group", 3))
    other = Group(id=3, title="Other", parent=ROOT.ref, method="NONE", no_answer=one.ref)
    got = try_call(with_groups(one, other), ACTIONS, one.ref)
    assert got.outcome == Hangup("NORMAL_TEMPORARY_FAILURE")
    assert len(steps(got, "enters")) == 50
    assert len(steps(got, "hop_limit")) == 1


@pytest.mark.feature("R11")
def test_attempts_within_attempts_come_to_an_end() -> None:
    """Twenty attempts of twenty attempts … of nobody: 4.8 million entries at no time passed."""
    deep = tuple(
        Group(id=n, title=f"Deep {n}", parent=Ref("groups.group", n - 1), attempts=20, pause_seconds=0) for n in range(2, 5)
    )
    leaves = tuple(Group(id=10 + n, title=f"Leaf {n}", parent=deep[-1].ref) for n in range(30))
    root = msgspec.structs.replace(ROOT, attempts=20, pause_seconds=0)
    got = try_call(office(TEAM, {"groups": GroupsPart(groups=(root, *deep, *leaves))}), ACTIONS, root.ref)
    assert got.outcome == Hangup("NORMAL_TEMPORARY_FAILURE")
    assert len(steps(got, "enters")) == 2_000
