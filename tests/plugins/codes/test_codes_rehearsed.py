# SPDX-License-Identifier: Apache-2.0
"""Codes rehearsed: the same scenarios on a virtual clock, with a hang-up of the caller at every await."""

from __future__ import annotations

from typing import Any

import pytest

from engine.plugin.testing import office, sip_user, steps, try_call
from engine.rehearsal import Rehearsal, Script
from engine.routing.action import Done
from engine.snapshot import Ref, Snapshot
from plugins.codes.part import DEFAULTS, FeatureCodes, FeatureCodesPart, codes_of
from plugins.groups.actions import ToGroup, ToUser
from plugins.groups.api import Membership
from plugins.groups.part import Group, GroupsPart
from plugins.voicemail.actions import ToGroupVoicemail
from plugins.voicemail.part import VoicemailPart

ROOT, SALES = Ref("groups.group", 1), Ref("groups.group", 2)
ACTIONS = (ToGroup(), ToUser(), ToGroupVoicemail())


def house(codes: FeatureCodes | None = None, **account: Any) -> Snapshot:
    """201 is rung by the group Sales; 203 is the only one of the group that takes its failures."""
    groups = (
        Group(id=1, title="PBX"),
        Group(id=2, title="Sales", parent=ROOT, members=(Membership(201),), no_answer=Ref("core.user", 203), extension="300"),
    )
    parts = {"groups": GroupsPart(groups=groups), "codes": FeatureCodesPart(codes=(codes,) if codes else ()), "voicemail": VoicemailPart()}
    return office([sip_user(n) for n in (201, 202, 203)], parts, **account)


def call(*does: tuple[float, str], whole: Snapshot | None = None, gone: int | None = None, **answers: Any) -> Rehearsal:
    """A caller from outside talks with 201, who does this."""
    script = Script({"201": (1, "answer"), **answers}, talk=does, gone_at_await=gone, talk_seconds=600)
    return try_call(whole or house(), ACTIONS, SALES, script)


def told(run: Rehearsal, *more: str) -> list[tuple[str, object]]:
    kinds = ("talk", "transfer_asked", "transfer_cancelled", "transfer_returns", "consults", "consultation", "consultation_over", "toggled",
             "handed_over", "code_refused", "rings", "voicemail", *more)  # fmt: skip
    return [(what, who) for _, what, who in steps(run, *kinds)]


TALK = [("rings", "201"), ("talk", "201")]


@pytest.mark.feature("R20", "R21")
def test_a_transfer_that_nobody_takes_comes_back_to_who_listens_or_to_his_phone() -> None:
    listens = call((2, "keys *1202"))
    assert told(listens) == [*TALK, ("transfer_asked", None), ("rings", "202"), ("transfer_returns", "201"), ("talk", "201")]
    assert [at for at, *_ in steps(listens, "transfer_returns")] == [pytest.approx(1 + 2 + 1.2 + 20)]  # R20
    gone = call((2, "keys *1202"), (5, "hangs up"))
    assert told(gone)[3:] == [("rings", "202"), ("transfer_returns", "201"), ("rings", "201"), ("talk", "201")]


@pytest.mark.feature("R20")
def test_a_transferor_who_does_not_answer_either_leaves_it_to_the_groups_no_answer_action() -> None:
    run = call((2, "keys *1202"), (5, "hangs up"), **{"201": [(1, "answer")], "203": (3, "answer")})
    assert told(run)[3:] == [("rings", "202"), ("transfer_returns", "201"), ("rings", "201"), ("rings", "203"), ("talk", "203")]


@pytest.mark.feature("R20", "R21")
@pytest.mark.parametrize("code", ["*4", "*3"])
def test_a_transfer_is_cancelled(code: str) -> None:
    run = call((2, "keys *1202"), (8, f"keys {code}"), **{"202": (10, "answer")})
    assert told(run) == [*TALK, ("transfer_asked", None), ("rings", "202"), ("transfer_cancelled", None), ("talk", "201")]
    assert run.leaked == ()


@pytest.mark.feature("PBX-6", "R20")
def test_a_consultation_and_its_ends() -> None:
    begins = [*TALK, ("consults", None), ("rings", "202")]
    answers = {"202": (2, "answer")}
    there, over = [*begins, ("consultation", "202")], [("handed_over", "202"), ("talk", "202")]
    assert told(call((2, "keys *2202"), (10, "hangs up"), **answers)) == [*there, *over]
    assert told(call((2, "keys *2202"), (10, "keys *4"), **answers)) == [*there, ("consultation_over", None), ("talk", "201")]
    both = call((2, "keys *2202"), (10, "keys *3*3"), (20, "hangs up"), **answers)
    assert told(both) == [*there, ("toggled", "+79271234567"), ("toggled", "202"), *over]
    assert told(call((2, "keys *2202"))) == [*begins, ("consultation_over", None), ("talk", "201")]
    early = call((2, "keys *2202"), (4, "hangs up"), **{"202": (5, "answer")})
    assert told(early) == [*begins, *over]


@pytest.mark.feature("PBX-2", "R14")
def test_who_waits_for_a_consultation_is_held_no_longer_than_others() -> None:
    run = call((2, "keys *2202"), whole=house(max_hold_seconds=30), **{"202": (2, "answer"), "203": (3, "answer")})
    assert told(run, "hold_expired")[4:] == [("consultation", "202"), ("hold_expired", None), ("rings", "203"), ("talk", "203")]


@pytest.mark.feature("PBX-6", "R15")
def test_fax_and_mailbox_are_those_of_the_first_group_when_there_are_any() -> None:
    run = call((2, "keys *6"))
    assert told(run)[2:] == [("voicemail", "Sales")]
    assert run.outcome == Done()
    assert told(call((2, "keys *5"))) == [*TALK, ("code_refused", None)]  # no plugin receives faxes here


@pytest.mark.feature("PBX-6")
def test_codes_are_those_of_the_account() -> None:
    own = FeatureCodes(id=1, blind=("#1ddd",), consult=())
    whole = house(own)
    assert codes_of(whole) == own
    assert codes_of(house()) == DEFAULTS
    assert told(call((2, "keys *1202"), whole=whole)) == TALK
    assert told(call((2, "keys *2202"), whole=whole)) == TALK
    assert ("transfer_asked", None) in told(call((2, "keys #1202"), whole=whole))


@pytest.mark.parametrize(
    "does",
    [
        ((2, "keys *1202"),), ((2, "keys *1202"), (8, "keys *4")), ((2, "keys *2202"), (10, "keys *3*3"), (20, "hangs up")),
        ((2, "keys *2202"), (10, "keys *4")), ((2, "keys *6"),),
    ],
)  # fmt: skip
def test_a_caller_may_leave_at_every_moment(does: tuple[tuple[float, str], ...]) -> None:
    answers = {"202": (5, "answer")}
    whole = call(*does, **answers)
    for moment in range(1, whole.awaits + 1):
        run = call(*does, gone=moment, **answers)
        assert run.leaked == (), moment
