# SPDX-License-Identifier: Apache-2.0
"""What a live call makes of the switch's events where their order, or a phone's own doing, is the difficulty."""

from __future__ import annotations

import msgspec
import pytest

from engine.calls.call import Callee, Caller, Joined, Playback, Played, TransferAsked
from engine.calls.live import LiveCall
from engine.calls.presence import Registration
from engine.calls.reception import Ending
from engine.calls.ringing import Member, NoOne, plan, ring
from engine.calls.talk import Over, TalkEnd, Transfer, converse
from engine.plugin.testing import office, sip_user
from engine.routing.callees import callees
from engine.routing.saying import said
from engine.snapshot import Snapshot, Sound, Trunk
from tests.engine_calls.floor import OUTSIDER, Floor

EMPLOYEE = Caller("201", "", False, 201, None, "89271112233")


@pytest.fixture
async def floor() -> Floor:
    return Floor(office((sip_user(201), sip_user(202)), {}))


async def test_a_missing_sound_does_not_hold_the_caller(floor: Floor) -> None:
    heard: list[str] = []

    async def serve(call: LiveCall) -> Ending:
        await said(call, Sound("gone.wav"))
        heard.append("went on")
        return Ending()

    floor.call("a", serve)
    await floor.until(lambda: floor.orders.of("playback"))
    floor.says("CHANNEL_EXECUTE_COMPLETE", "a", run=f"run-{len(floor.orders.given)}", response="FILE NOT FOUND")
    await floor.until(lambda: heard)


async def test_a_stopped_playback_is_never_heard_of_again(floor: Floor) -> None:
    got: list[object] = []
    played: list[Playback] = []

    async def serve(call: LiveCall) -> Ending:
        played.append(call.play(Sound("one.wav")))
        await call.next()  # a key
        call.stop(played[0])
        played.append(call.play(Sound("two.wav")))
        got.append(await call.next())
        return Ending()

    floor.call("a", serve)
    await floor.until(lambda: played)
    # the file ends in the moment the caller presses: its end waits behind the key
    floor.says("DTMF", "a", digit="1")
    floor.says("CHANNEL_EXECUTE_COMPLETE", "a", run=played[0].id)
    await floor.until(lambda: len(played) == 2)
    floor.says("CHANNEL_EXECUTE_COMPLETE", "a", run=played[1].id)
    await floor.until(lambda: got)
    assert got == [Played(played[1])]


COLLEAGUE = 2020
"""The contact of 202."""


def _talk(ends: list[TalkEnd], contact: int | None) -> object:
    async def serve(call: LiveCall) -> Ending:
        user, phone = call.snapshot.contacts.get(contact or 0, (None, None))
        (other,) = call.dial(Callee("202", phone, user, None if phone else "+79271112233"))
        await call.next()
        ends.append(await converse(call, other))
        return Ending()

    return serve


async def _talking(floor: Floor, uuid: str, caller: Caller, ends: list[TalkEnd], contact: int | None = None) -> str:
    floor.node.phones.registrations.add(1, Registration("202", "office.test", "sip:202@127.0.0.1"))
    before = len(floor.dialled())
    floor.call(uuid, _talk(ends, contact), caller, user=caller.user)  # type: ignore[arg-type]
    await floor.until(lambda: len(floor.dialled()) > before)
    other = floor.dialled()[-1]
    floor.answers(other)
    await floor.until(lambda: ("bridge", uuid, other) in floor.orders.given)
    floor.says("CHANNEL_BRIDGE", uuid, other=other)
    return other


@pytest.mark.feature("R20")
async def test_a_transfer_by_nobody_known_does_not_hang_up_the_caller(floor: Floor) -> None:
    ends: list[TalkEnd] = []
    other = await _talking(floor, "a", EMPLOYEE, ends, COLLEAGUE)
    floor.says("CHANNEL_UNBRIDGE", "a", other=other)
    floor.says("CHANNEL_PARK", "a", source="1:a:bl_xfer:203/from-phone/XML", dialled="203")
    await floor.until(lambda: ends)
    assert isinstance(ends[0], Transfer)
    assert ("kill", "a", "BLIND_TRANSFER") not in floor.orders.given
    assert ("kill", other, "BLIND_TRANSFER") in floor.orders.given


@pytest.mark.feature("R20")
async def test_a_transfer_is_made_once(floor: Floor) -> None:
    """The sweep may tell of it as well as the event; and the channel keeps the note when it parks again after a talk."""
    ends: list[TalkEnd] = []
    other = await _talking(floor, "a", EMPLOYEE, ends, COLLEAGUE)
    floor.says("CHANNEL_UNBRIDGE", "a", other=other)
    for _ in range(2):
        floor.says("CHANNEL_PARK", "a", source="1:a:bl_xfer:203/from-phone/XML", dialled="203")
    await floor.until(lambda: ends)
    assert not [event for event in floor.node.calls["a"]._inbox._events if isinstance(event, TransferAsked)]


@pytest.mark.feature("R18", "R20")
async def test_an_outsider_can_not_make_us_call(floor: Floor) -> None:
    """Neither the outside caller nor an outside number that was called sends anybody anywhere at the customer's cost."""
    ends: list[TalkEnd] = []
    other = await _talking(floor, "a", OUTSIDER, ends, COLLEAGUE)
    floor.says("CUSTOM", "a", subclass="sofia::transferor")
    floor.says("CHANNEL_PARK", other, source="1:b:bl_xfer:8105551234567/from-phone/XML", dialled="8105551234567")
    await floor.until(lambda: ends)
    await _talking(floor, "c", EMPLOYEE, ends)
    floor.says("CHANNEL_PARK", "c", source="1:c:bl_xfer:8105551234567/from-phone/XML", dialled="8105551234567")
    await floor.until(lambda: len(ends) == 2)
    assert ends == [Over("CALL_REJECTED"), Over("CALL_REJECTED")]


@pytest.mark.feature("R13")
async def test_the_recording_goes_on_with_whoever_is_served_instead(floor: Floor) -> None:
    ends: list[TalkEnd] = []
    other = await _talking(floor, "a", EMPLOYEE, ends, COLLEAGUE)
    call = floor.node.calls["a"]
    call.record(call.party, "recordings/1/a.wav")
    floor.says("CUSTOM", "a", subclass="sofia::transferor")
    floor.says("CHANNEL_PARK", other, source="1:b:bl_xfer:203/from-phone/XML", dialled="203")
    assert floor.orders.of("record_start") == [["a", "/media/recordings/1/a.wav"], [other, "/media/recordings/1/a.wav"]]
    assert floor.orders.of("record_stop") == [["a", "/media/recordings/1/a.wav"]]  # two must not write into one file
    assert [r.path for r in call.recordings] == ["recordings/1/a.wav"]
    assert [r.turned for r in call.recordings] == [True]  # left is he who was on the left, and who is there in his place
    await floor.until(lambda: ends)


async def test_a_caller_who_sends_his_callee_on_is_replaced_by_him(floor: Floor) -> None:
    ends: list[TalkEnd] = []
    other = await _talking(floor, "a", EMPLOYEE, ends)
    floor.says("CUSTOM", "a", subclass="sofia::transferor")
    floor.says("CHANNEL_PARK", other, source="1:b:bl_xfer:203/from-phone/XML", dialled="203")
    await floor.until(lambda: ends)
    assert isinstance(ends[0], Transfer)
    assert floor.node.calls["a"].party.id == other
    claimed = [words[0] for words in floor.orders.of("setvar_multi")]
    assert claimed == [other]  # he parks after the next talk, as a served party does


@pytest.mark.parametrize("first", ["mine", "theirs"])
async def test_an_employee_joins_the_two_whom_he_has_called(floor: Floor, first: str) -> None:
    """An attended transfer of an outgoing call: both partners were dialled, the transferor is the served party of both calls."""
    one, two = [], []  # type: ignore[var-annotated]
    partner = await _talking(floor, "a", EMPLOYEE, one)
    asked = await _talking(floor, "a2", EMPLOYEE, two)
    floor.says("CUSTOM", "a", subclass="sofia::transferor")
    floor.says("CHANNEL_UNBRIDGE", "a2", other=asked)
    floor.says("CHANNEL_PARK", "a2", disposition="ATTENDED_TRANSFER")
    floor.says("CHANNEL_UNBRIDGE", "a", other=partner)
    floor.says("CHANNEL_HANGUP_COMPLETE", "a", cause="ATTENDED_TRANSFER")
    floor.says("CHANNEL_BRIDGE", *((partner,) if first == "mine" else (asked,)), other=asked if first == "mine" else partner)
    floor.says("CHANNEL_HANGUP_COMPLETE", "a2", cause="ATTENDED_TRANSFER")
    await floor.until(lambda: "a2" not in floor.node.calls)
    assert not one
    assert not {words[0] for words in floor.orders.of("kill")} & {partner, asked}
    call = floor.node.calls["a"]
    assert (call.party.id, call.talked_with.uuid if call.talked_with else "") == (partner, asked)
    floor.hangs_up([asked])
    await floor.until(lambda: one)
    floor.hangs_up([partner])
    await floor.until(lambda: not floor.node.calls)


async def test_a_talk_that_the_switch_began_is_not_cut_by_the_dead_mans_timer(floor: Floor) -> None:
    seen: list[object] = []

    async def serve(call: LiveCall) -> Ending:
        seen.append(await call.next())
        await call.next()
        return Ending()

    floor.call("a", serve)
    other = floor.call("b", serve, EMPLOYEE)
    await floor.until(lambda: len(floor.orders.of("sched_transfer")) == 2)
    floor.orders.given.clear()
    floor.says("CHANNEL_BRIDGE", "a", other="b")
    await floor.until(lambda: seen and other.gone)
    assert isinstance(seen[0], Joined)
    assert floor.orders.of("sched_del").count(["a"]) == 1
    assert floor.orders.of("sched_del").count(["b"]) == 1
    assert not floor.orders.of("sched_transfer")


async def test_lines_are_free_again_after_every_way_out(floor: Floor) -> None:
    ends: list[TalkEnd] = []
    lines = floor.node.phones.lines
    other = await _talking(floor, "a", EMPLOYEE, ends)
    assert dict(lines.trunks) == {1: 1}
    floor.hangs_up([other, "a"])
    await floor.until(lambda: not floor.node.calls)
    assert not lines.trunks
    assert not lines.contacts


@pytest.mark.feature("R9", "R12")
async def test_each_phone_of_a_login_is_a_leg_and_all_of_them_one_line(floor: Floor) -> None:
    """Only a contact that could mean something else in a dial string leaves the fork to the switch."""
    phones, lines = floor.node.phones, floor.node.phones.lines
    user, contact = next(found for found in floor.snapshot.contacts.values() if found[1].address == "202")

    async def serve(call: LiveCall) -> Ending:
        call.dial(Callee("202", contact, user))
        await call.next()
        return Ending()

    phones.registrations.add(1, Registration("202", "office.test", "sip:202@192.0.2.1:5060"))
    phones.registrations.add(1, Registration("202", "office.test", "sip:202@10.0.0.2:1;fs_path=sip%3A192.0.2.2%3A5070"))
    floor.call("a", serve)
    await floor.until(lambda: len(floor.dialled()) == 2)
    places = [words[1] for words in floor.orders.of("originate")]
    assert places == ["sofia/internal/sip:202@192.0.2.1:5060", "sofia/internal/sip:202@10.0.0.2:1;fs_path=sip%3A192.0.2.2%3A5070"]
    assert lines.of(contact.id) == 1
    floor.hangs_up([floor.dialled()[0]])
    assert lines.of(contact.id) == 1
    floor.hangs_up([floor.dialled()[1], "a"])
    await floor.until(lambda: not floor.node.calls)
    assert lines.of(contact.id) == 0

    floor.orders.given.clear()
    phones.registrations.add(1, Registration("202", "office.test", "sip:202@192.0.2.3,sofia/gateway/trunk-1/8105551234567"))
    floor.call("b", serve)
    await floor.until(floor.dialled)
    assert [words[1] for words in floor.orders.of("originate")] == ["user/202@office.test"]
    floor.hangs_up([*floor.dialled(), "b"])
    await floor.until(lambda: not floor.node.calls)


@pytest.mark.feature("R16", "OUT-2")
async def test_lines_are_tried_one_after_another_until_one_reaches_the_called_phone() -> None:
    house = office((sip_user(201),), {})
    reserves = tuple(
        Trunk(id=n, title=f"Reserve {n}", registers=False, server="192.0.2.1", may_show=(house.core.dids[0].ref,)) for n in (2, 3)
    )
    floor = Floor(Snapshot(1, msgspec.structs.replace(house.core, trunks=(*house.core.trunks, *reserves)), {}))
    number = Callee("+79031234567", None, None, "+79031234567", None, "outgoing")
    got: list[object] = []

    async def serve(call: LiveCall) -> Ending:
        got.append(await ring(call, ((((number,),),),)))
        return Ending()

    call = floor.call("a", serve, EMPLOYEE)
    for n, cause in enumerate(("GATEWAY_DOWN", "NORMAL_TEMPORARY_FAILURE", "NORMAL_TEMPORARY_FAILURE"), 1):
        await floor.until(lambda n=n: len(floor.dialled()) == n)
        floor.hangs_up(floor.dialled()[-1:], cause)
    legs = floor.dialled()
    await floor.until(lambda: got)
    assert got == [NoOne({"+79031234567": "NORMAL_TEMPORARY_FAILURE"})]
    assert [call.legs[leg].trunk for leg in legs] == [1, 2, 3]
    assert [s.facts["line"] for _, s in call.steps if s.what == "line_failed"] == ["Provider", "Reserve 2"]
    assert floor.node.phones.lines.trunks == {}


@pytest.mark.feature("R9")
async def test_who_still_rings_is_told_that_the_caller_left_whatever_others_said_before() -> None:
    users = (sip_user(201), sip_user(202))
    floor = Floor(office(users, {}))
    for login in ("201", "202"):
        floor.node.phones.registrations.add(1, Registration(login, "office.test", f"sip:{login}@127.0.0.1:5070"))

    async def serve(call: LiveCall) -> Ending:
        await ring(call, plan("BY_USER", [Member(1, callees(user, call.snapshot.account)) for user in users]))
        return Ending()

    floor.call("a", serve)
    await floor.until(lambda: len(floor.dialled()) == 2)
    busy, ringing = floor.dialled()
    floor.hangs_up([busy], "USER_BUSY")
    floor.hangs_up(["a"], "ORIGINATOR_CANCEL")
    await floor.until(lambda: floor.orders.of("kill"))
    assert floor.orders.of("kill") == [[ringing, "ORIGINATOR_CANCEL"]]
