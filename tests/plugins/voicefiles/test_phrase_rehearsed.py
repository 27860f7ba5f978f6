# SPDX-License-Identifier: Apache-2.0
"""A phrase as a place where calls go (ACT-8), rehearsed: by a rule, as a no-answer action, by a menu's key."""

from __future__ import annotations

import pytest

from engine.calls.cdr import is_served
from engine.plugin.testing import office, sip_user, steps, try_call
from engine.rehearsal import Script
from engine.routing.action import Done, Hangup, Missed
from engine.routing.basic import HANGUP
from engine.snapshot import Ref, Snapshot
from plugins.groups.actions import ToGroup, ToUser
from plugins.groups.api import Membership
from plugins.groups.part import Group, GroupsPart
from plugins.ivr.actions import ToMenu
from plugins.ivr.part import IvrPart, Menu, MenuKey
from plugins.voicefiles.actions import PlayPhrase
from plugins.voicefiles.part import PHRASE, VoiceFile, VoicefilesPart

ACTIONS = (ToGroup(), ToUser(), ToMenu(), PlayPhrase())
PHRASE_3 = Ref(PHRASE, 3)
MENU = Ref("ivr.menu", 1)
FILES = VoicefilesPart(files=tuple(VoiceFile(id=i, title=n, path=f"{n}.wav") for i, n in enumerate(("hello", "menu", "news"), 1)))


def house(*keys: tuple[str, Ref]) -> Snapshot:
    root = Group(id=1, title="PBX", members=(Membership(201),), no_answer=PHRASE_3)
    menu = Menu(
        id=1, title="Menu", parent=root.ref, active=bool(keys), greeting=Ref("voicefiles.file", 1), file=Ref("voicefiles.file", 2),
        keys=tuple(MenuKey(k, t) for k, t in keys),
    )  # fmt: skip
    return office((sip_user(201),), {"groups": GroupsPart(groups=(root,)), "ivr": IvrPart(menus=(menu,)), "voicefiles": FILES})


@pytest.mark.feature("ACT-8", "R1")
def test_by_a_rule_it_is_played_and_the_call_is_over_and_not_missed() -> None:
    got = try_call(house(), ACTIONS, PHRASE_3)
    assert steps(got, "enters", "answer", "play") == [
        (0.0, "enters", "news"), (0.0, "answer", None), (0.0, "play", "news.wav"),
    ]  # fmt: skip
    assert got.outcome == Done()
    assert is_served(got.facts)


@pytest.mark.feature("ACT-8", "R1", "GRP-8")
def test_as_a_no_answer_action_it_ends_the_call() -> None:
    got = try_call(house(), ACTIONS, Ref("groups.group", 1))
    assert steps(got, "rings", "play") == [(0.0, "rings", "201"), (20.0, "play", "news.wav")]
    assert got.outcome == Done()
    assert not is_served(got.facts)  # “nobody is free, call later” does not make up for a missed call


@pytest.mark.feature("ACT-8", "R1", "GRP-3")
def test_a_group_that_rings_nobody_and_speaks_is_an_announcer() -> None:
    announcer = Group(id=1, title="News", members=(Membership(201),), method="NONE", no_answer=PHRASE_3)
    got = try_call(office((sip_user(201),), {"groups": GroupsPart(groups=(announcer,)), "voicefiles": FILES}), ACTIONS, announcer.ref)
    assert [s[2] for s in steps(got, "rings", "play")] == ["news.wav"]
    assert is_served(got.facts)


@pytest.mark.feature("ACT-8", "R4")
def test_by_a_key_it_leads_back_to_the_menu_without_its_greeting() -> None:
    got = try_call(house(("1", PHRASE_3), ("2", HANGUP)), ACTIONS, MENU, Script(keys=[(1, "1"), (6, "2")]))
    assert steps(got, "play") == [(0.0, "play", "hello.wav + menu.wav"), (1.0, "play", "news.wav"), (4.0, "play", "menu.wav")]
    assert got.outcome == Hangup("NORMAL_CLEARING")


@pytest.mark.feature("ACT-8", "R1", "R4")
def test_whoever_only_heard_it_in_a_menu_has_left_in_the_menu() -> None:
    got = try_call(house(("1", PHRASE_3)), ACTIONS, MENU, Script(keys=[(1, "1")], caller_leaves=5))
    assert not is_served(got.facts)


@pytest.mark.feature("ACT-8", "GRP-4")
def test_a_menu_that_failed_in_a_group_is_not_come_back_to() -> None:
    got = try_call(house(("1", HANGUP)), ACTIONS, Ref("groups.group", 1))
    assert [s[2] for s in steps(got, "play", "rings")][-2:] == ["201", "news.wav"]
    assert got.outcome == Done()


@pytest.mark.feature("ACT-8", "R1")
def test_a_caller_who_hangs_up_in_the_middle_has_not_been_served() -> None:
    assert not is_served(try_call(house(), ACTIONS, PHRASE_3, Script(caller_leaves=1)).facts)
    whole = try_call(house(("1", PHRASE_3)), ACTIONS, MENU, Script(keys=[(1, "1")]))
    assert whole.outcome == Missed("menu_timeout")
    for at in range(1, whole.awaits + 1):
        got = try_call(house(("1", PHRASE_3)), ACTIONS, MENU, Script(keys=[(1, "1")], gone_at_await=at))
        assert (got.outcome, got.leaked, is_served(got.facts)) == (None, (), False), at


@pytest.mark.feature("R26")
def test_a_phrase_that_is_gone_has_failed() -> None:
    assert try_call(house(), ACTIONS, Ref(PHRASE, 9)).outcome == Missed("gone")


@pytest.mark.feature("DIR-2")
def test_a_file_knows_who_plays_it_as_a_phrase() -> None:
    assert [e.title for e in house().referers(Ref("voicefiles.file", 3))] == ["PBX"]
