# SPDX-License-Identifier: Apache-2.0
"""What the node keeps straight around the calls: dead-man timers, lost orders, whose call it was."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from engine.calls.call import Answered, Callee, Caller, Ended, Event
from engine.calls.cdr import summarise
from engine.calls.live import LiveCall
from engine.calls.ordered import Ordered
from engine.calls.presence import Registration
from engine.calls.reception import Ending
from engine.calls.ringing import ring
from engine.calls.talk import converse
from engine.esl.switch import Refusal
from engine.plugin.testing import office, sip_user
from engine.snapshot import Ref, Snapshot
from tests.engine_calls.floor import Floor

LOST = "-ERR connection lost"


@pytest.fixture
async def floor() -> Floor:
    return Floor(office((sip_user(201), sip_user(202)), {}))


async def test_a_caller_left_alone_by_a_talk_is_guarded_again(floor: Floor) -> None:
    ends: list[object] = []

    async def serve(call: LiveCall) -> Ending:
        (other,) = call.dial(Callee("202", number="+79271112233"))
        await call.next()
        ends.append(await converse(call, other))
        await call.next()  # held for too long, a transfer: he waits for somebody else now
        return Ending()

    floor.call("a", serve)
    await floor.until(floor.dialled)
    other = floor.dialled()[0]
    floor.answers(other)
    await floor.until(lambda: floor.orders.of("bridge"))
    floor.says("CHANNEL_BRIDGE", "a", other=other)
    floor.orders.given.clear()
    floor.node.guards.rearm()
    assert not floor.orders.given
    floor.says("CHANNEL_UNBRIDGE", "a", other=other)
    floor.says("CHANNEL_PARK", "a")
    floor.hangs_up([other])
    await floor.until(lambda: ends)
    floor.node.guards.rearm()
    assert [words[0] for words in floor.orders.of("sched_transfer")] == ["a"]
    floor.hangs_up(["a"])


@pytest.mark.parametrize(("answer", "cause"), [("-ERR USER_BUSY\n", "USER_BUSY"), ("-ERR", "NORMAL_TEMPORARY_FAILURE")])
async def test_a_refused_leg_has_ended(floor: Floor, answer: str, cause: str) -> None:
    got: list[Event] = []

    async def serve(call: LiveCall) -> Ending:
        call.dial(Callee("202", number="+79271112233"))
        got.append(await call.next())
        return Ending()

    floor.call("a", serve)
    await floor.until(floor.dialled)
    floor.node.on_refused(Refusal("originate", floor.dialled()[0], answer))
    await floor.until(lambda: got)
    assert isinstance(got[0], Ended)
    assert got[0].cause == cause
    assert not floor.node.phones.lines.trunks
    floor.hangs_up(["a"])


async def test_a_phone_rings_on_while_the_connection_is_lost(floor: Floor) -> None:
    got: list[Event] = []

    async def serve(call: LiveCall) -> Ending:
        call.dial(Callee("202", number="+79271112233"))
        got.append(await call.next())
        return Ending()

    floor.call("a", serve)
    await floor.until(floor.dialled)
    leg = floor.dialled()[0]
    floor.node.on_refused(Refusal("originate", leg, LOST))
    assert floor.node.calls["a"].legs[leg].alive
    floor.answers(leg)
    await floor.until(lambda: got)
    assert isinstance(got[0], Answered)
    floor.hangs_up([leg, "a"])


async def test_an_ordered_call_is_the_employees(floor: Floor) -> None:
    async def serve(call: LiveCall) -> Ending:
        user = floor.snapshot.users[201]
        (phone,) = call.dial(Callee("201", user.contacts[0], user))
        await call.next()
        call.serve(phone)
        return Ending()

    client = Caller("+79271234567", "", True, None, None, "+74951234567")
    call = floor.node.order("order-1", floor.snapshot, client, Ordered("callback", {}))
    floor.node.run(call, serve)
    await floor.until(lambda: call.legs)
    leg = next(iter(call.legs))
    assert call.legs[leg].cause == ""
    call.legs[leg].answered_at = datetime.now(UTC)
    call.serve(call.legs[leg].leg)
    assert summarise(call, datetime.now(UTC)).user == 201


@pytest.mark.feature("OUT-3", "R17")
async def test_emergency_calls_pass_every_gate(floor: Floor) -> None:
    async def serve(call: LiveCall) -> Ending:
        await call.next()
        return Ending()

    floor.node._gates.add("no credit", lambda question: "no credit")
    call = floor.call("a", serve, Caller("201", "", False, 201, None, "112"))
    call.dial(Callee("112", number="112"))
    (refused,) = call.dial(Callee("+79261112233", number="+79261112233"))
    assert [words[0] for words in floor.orders.of("originate")] == [next(iter(s.uuid for s in call.legs.values() if s.number == "112"))]
    await floor.until(lambda: not call.legs[refused.id].alive)
    assert call.legs[refused.id].cause == "OUTGOING_CALL_BARRED"
    floor.hangs_up(["a"])


async def test_a_claimed_caller_whom_nobody_can_place_is_refused(floor: Floor) -> None:
    floor.arrives("a")  # routing fails: see Nobody
    await floor.until(lambda: floor.orders.of("respond"))
    assert floor.orders.of("respond") == [["a", 503]]


async def test_a_parked_leg_of_a_call_that_is_not_taken_up_yet_is_no_new_caller(floor: Floor) -> None:
    floor.says("CHANNEL_PARK", "a", direction="inbound", call="a", source="1:a:bl_xfer:202/from-trunk/XML")
    floor.arrives("b")
    await floor.until(lambda: floor.orders.of("respond"))
    assert [words[0] for words in floor.orders.of("sched_del")] == ["b"]


async def test_a_caller_who_hangs_up_while_he_is_claimed_is_not_served(floor: Floor) -> None:
    floor.arrives("a")
    floor.hangs_up(["a"])
    floor.arrives("b")
    await floor.until(lambda: floor.orders.of("respond"))
    assert [words[0] for words in floor.orders.of("respond")] == ["b"]


async def test_a_leg_given_up_before_the_switch_had_it_is_ended_when_it_appears(floor: Floor) -> None:
    async def serve(call: LiveCall) -> Ending:
        call.dial(Callee("202", number="+79271112233"))
        await call.next()
        return Ending()

    floor.call("a", serve)
    await floor.until(floor.dialled)
    leg = floor.dialled()[0]
    floor.hangs_up(["a"])
    await floor.until(lambda: ("kill", leg, "ORIGINATOR_CANCEL") in floor.orders.given)
    floor.orders.given.clear()  # the switch has said: no such channel
    floor.says("CHANNEL_CREATE", leg)
    assert floor.orders.given == [("kill", leg, "ORIGINATOR_CANCEL")]
    floor.hangs_up([leg])
    await floor.until(lambda: not floor.node.calls)


@pytest.mark.parametrize("whose", ["his own customer's", "another customer's", "his own call", "a number's"])
async def test_nobody_picks_up_another_customers_call(floor: Floor, whose: str) -> None:
    async def waits(call: LiveCall) -> Ending:
        await call.next()
        return Ending()

    group, elsewhere = Ref("groups.group", 1), Ref("groups.group", 2)
    ringing, picker = floor.call("a", waits), floor.call("b", waits)
    user = floor.snapshot.users[201]
    (picker if whose == "his own call" else ringing).dial(
        Callee("202", number="+79271112233", group=group) if whose == "a number's" else Callee("201", user.contacts[0], user, group=group)
    )
    if whose == "another customer's":
        account = msgspec.structs.replace(ringing.snapshot.account, id=2)
        ringing.snapshot = Snapshot(1, msgspec.structs.replace(ringing.snapshot.core, account=account), {})
    assert not picker.pick_up([elsewhere])
    joined = picker.pick_up([elsewhere, group])
    assert joined == (("bridge", "a", "b") in floor.orders.given)
    assert joined == (whose == "his own customer's")
    assert not picker.pick_up([group])  # nobody fetches a call twice


async def test_phones_of_a_caller_who_leaves_show_a_missed_call(floor: Floor) -> None:
    """Only those that lose to another phone are told "answered elsewhere"."""
    user, phone = floor.snapshot.contacts[floor.snapshot.core.users[0].contacts[0].id]
    floor.node.phones.registrations.add(1, Registration(phone.address, "office.test", "sip:201@127.0.0.1"))

    async def serve(call: LiveCall) -> Ending:
        await ring(call, ((((Callee("201", phone, user),),),),))
        return Ending()

    floor.call("a", serve)
    await floor.until(floor.dialled)
    floor.hangs_up(["a"])
    await floor.until(lambda: ("kill", floor.dialled()[0], "ORIGINATOR_CANCEL") in floor.orders.given)
    assert not [words for words in floor.orders.given if "LOSE_RACE" in words]
