# SPDX-License-Identifier: Apache-2.0
"""Calls at mailboxes, rehearsed: greeting, beep, how a message ends, what is kept, who gets there."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from engine.calls.call import Caller
from engine.calls.cdr import failed_groups, why_missed
from engine.facts import Fact
from engine.plugin.testing import AT, OUTSIDER, office, sip_user, steps, try_call
from engine.rehearsal import Rehearsal, RehearsedCall, Script
from engine.routing.action import Done, Entry, Missed
from engine.routing.outbound import dial_number
from engine.routing.router import Router
from engine.snapshot import Ref, Snapshot
from plugins.codes.part import FeatureCodesPart
from plugins.groups.actions import ToGroup, ToUser
from plugins.groups.api import Membership
from plugins.groups.part import Group, GroupsPart
from plugins.ivr.actions import ToMenu
from plugins.ivr.part import IvrPart, Menu, MenuKey
from plugins.voicefiles.part import VoiceFile, VoicefilesPart
from plugins.voicemail.actions import BEEP, ToGroupVoicemail, ToUserVoicemail
from plugins.voicemail.facts import MessageDropped, MessageLeft
from plugins.voicemail.part import GROUP_VOICEMAIL, USER_VOICEMAIL, Mailbox, VoicemailPart

ACTIONS = (ToGroup(), ToUser(), ToMenu(), ToUserVoicemail(), ToGroupVoicemail())
ROOT, SALES, BORIS = Ref("groups.group", 1), Ref("groups.group", 2), Ref("core.user", 201)
OF_BORIS, OF_ROOT, OF_SALES = Ref(USER_VOICEMAIL, 201), Ref(GROUP_VOICEMAIL, 1), Ref(GROUP_VOICEMAIL, 2)
HELLO = VoicefilesPart(files=(VoiceFile(id=1, title="hello", path="hello.wav"),))
COLLEAGUE = Caller("202", "User 202", False, 202, None, "201")
SOUNDS = {"hello.wav": 2.0, BEEP.path: 0.5}


def box(owner: Ref, **fields: object) -> Mailbox:
    wish: dict[str, object] = {"greeting": Ref("voicefiles.file", 1), "max_seconds": 60, "silence_seconds": 4, **fields}
    return Mailbox(id=owner.id, title="", parent=owner, **wish)  # type: ignore[arg-type]


def house(*boxes: Mailbox, no_answer: Ref | None = None, keys: tuple[MenuKey, ...] = ()) -> Snapshot:
    root = Group(id=1, title="PBX")
    sales = Group(id=2, title="Sales", parent=ROOT, members=(Membership(201),), no_answer=no_answer)
    parts = {
        "groups": GroupsPart(groups=(root, sales)), "voicefiles": HELLO, "voicemail": VoicemailPart(mailboxes=boxes),
        "ivr": IvrPart(menus=(Menu(id=1, title="Menu", parent=ROOT, keys=keys),)),
    }  # fmt: skip
    return office((sip_user(201), sip_user(202)), parts)


def left(got: Rehearsal) -> list[tuple[Ref, float]]:
    return [(f.owner, f.seconds) for f in got.facts if isinstance(f, MessageLeft)]


def tried(target: Ref, script: Script | None = None, *boxes: Mailbox) -> Rehearsal:
    return try_call(house(*(boxes or (box(Ref("core.user", 201)), box(SALES)))), ACTIONS, target, script or Script(sounds=SOUNDS))


@pytest.mark.feature("VM-1", "ACT-11")
def test_greeting_beep_and_a_message_until_silence() -> None:
    got = tried(OF_BORIS)
    assert steps(got, "enters", "answer", "play", "voicemail") == [
        (0.0, "enters", "User 201"), (0.0, "voicemail", "User 201"), (0.0, "answer", None),
        (0.0, "play", "hello.wav"), (2.0, "play", BEEP.path),
    ]  # fmt: skip
    assert [(at, s.what) for at, s in got.steps if s.what.startswith("message")] == [
        (2.5, "message"), (11.5, "message_over"), (11.5, "message_left"),
    ]  # fmt: skip
    assert left(got) == [(BORIS, 5.0)]
    assert got.outcome == Done()


@pytest.mark.feature("VM-1", "ACT-12")
@pytest.mark.parametrize(
    ("script", "seconds"),
    [
        (Script(sounds=SOUNDS, keys=[(6.5, "5"), (7.5, "#"), (8.0, "#")]), 5.0),
        (Script(sounds=SOUNDS, speaks_seconds=900), 60.0),
        (Script(sounds=SOUNDS, caller_leaves=5.0), 2.5),
        (Script(sounds=SOUNDS, keys=[(1.0, "#"), (1.5, "#"), (4.5, "#")]), 3.0),
    ],
    ids=["hash", "the maximum", "hang-up", "greeting and beep skipped"],
)
def test_how_a_message_ends(script: Script, seconds: float) -> None:
    assert left(tried(OF_SALES, script)) == [(SALES, seconds)]


@pytest.mark.feature("VM-1")
def test_silence_does_not_end_it_where_that_is_switched_off() -> None:
    assert left(tried(OF_SALES, Script(sounds=SOUNDS, speaks_seconds=1), box(SALES, silence_seconds=0))) == [(SALES, 60.0)]


@pytest.mark.feature("VM-1", "R1")
@pytest.mark.parametrize(
    "script",
    [Script(sounds=SOUNDS, speaks_seconds=0), Script(sounds=SOUNDS, caller_leaves=3.0), Script(sounds=SOUNDS, keys=[(3.0, "#")])],
    ids=["silence only", "hung up at once", "hash at once"],
)
def test_nothing_said_is_no_message(script: Script) -> None:
    got = tried(OF_SALES, script)
    assert left(got) == []
    assert why_missed(got.facts, "left") == "left"
    assert "message_empty" in [s.what for _, s in got.steps]


@pytest.mark.feature("VM-1", "ACT-11", "ACT-12", "R25")
def test_defaults_hold_where_nothing_is_set() -> None:
    got = try_call(house(), ACTIONS, OF_ROOT, Script(sounds={"prompts/voicemail.wav": 4.0, BEEP.path: 0.5}))
    assert steps(got, "play") == [(0.0, "play", "prompts/voicemail.wav"), (4.0, "play", BEEP.path)]
    assert left(got) == [(ROOT, 5.0)]


@pytest.mark.feature("VM-1")
def test_no_beep_where_it_is_switched_off() -> None:
    assert steps(tried(OF_SALES, None, box(SALES, beep=False)), "play") == [(0.0, "play", "hello.wav")]


@pytest.mark.feature("VM-1", "R2")
def test_a_mailbox_that_is_switched_off_takes_no_calls() -> None:
    got = tried(OF_SALES, None, box(SALES, active=False))
    assert got.outcome == Missed("inactive")
    assert steps(got, "answer", "play") == []
    assert try_call(house(), ACTIONS, Ref(GROUP_VOICEMAIL, 99)).outcome == Missed("gone")


@pytest.mark.feature("ACT-11", "ACT-12", "R25")
def test_what_may_be_chosen() -> None:
    assert [(str(c.target), c.title) for c in ToUserVoicemail().choices(house())] == [
        ("voicemail.user:201", "User 201"), ("voicemail.user:202", "User 202"),
    ]  # fmt: skip
    assert [(str(c.target), c.title) for c in ToGroupVoicemail().choices(house())] == [
        ("voicemail.group:1", "Office"), ("voicemail.group:2", "Sales"),
    ]  # fmt: skip
    for action in (ToUserVoicemail, ToGroupVoicemail):
        assert action.places == {"rule", "key", "no_answer"}


@pytest.mark.feature("R1", "GRP-8", "ACT-12")
def test_as_a_no_answer_action_the_call_is_missed_with_the_tag() -> None:
    got = try_call(house(box(SALES), no_answer=OF_SALES), ACTIONS, SALES, Script(sounds=SOUNDS))
    assert steps(got, "rings", "play")[:2] == [(0.0, "rings", "201"), (20.0, "play", "hello.wav")]
    assert left(got) == [(SALES, 5.0)]
    assert failed_groups(got.facts) == (SALES,)
    assert why_missed(got.facts, "left") == "voicemail"


@pytest.mark.feature("ACT-11")
def test_by_a_menus_key() -> None:
    whole = house(box(Ref("core.user", 201)), keys=(MenuKey("1", OF_BORIS),))
    assert left(try_call(whole, ACTIONS, Ref("ivr.menu", 1), Script(sounds=SOUNDS, keys=[(1, "1")]))) == [(BORIS, 5.0)]


@pytest.mark.feature("R8")
@pytest.mark.parametrize("why", ["NO_ANSWER", "USER_BUSY", "CALL_REJECTED"])
def test_a_colleague_who_is_not_answered_comes_to_the_users_voicemail(why: str) -> None:
    script = Script({"201": (4, why)}, sounds=SOUNDS)
    with_box = try_call(house(box(BORIS)), ACTIONS, BORIS, script, caller=COLLEAGUE)
    assert left(with_box) == [(BORIS, 5.0)]
    assert failed_groups(with_box.facts) == ()
    for boxes in ((), (box(BORIS, active=False),), (box(SALES),)):
        without = try_call(house(*boxes), ACTIONS, BORIS, script, caller=COLLEAGUE)
        assert isinstance(without.outcome, Missed)
        assert left(without) == []


@pytest.mark.feature("R8")
def test_an_outsider_who_calls_him_directly_goes_by_the_groups_action() -> None:
    got = try_call(house(box(BORIS), box(SALES), no_answer=OF_SALES), ACTIONS, BORIS, Script(sounds=SOUNDS), caller=OUTSIDER)
    assert left(got) == [(SALES, 5.0)]


@pytest.mark.feature("R8")
def test_a_colleague_who_is_answered_talks() -> None:
    got = try_call(house(box(BORIS)), ACTIONS, BORIS, Script({"201": (4, "answer")}), caller=COLLEAGUE)
    assert got.outcome == Done(talked=True)


@pytest.mark.feature("VM-1")
def test_a_hang_up_at_every_await_leaves_at_most_what_was_said() -> None:
    whole = house(box(SALES), no_answer=OF_SALES)
    script = Script({"201": (4, "USER_BUSY")}, sounds=SOUNDS, keys=[(9.0, "1"), (10.0, "#")])
    total = try_call(whole, ACTIONS, SALES, script)
    assert left(total) == [(SALES, 3.5)]
    seen = []
    for at in range(1, total.awaits + 1):
        got = try_call(whole, ACTIONS, SALES, Script(script.answers, sounds=SOUNDS, keys=script.keys, gone_at_await=at))
        assert got.leaked == (), at
        seen.append(left(got))
    assert [one for one in seen if one] == [[(SALES, 2.5)], [(SALES, 3.5)]]  # in the middle of it
    assert seen[-1] == [(SALES, 3.5)]


@pytest.mark.feature("GRP-1", "USR-1")
def test_whoever_leads_to_a_mailbox_leads_to_its_owner() -> None:
    assert [e.title for e in house(no_answer=OF_BORIS).referers(BORIS)] == ["Sales"]
    assert house(box(BORIS)).referers(BORIS) == []


@pytest.mark.feature("VM-1", "R26")
@pytest.mark.parametrize(("seconds", "kept"), [(5.0, [MessageLeft]), (0.5, [MessageDropped])])
@pytest.mark.parametrize("of", [Ref(USER_VOICEMAIL, 299), OF_BORIS], ids=["deleted", "switched off"])
async def test_a_message_under_way_is_heard_to_its_end_whatever_became_of_the_mailbox(
    of: Ref, seconds: float, kept: list[type[Fact]]
) -> None:
    """By an engine that takes the call up on other settings than it began with."""
    call = RehearsedCall(house(box(BORIS, active=False)), OUTSIDER, Script(speaks_seconds=seconds), AT)
    call.record_message("voicemail/1/a.wav", limit=timedelta(seconds=60), until_silence=timedelta(seconds=4))
    await ToUserVoicemail().run(call, Entry(of, "repeat"), Router({}, dial_number))
    assert [(type(f), getattr(f, "path", None)) for f in call.facts] == [(what, "voicemail/1/a.wav") for what in kept]
    assert not call.now < AT + timedelta(seconds=seconds)


@pytest.mark.feature("VM-1", "R20")
@pytest.mark.parametrize(("cancelled", "kept"), [(17.0, [(SALES, 60.0)]), (4.0, [])], ids=["he speaks", "he has not begun"])
def test_a_caller_is_taken_back_from_a_mailbox_before_he_speaks_only(cancelled: float, kept: list[tuple[Ref, float]]) -> None:
    """An employee sends him to a group that leads to its mailbox, and is free when it records."""
    whole = house(box(SALES), no_answer=OF_SALES)
    sales = replace(whole.element(SALES), extension="300", method="NONE")  # type: ignore[type-var]
    groups = GroupsPart(groups=(whole.element(ROOT), sales))  # type: ignore[arg-type]
    core = replace(whole.core, extensions=(*whole.core.extensions, ("300", SALES)))
    whole = Snapshot(1, core, {**whole.parts, "groups": groups, "codes": FeatureCodesPart()})
    script = Script(
        {"201": [(1, "answer")]}, sounds=SOUNDS, speaks_seconds=60.0, talk=[(2.0, "keys *1300"), (cancelled, "keys *4")], talk_seconds=300.0
    )
    got = try_call(whole, ACTIONS, BORIS, script)
    told = ("message", "transfer_cancelled", "talk")
    assert [s.what for _, s in got.steps if s.what in told] == (["talk", "message"] if kept else ["talk", "transfer_cancelled", "talk"])
    assert [(owner, round(seconds)) for owner, seconds in left(got)] == kept
