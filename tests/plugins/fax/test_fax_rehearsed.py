# SPDX-License-Identifier: Apache-2.0
"""Calls at fax machines, rehearsed: what is kept of a fax, what a call without one leads to, who gets there."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from engine.calls.cdr import failed_groups, is_served, why_missed
from engine.plugin.testing import AT, OUTSIDER, office, sip_user, steps, try_call
from engine.rehearsal import Rehearsal, RehearsedCall, Script
from engine.routing.action import Done, Entry, Missed
from engine.routing.outbound import dial_number
from engine.routing.router import Router
from engine.snapshot import Ref, Snapshot
from plugins.codes.part import FeatureCodesPart
from plugins.fax.actions import LONGEST, ToGroupFax, ToUserFax
from plugins.fax.facts import FaxDropped, FaxReceived
from plugins.fax.part import GROUP_FAX, USER_FAX, FaxPart, Machine
from plugins.groups.actions import ToGroup, ToUser
from plugins.groups.api import Membership
from plugins.groups.part import Group, GroupsPart
from plugins.ivr.actions import ToMenu
from plugins.ivr.part import IvrPart, Menu, MenuKey
from plugins.voicefiles.actions import PlayPhrase
from plugins.voicefiles.part import PHRASE, VoiceFile, VoicefilesPart

ACTIONS = (ToGroup(), ToUser(), ToMenu(), PlayPhrase(), ToUserFax(), ToGroupFax())
ROOT, SALES, BORIS = Ref("groups.group", 1), Ref("groups.group", 2), Ref("core.user", 201)
OF_BORIS, OF_ROOT, OF_SALES, SORRY = Ref(USER_FAX, 201), Ref(GROUP_FAX, 1), Ref(GROUP_FAX, 2), Ref(PHRASE, 1)


def house(*machines: Machine, no_answer: Ref | None = None) -> Snapshot:
    root = Group(id=1, title="PBX")
    sales = Group(id=2, title="Sales", parent=ROOT, members=(Membership(201),), no_answer=no_answer)
    parts = {
        "groups": GroupsPart(groups=(root, sales)), "fax": FaxPart(machines=machines),
        "voicefiles": VoicefilesPart(files=(VoiceFile(id=1, title="sorry", path="sorry.wav", seconds=2.0),)),
        "ivr": IvrPart(menus=(Menu(id=1, title="Menu", parent=ROOT, keys=(MenuKey("1", OF_BORIS),)),)),
    }  # fmt: skip
    return office((sip_user(201), sip_user(202)), parts)


def came(got: Rehearsal) -> list[tuple[Ref, int, bool]]:
    return [(f.owner, f.pages, f.complete) for f in got.facts if isinstance(f, FaxReceived)]


@pytest.mark.feature("VM-2", "ACT-9", "R1")
def test_a_fax_is_received_and_the_call_is_not_missed() -> None:
    got = try_call(house(), ACTIONS, OF_BORIS, Script(fax_pages=2))
    assert steps(got, "enters", "fax_machine", "answer") == [
        (0.0, "enters", "User 201"), (0.0, "fax_machine", "User 201"), (0.0, "answer", None),
    ]  # fmt: skip
    assert [(at, s.what) for at, s in got.steps if s.what in ("fax", "fax_over", "fax_received")] == [
        (0.0, "fax"), (60.0, "fax_over"), (60.0, "fax_received"),
    ]  # fmt: skip
    assert came(got) == [(BORIS, 2, True)]
    assert got.outcome == Done()
    assert is_served(got.facts)


@pytest.mark.feature("VM-2", "ACT-10", "R1")
@pytest.mark.parametrize(("leaves", "kept"), [(45.0, [(SALES, 1, False)]), (20.0, [])])
def test_what_came_before_the_sender_hung_up_is_kept(leaves: float, kept: list[tuple[Ref, int, bool]]) -> None:
    got = try_call(house(no_answer=SORRY), ACTIONS, OF_SALES, Script(fax_pages=3, caller_leaves=leaves))
    assert came(got) == kept
    assert is_served(got.facts) is bool(kept)
    assert steps(got, "play") == []
    assert [f.path for f in got.facts if isinstance(f, FaxDropped)] == ([] if kept else ["fax/1/2026/01/rehearsal.tif"])
    if not kept:
        assert failed_groups(got.facts) == ()
        assert why_missed(got.facts, "left") == "left"


@pytest.mark.feature("ACT-10", "GRP-8", "R1")
@pytest.mark.parametrize("script", [Script(takes_faxes=False), Script(fax_pages=0)], ids=["embedded switch", "no machine"])
def test_without_a_fax_the_no_answer_action_follows(script: Script) -> None:
    for target in (OF_SALES, OF_BORIS):  # of a user: that of his first group
        got = try_call(house(no_answer=SORRY), ACTIONS, target, script)
        assert [what for _, what, _ in steps(got, "fax_impossible", "fax_empty", "play")] == [
            "fax_empty" if script.takes_faxes else "fax_impossible", "play",
        ]  # fmt: skip
        assert failed_groups(got.facts) == (SALES,)
        assert came(got) == []
        assert not is_served(got.facts)
    assert try_call(house(), ACTIONS, OF_SALES, script).outcome == Missed("no_fax")


@pytest.mark.feature("ACT-10", "GRP-8", "R11")
def test_as_a_no_answer_action_it_does_not_lead_to_itself() -> None:
    got = try_call(house(no_answer=OF_SALES), ACTIONS, SALES, Script(takes_faxes=False))
    assert len(steps(got, "fax_machine")) == 1
    assert got.outcome == Missed("no_fax")
    received = try_call(house(no_answer=OF_SALES), ACTIONS, SALES)
    assert came(received) == [(SALES, 1, True)]
    assert is_served(received.facts)


@pytest.mark.feature("VM-2", "R2")
def test_a_machine_that_is_switched_off_takes_no_calls() -> None:
    got = try_call(house(Machine(id=1, title="", parent=SALES, active=False)), ACTIONS, OF_SALES)
    assert got.outcome == Missed("inactive")
    assert steps(got, "answer") == []
    assert try_call(house(), ACTIONS, Ref(GROUP_FAX, 99)).outcome == Missed("gone")


@pytest.mark.feature("ACT-9", "ACT-10", "R25")
def test_what_may_be_chosen() -> None:
    assert [(str(c.target), c.title) for c in ToUserFax().choices(house())] == [("fax.user:201", "User 201"), ("fax.user:202", "User 202")]
    assert [(str(c.target), c.title) for c in ToGroupFax().choices(house())] == [("fax.group:1", "Office"), ("fax.group:2", "Sales")]
    for action in (ToUserFax, ToGroupFax):
        assert action.places == {"rule", "key", "no_answer"}


@pytest.mark.feature("ACT-9")
def test_by_a_menus_key() -> None:
    assert came(try_call(house(), ACTIONS, Ref("ivr.menu", 1), Script(keys=[(5, "1")]))) == [(BORIS, 1, True)]


@pytest.mark.feature("VM-2", "R11")
def test_a_fax_without_end_is_cut() -> None:
    got = try_call(house(), ACTIONS, OF_SALES, Script(fax_pages=1000))
    assert came(got) == [(SALES, round(LONGEST / timedelta(seconds=30)), False)]
    assert got.outcome == Done()


@pytest.mark.feature("VM-2")
def test_a_hang_up_at_every_await_leaves_at_most_what_came() -> None:
    total = try_call(house(no_answer=SORRY), ACTIONS, OF_SALES, Script(fax_pages=0))
    for at in range(1, total.awaits + 1):
        got = try_call(house(no_answer=SORRY), ACTIONS, OF_SALES, Script(fax_pages=0, gone_at_await=at))
        assert (got.leaked, came(got)) == ((), []), at


@pytest.mark.feature("GRP-1", "USR-1")
def test_whoever_leads_to_a_fax_leads_to_its_owner() -> None:
    assert [e.title for e in house(no_answer=OF_BORIS).referers(BORIS)] == ["Sales", "Menu"]


@pytest.mark.feature("VM-2", "R26")
@pytest.mark.parametrize("of", [Ref(USER_FAX, 299), OF_BORIS], ids=["deleted", "switched off"])
async def test_a_fax_under_way_is_received_to_its_end_whatever_became_of_the_machine(of: Ref) -> None:
    """By an engine that takes the call up on other settings than it began with."""
    call = RehearsedCall(house(Machine(id=1, title="", parent=BORIS, active=False)), OUTSIDER, Script(fax_pages=2), AT)
    call.receive_fax("fax/1/a.tif")
    assert await ToUserFax().run(call, Entry(of, "repeat"), Router({}, dial_number)) == Done()
    assert [(f.path, f.pages) for f in call.facts if isinstance(f, FaxReceived)] == [("fax/1/a.tif", 2)]


@pytest.mark.feature("VM-2", "R20")
def test_who_has_sent_his_caller_to_a_fax_machine_is_free_when_it_receives() -> None:
    """An employee sends him to a group that leads to its fax; he can't take him back in the middle of it."""
    whole = house(no_answer=OF_SALES)
    sales = replace(whole.element(SALES), extension="300", method="NONE")  # type: ignore[type-var]
    groups = GroupsPart(groups=(whole.element(ROOT), sales))  # type: ignore[arg-type]
    core = replace(whole.core, extensions=(*whole.core.extensions, ("300", SALES)))
    whole = Snapshot(1, core, {**whole.parts, "groups": groups, "codes": FeatureCodesPart()})
    script = Script({"201": [(1, "answer")]}, fax_pages=3, talk=[(2.0, "keys *1300"), (45.0, "keys *4")], talk_seconds=300.0)
    got = try_call(whole, ACTIONS, BORIS, script)
    told = ("fax", "fax_over", "transfer_cancelled", "talk")
    assert [s.what for _, s in got.steps if s.what in told] == ["talk", "fax", "fax_over"]
    assert came(got) == [(SALES, 3, True)]
