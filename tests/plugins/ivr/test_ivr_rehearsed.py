# SPDX-License-Identifier: Apache-2.0
"""Menus rehearsed: keys, extensions, timeouts, users inside with live keys."""

from __future__ import annotations

import msgspec
import pytest

from engine.facts.distribution import DistributionFailed
from engine.plugin.testing import office, sip_user, steps, try_call
from engine.rehearsal import Script
from engine.routing.action import Done, Hangup, Missed
from engine.routing.basic import HANGUP, NOTHING, REPEAT
from engine.snapshot import Ref, Snapshot
from plugins.groups.actions import ToGroup, ToUser
from plugins.groups.api import Membership
from plugins.groups.part import Group, GroupsPart
from plugins.ivr.actions import ToMenu
from plugins.ivr.part import IvrPart, Menu, MenuKey
from plugins.voicefiles.part import VoiceFile, VoicefilesPart

ACTIONS = (ToGroup(), ToUser(), ToMenu())
MENU = Ref("ivr.menu", 1)
SALES = Group(
    id=2, title="Sales", parent=Ref("groups.group", 1), extension="300", greeting=Ref("voicefiles.file", 1), members=(Membership(202),)
)
FILES = VoicefilesPart(files=tuple(VoiceFile(id=i, title=n, path=f"{n}.wav") for i, n in enumerate(("hello", "menu"), 1)))


def menu(*keys: tuple[str, Ref], **fields: object) -> Menu:
    return Menu(
        id=1, title="Menu", parent=Ref("groups.group", 1), greeting=Ref("voicefiles.file", 1), file=Ref("voicefiles.file", 2),
        keys=tuple(MenuKey(k, t) for k, t in keys), **fields,  # type: ignore[arg-type]
    )  # fmt: skip


def house(m: Menu) -> Snapshot:
    groups = GroupsPart(groups=(Group(id=1, title="PBX"), SALES))
    return office((sip_user(201), sip_user(202)), {"groups": groups, "ivr": IvrPart(menus=(m,)), "voicefiles": FILES})


@pytest.mark.feature("IVR-2", "IVR-3", "ACT-1")
def test_a_key_stops_the_file_and_leads_to_its_target() -> None:
    got = try_call(house(menu(("1", SALES.ref))), ACTIONS, MENU, Script({"202": (2, "answer")}, keys=[(4, "1")]))
    assert steps(got, "play") == [(0.0, "play", "hello.wav + menu.wav"), (4.0, "play", "hello.wav")]
    assert steps(got, "rings") == [(7.0, "rings", "202")]
    assert got.outcome == Done(talked=True)


@pytest.mark.feature("IVR-3", "R4")
def test_unset_timeout_repeats_the_file_three_times_and_fails() -> None:
    got = try_call(house(menu()), ACTIONS, MENU)
    assert [s[2] for s in steps(got, "play")] == ["hello.wav + menu.wav", "menu.wav", "menu.wav"]
    assert got.outcome == Missed("menu_timeout")


@pytest.mark.feature("IVR-3")
def test_the_timeout_action() -> None:
    got = try_call(house(menu(("T", HANGUP))), ACTIONS, MENU)
    assert got.outcome == Hangup("NORMAL_CLEARING")
    assert got.steps[-1][0] == 11.0  # greeting 3 s, file 3 s, five seconds of silence


@pytest.mark.feature("IVR-3", "R4")
def test_other_keys_go_to_d_and_ignored_keys_do_nothing() -> None:
    got = try_call(house(menu(("D", HANGUP), ("5", NOTHING))), ACTIONS, MENU, Script(keys=[(1, "5"), (2, "7")]))
    assert got.outcome == Hangup("NORMAL_CLEARING")
    assert got.steps[-1][0] == 2.0


@pytest.mark.feature("IVR-3", "ACT-5")
def test_repeat_plays_the_file_again_without_the_greeting() -> None:
    got = try_call(house(menu(("*", REPEAT), ("T", HANGUP))), ACTIONS, MENU, Script(keys=[(1, "*")]))
    assert steps(got, "play") == [(0.0, "play", "hello.wav + menu.wav"), (1.0, "play", "menu.wav")]


@pytest.mark.feature("IVR-4", "R7", "R22")
def test_an_extension_dialled_in_the_menu_skips_the_groups_greeting() -> None:
    got = try_call(house(menu(("3", HANGUP))), ACTIONS, MENU, Script({"202": (1, "answer")}, keys=[(1, "3"), (1.5, "0"), (2, "0")]))
    assert [s[2] for s in steps(got, "play", "rings")] == ["hello.wav + menu.wav", "202"]


@pytest.mark.feature("R22")
def test_a_key_that_begins_an_extension_waits_for_two_seconds() -> None:
    got = try_call(house(menu(("3", HANGUP))), ACTIONS, MENU, Script(keys=[(1, "3")]))
    assert got.outcome == Hangup("NORMAL_CLEARING")
    assert got.steps[-1][0] == 3.0


@pytest.mark.feature("R22")
def test_hash_ends_the_input() -> None:
    got = try_call(house(menu(("3", HANGUP))), ACTIONS, MENU, Script(keys=[(1, "3"), (1.2, "#")]))
    assert got.steps[-1][0] == 1.2


@pytest.mark.feature("USR-2")
def test_a_user_closed_to_menus_is_not_dialable_there() -> None:
    snapshot = house(menu(("T", HANGUP)))
    barred = msgspec.structs.replace(snapshot.users[201], no_ivr_transfer=True)
    core = msgspec.structs.replace(snapshot.core, users=(barred, snapshot.users[202]))
    got = try_call(Snapshot(1, core, snapshot.parts), ACTIONS, MENU, Script(keys=[(1, "2"), (1.2, "0"), (1.4, "1")]))
    assert steps(got, "rings") == []


@pytest.mark.feature("IVR-5")
def test_users_inside_ring_after_the_file_and_keys_stay_live() -> None:
    inside = menu(("1", SALES.ref), ("T", HANGUP), members=(Membership(201),))
    got = try_call(house(inside), ACTIONS, MENU, Script({"202": (1, "answer")}, keys=[(9, "1")]))
    assert steps(got, "rings", "cancelled") == [(6.0, "rings", "201"), (9.0, "cancelled", "201"), (12.0, "rings", "202")]
    nobody = try_call(house(inside), ACTIONS, MENU)
    assert nobody.outcome == Missed("no_answer")  # the timeout action is ignored


def test_a_hang_up_at_every_await_leaves_nothing_ringing() -> None:
    inside = menu(("1", SALES.ref), ("3", HANGUP), members=(Membership(201),))
    script = Script({"201": (4, "USER_BUSY"), "202": (3, "answer")}, keys=[(8, "1")])
    total = try_call(house(inside), ACTIONS, MENU, script).awaits
    for at in range(1, total + 1):
        got = try_call(house(inside), ACTIONS, MENU, Script(script.answers, keys=script.keys, gone_at_await=at))
        assert got.leaked == (), at


@pytest.mark.feature("R4", "ACT-5")
def test_whoever_asks_for_the_file_again_and_again_is_not_timed_out() -> None:
    keys = [(1, "9"), (2, "9"), (3, "9"), (4, "9"), (5, "1")]
    got = try_call(house(menu(("9", REPEAT), ("1", SALES.ref))), ACTIONS, MENU, Script({"202": (2, "answer")}, keys=keys))
    assert got.outcome == Done(talked=True)


@pytest.mark.feature("R11", "ACT-5")
def test_a_silent_leg_does_not_stay_in_a_menu_for_ever() -> None:
    got = try_call(house(menu(("T", REPEAT))), ACTIONS, MENU)
    assert got.outcome == Missed("menu_timeout")
    assert steps(got, "hop_limit")


@pytest.mark.feature("IVR-2")
@pytest.mark.parametrize("first", ["2", "7"], ids=["begins an extension", "begins nothing"])
def test_any_digit_stops_the_file(first: str) -> None:
    got = try_call(house(menu(("T", HANGUP))), ACTIONS, MENU, Script(keys=[(1, first)]))
    assert [s[::2] for s in steps(got, "play")] == [(0.0, "hello.wav + menu.wav")]
    assert got.outcome == Hangup("NORMAL_CLEARING")
    assert got.steps[-1][0] == (6.0)  # five seconds of silence from the digit on, not from the end of the file


@pytest.mark.feature("IVR-5")
@pytest.mark.parametrize(("keys", "rung"), [([(1, "7")], 1.0), ([(1, "2")], 3.0)], ids=["begins nothing", "begins an extension"])
def test_users_inside_are_rung_once_a_digit_that_leads_nowhere_has_stopped_the_file(keys: list[tuple[float, str]], rung: float) -> None:
    got = try_call(house(menu(members=(Membership(201),), timeout_seconds=8)), ACTIONS, MENU, Script(keys=keys))
    assert steps(got, "rings") == [(rung, "rings", "201")]


@pytest.mark.feature("IVR-5")
def test_users_inside_a_silent_menu_are_rung_at_once() -> None:
    silent = msgspec.structs.replace(menu(members=(Membership(201),)), greeting=None, file=None)
    assert steps(try_call(house(silent), ACTIONS, MENU), "rings") == [(0.0, "rings", "201")]


@pytest.mark.feature("IVR-5", "R2")
def test_a_user_inside_without_phones_turns_the_timeout_off_all_the_same() -> None:
    snapshot = house(menu(("T", SALES.ref), members=(Membership(201),)))
    bare = msgspec.structs.replace(snapshot.users[201], contacts=())
    core = msgspec.structs.replace(snapshot.core, users=(bare, snapshot.users[202]))
    got = try_call(Snapshot(1, core, snapshot.parts), ACTIONS, MENU)
    assert got.outcome == Missed("no_answer")
    assert got.steps[-1][0] == 6.0


@pytest.mark.feature("R8", "ACT-2")
@pytest.mark.parametrize("keys", [[(1, "1")], [(1, "2"), (1.2, "0"), (1.4, "1")]], ids=["key", "dialled"])
def test_a_user_chosen_in_a_menu_falls_to_his_first_group_not_to_the_one_around_the_menu(keys: list[tuple[float, str]]) -> None:
    pbx = Group(id=1, title="PBX", no_answer=HANGUP)
    own = Group(id=3, title="Own", parent=pbx.ref, members=(Membership(201),), active=False, no_answer=Ref("core.user", 202))
    chosen = menu(("1", Ref("core.user", 201)))
    parts = {"groups": GroupsPart(groups=(pbx, own)), "ivr": IvrPart(menus=(chosen,)), "voicefiles": FILES}
    got = try_call(office((sip_user(201), sip_user(202)), parts), ACTIONS, pbx.ref, Script({"201": (1, "USER_BUSY")}, keys=keys))
    assert [s[2] for s in steps(got, "rings")] == ["201", "202"]
    assert [f.group.id for f in got.facts if isinstance(f, DistributionFailed)] == [3, 3]
    assert got.outcome == Missed("no_answer")  # whom a group falls back on is the last


@pytest.mark.feature("USR-2", "R22")
@pytest.mark.parametrize(
    ("dialled", "ends"), [("201", None), ("29", 1.2), ("3", 1.0)], ids=["his extension", "digits that match nothing", "a key"]
)
def test_the_extension_of_a_user_closed_to_menus_is_no_other_key(dialled: str, ends: float | None) -> None:
    snapshot = house(menu(("3", HANGUP), ("D", HANGUP), ("T", SALES.ref)))
    barred = tuple(msgspec.structs.replace(snapshot.users[n], no_ivr_transfer=True) for n in (201, 202))
    core = msgspec.structs.replace(snapshot.core, users=barred, extensions=tuple((u.extension or "", u.ref) for u in barred))
    keys = [(1 + n / 5, digit) for n, digit in enumerate(dialled)]
    got = try_call(Snapshot(1, core, snapshot.parts), ACTIONS, MENU, Script({"202": (1, "answer")}, keys=keys))
    if ends is None:
        assert got.outcome == Done(talked=True)  # nothing was dialled: the timeout's action
    else:
        assert got.outcome == Hangup("NORMAL_CLEARING")
        assert got.steps[-1][0] == ends
