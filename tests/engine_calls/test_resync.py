# SPDX-License-Identifier: Apache-2.0
"""The sweep against an imaginary switch: callers nobody serves, calls that can't be taken up, transfers nobody heard of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine import clock
from engine.calls.call import Callee, Caller, Leg, Step
from engine.calls.journal import OpenCall, Opening
from engine.calls.leg import LegState
from engine.calls.live import LiveCall
from engine.calls.presence import Registration
from engine.calls.reception import Admission, Ending, Rejection
from engine.calls.resync import Resync
from engine.calls.talk import TalkEnd, Transfer, converse
from engine.errors import NotFound
from engine.esl.event import Event
from engine.plugin.testing import office, sip_user
from engine.snapshot import Ref, Snapshot
from tests.engine_calls.floor import OUTSIDER, Floor, Orders

CORE = "5a7f0a2e-0000-4000-8000-000000000001"


class World(Orders):
    """The switch's channels; `timers` = how many timers a channel has."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[str, dict[str, str]] = {}
        self.variables: dict[str, dict[str, str]] = {}
        self.timers: dict[str, int] = {}
        self.now: dict[str, dict[str, str]] = {}
        """What a channel says of itself, where the table does not know it yet."""

    def channel(self, uuid: str, *, timers: int = 1, variables: dict[str, str] | None = None, **row: str) -> None:
        """A caller who is parked, unless `row` says otherwise."""
        self.rows[uuid] = {"uuid": uuid, "direction": "inbound", "application": "park", **row}
        self.variables[uuid] = variables or {}
        self.timers[uuid] = timers

    def claim(self, uuid: str, reply: Callable[[int], None]) -> None:
        self.given.append(("sched_del", uuid))
        asyncio.get_running_loop().call_soon(reply, self.timers.pop(uuid, 0))

    async def show_registrations(self) -> list[dict[str, str]]:
        return []

    async def gateway_states(self) -> dict[str, str]:
        return {"trunk-1": "REGED"}

    async def show_channels(self) -> list[dict[str, str]]:
        return list(self.rows.values())

    async def core_uuid(self) -> str:
        return CORE

    async def dump(self, uuid: str) -> Event | None:
        if uuid not in self.rows:
            return None
        known = {f"variable_{name}": value for name, value in self.variables[uuid].items()}
        return Event.of({"Event-Name": "CHANNEL_DATA", "Unique-ID": uuid, "Call-Direction": "inbound", **known, **self.now.get(uuid, {})})


@dataclass
class Memory:
    """The journal of the last engine. A text stands for a call that can't be read."""

    calls: dict[str, OpenCall | str] = field(default_factory=dict)
    given_up: list[str] = field(default_factory=list)
    old: bool = False

    def open_calls(self) -> Collection[str]:
        return list(self.calls)

    def open_call(self, call_id: str) -> OpenCall:
        call = self.calls[call_id]
        if isinstance(call, str):
            raise ValueError(call)
        return call

    def give_up(self, call_id: str, living: Collection[str]) -> bool:
        if self.old:
            self.given_up.append(call_id)
        return self.old

    def last_alive(self) -> datetime | None:
        return clock.now()


@dataclass
class Desk:
    """Says what becomes of calls."""

    served: list[Any] = field(default_factory=list)

    def admit(self, event: Event) -> Admission | Rejection:
        async def wait(call: LiveCall) -> Ending:
            self.served.append(call.id)
            await call.next()
            return Ending()

        return Admission(SNAPSHOT, OUTSIDER, Leg(event.uuid, "caller", external=True), "in", "incoming", wait)

    async def resume(self, call: LiveCall, at: Ref | None, talking_with: Leg | None, *, joined: bool = True) -> Ending:
        self.served.append(("resumed", call.id, talking_with.id if talking_with else None))
        await call.next()
        return Ending()

    async def transferred(self, call: LiveCall, number: str, by: Leg) -> Ending:
        self.served.append(("transferred", call.id, call.party.id, number, by.id))
        await call.next()
        return Ending()

    def left(self, call: LiveCall) -> None:
        self.served.append(("left", call.id))


SNAPSHOT: Snapshot = office((sip_user(201),), {})


@dataclass
class Sweeping:
    world: World
    floor: Floor
    desk: Desk
    journal: Memory
    resync: Resync
    known: list[int]

    async def sweep(self) -> None:
        assert await self.resync.sweep()
        for _ in range(20):
            await asyncio.sleep(0)  # claims and the scenarios they begin

    def talked(self, call_id: str) -> OpenCall:
        """A call whose caller "a" talked with "b" when the engine died, a minute ago."""
        at = clock.now() - timedelta(minutes=1)
        legs = {
            "a": LegState(Leg("a", "caller", external=True), "in", "incoming", at, answered_at=at, ready=True),
            "b": LegState(Leg("b", "201", 201), "out", "member", at, answered_at=at, ready=True),
        }
        caller = Caller("+79271234567", dialled="+74951234567")
        opening = Opening(account=1, revision=1, direction="in", party="a", started_at=at, caller=caller)
        return OpenCall(call_id, opening, legs, [(at, Step("talk", {"who": "201"}))])


    def talked_to_an_outsider(self) -> OpenCall:
        """The same, but an employee has called an outsider."""
        call = self.talked("a")
        call.legs["a"].leg, call.legs["b"].leg = Leg("a", "201", 201), Leg("b", "+79271234567", external=True)
        call.steps[-1] = (call.steps[-1][0], Step("talk", {"who": "+79271234567"}))
        return call


@pytest.fixture
async def sweeping(tmp_path: Path) -> AsyncIterator[Sweeping]:
    world = World()
    floor, desk, journal, known = Floor(SNAPSHOT, world), Desk(), Memory(), [1]
    floor.node._reception = desk

    def snapshot(account: int) -> Snapshot:
        if account not in known:
            raise NotFound
        return SNAPSHOT

    resync = Resync(floor.node, desk, journal, snapshot, tmp_path / "legs.csv", tmp_path / "switch.core")
    yield Sweeping(world, floor, desk, journal, resync, known)
    await floor.node.close_down()


async def test_a_caller_whose_claim_was_not_answered_is_served_by_the_next_sweep(sweeping: Sweeping) -> None:
    await sweeping.sweep()
    sweeping.world.channel("a", timers=0)  # the switch has deleted it, the connection broke before its answer
    await sweeping.sweep()
    assert sweeping.desk.served == ["a"]
    await sweeping.sweep()
    assert sweeping.desk.served == ["a"]


async def test_the_states_of_lines_are_known_after_a_restart(sweeping: Sweeping) -> None:
    await sweeping.sweep()
    assert sweeping.floor.node.phones.gateways == {"trunk-1": "REGED"}


async def test_a_caller_who_is_being_claimed_is_served_once(sweeping: Sweeping) -> None:
    await sweeping.sweep()
    sweeping.world.channel("a")
    sweeping.floor.arrives("a")
    await sweeping.sweep()
    assert sweeping.desk.served == ["a"]


async def test_a_call_that_cant_be_read_holds_up_no_other(sweeping: Sweeping) -> None:
    sweeping.journal.calls = {"0": "written by another version", "a": sweeping.talked("a")}
    for uuid, other in (("a", "b"), ("b", "a")):
        sweeping.world.channel(uuid, application="", state="CS_EXCHANGE_MEDIA", call_uuid=other)
    await sweeping.sweep()
    assert sweeping.desk.served == [("resumed", "a", "b")]


async def test_a_call_whose_configuration_comes_later_is_taken_up_then(sweeping: Sweeping) -> None:
    sweeping.journal.calls = {"a": sweeping.talked("a")}
    for uuid, other in (("a", "b"), ("b", "a")):
        sweeping.world.channel(uuid, application="", state="CS_EXCHANGE_MEDIA", call_uuid=other)
    sweeping.known.clear()
    await sweeping.sweep()
    assert not sweeping.desk.served
    sweeping.known.append(1)
    await sweeping.sweep()
    assert sweeping.desk.served == [("resumed", "a", "b")]
    await sweeping.sweep()
    assert len(sweeping.desk.served) == 1


async def test_a_call_that_fails_half_way_leaves_nothing_and_is_tried_again(sweeping: Sweeping, monkeypatch: pytest.MonkeyPatch) -> None:
    sweeping.journal.calls = {"a": sweeping.talked("a")}
    for uuid, other in (("a", "b"), ("b", "a")):
        sweeping.world.channel(uuid, application="", state="CS_EXCHANGE_MEDIA", call_uuid=other)
    with monkeypatch.context() as broken:
        broken.setattr("engine.calls.resync.scenario_of", lambda *words: 1 / 0)
        await sweeping.sweep()
    assert not sweeping.floor.node.calls
    assert not sweeping.floor.node.call_of("b")
    assert not sweeping.floor.node.phones.lines.contacts
    sweeping.journal.calls = {"a": sweeping.talked("a")}  # read from the disk anew
    await sweeping.sweep()
    assert sweeping.desk.served == [("resumed", "a", "b")]


async def test_a_call_that_nobody_can_take_up_is_given_up_once(sweeping: Sweeping) -> None:
    sweeping.journal.calls = {"0": "damaged"}
    sweeping.journal.old = True
    await sweeping.sweep()
    await sweeping.sweep()
    assert sweeping.journal.given_up == ["0"]


async def test_a_full_disk_does_not_keep_calls_from_being_served(sweeping: Sweeping) -> None:
    sweeping.resync._core_file = sweeping.resync._core_file / "no" / "folder"
    sweeping.world.channel("a")
    await sweeping.sweep()
    assert sweeping.desk.served == ["a"]
    assert sweeping.resync.core_uuid == CORE


def sent(number: str, ago: int = 0) -> dict[str, str]:
    return {"vats_call": "a", "transfer_source": f"{int(clock.now().timestamp()) - ago}:a:bl_xfer:{number}/from-trunk/XML"}


async def test_a_transfer_that_nobody_heard_of_is_made(sweeping: Sweeping) -> None:
    sweeping.journal.calls = {"a": sweeping.talked("a")}
    sweeping.world.channel("a", variables=sent("202"))
    sweeping.floor.says("CHANNEL_PARK", "a", direction="inbound", call="a")  # connected, not swept yet
    await sweeping.sweep()
    assert sweeping.desk.served == [("transferred", "a", "a", "202", "b")]
    assert not sweeping.floor.orders.of("respond")


async def test_a_callee_whom_the_caller_sent_on_is_served(sweeping: Sweeping) -> None:
    sweeping.journal.calls = {"a": sweeping.talked_to_an_outsider()}
    sweeping.world.channel("b", direction="outbound", variables=sent("202"))
    await sweeping.sweep()
    assert sweeping.desk.served == [("transferred", "a", "b", "202", "a")]


TIMER = {"transfer_source": "9999999999:a:bl_xfer:unavail/vats/XML"}


async def test_an_outsider_sends_nobody_on(sweeping: Sweeping) -> None:
    sweeping.journal.calls = {"a": sweeping.talked_to_an_outsider()}
    sweeping.world.channel("a", variables=sent("810442071234567"))
    await sweeping.sweep()
    assert not sweeping.desk.served
    assert [words[0] for words in sweeping.floor.orders.of("kill")] == ["a"]


@pytest.mark.parametrize("variables", [sent("202", ago=3600), TIMER], ids=["an old one", "a dead-man timer"])
async def test_what_is_no_fresh_transfer_ends_the_talk(sweeping: Sweeping, variables: dict[str, str]) -> None:
    sweeping.journal.calls = {"a": sweeping.talked("a")}
    sweeping.world.channel("a", variables=variables)
    await sweeping.sweep()
    assert not sweeping.desk.served
    assert [words[0] for words in sweeping.floor.orders.of("kill")] == ["a"]


def went_back_to_him(call: OpenCall) -> OpenCall:
    """201 had turned from the one consulted to the caller before he ended the consultation: their talk was not begun anew."""
    at = call.steps[-1][0]
    by = {"by": "201"}
    for what, facts in (("consults", {"number": "202"}), ("consultation", {"who": "202"}), ("toggled", {"who": "caller"})):
        call.steps.append((at, Step(what, by | facts)))
    call.steps.append((at, Step("consultation_over", by | {"why": "cancelled"})))
    return call


@pytest.mark.feature("R20", "R1")
async def test_a_talk_that_went_on_after_a_consultation_is_over_when_the_other_one_has_gone(sweeping: Sweeping) -> None:
    sweeping.journal.calls = {"a": went_back_to_him(sweeping.talked("a"))}
    sweeping.world.channel("a")
    await sweeping.sweep()
    assert not sweeping.desk.served
    assert [words[0] for words in sweeping.floor.orders.of("kill")] == ["a"]


@pytest.mark.feature("R20", "R1")
async def test_a_transfer_after_a_consultation_that_nobody_heard_of_is_made(sweeping: Sweeping) -> None:
    sweeping.journal.calls = {"a": went_back_to_him(sweeping.talked("a"))}
    sweeping.world.channel("a", variables=sent("202"))
    await sweeping.sweep()
    assert sweeping.desk.served == [("transferred", "a", "a", "202", "b")]


async def talking(sweeping: Sweeping, ends: list[TalkEnd]) -> str:
    """A caller "a" who talks with 201; 201's leg."""
    await sweeping.sweep()
    (user,) = SNAPSHOT.core.users
    sweeping.floor.node.phones.registrations.add(1, Registration(user.contacts[0].address, "office.test", "sip:201@127.0.0.1"))

    async def serve(call: LiveCall) -> Ending:
        (leg,) = call.dial(Callee("201", user.contacts[0], user))
        await call.next()
        ends.append(await converse(call, leg))
        return Ending()

    sweeping.world.channel("a", application="", state="CS_EXCHANGE_MEDIA")
    sweeping.floor.call("a", serve)
    await sweeping.floor.until(sweeping.floor.dialled)
    (other,) = sweeping.floor.dialled()
    sweeping.world.channel(other, application="park", state="CS_EXECUTE")
    sweeping.floor.answers(other)
    await sweeping.floor.until(lambda: sweeping.floor.node.calls["a"].talked_with)
    return other


@pytest.mark.feature("R14")
async def test_a_hold_that_ended_or_began_unheard(sweeping: Sweeping) -> None:
    ends: list[TalkEnd] = []
    other = await talking(sweeping, ends)
    call = sweeping.floor.node.calls["a"]
    for state, told in (("HELD", "held"), ("ACTIVE", "resumed")):
        sweeping.resync.lost()
        sweeping.resync.connected()
        sweeping.world.now = {uuid: {"Channel-State": "CS_EXCHANGE_MEDIA"} for uuid in ("a", other)}
        sweeping.world.now[other]["Channel-Call-State"] = state
        await sweeping.sweep()
        assert call.steps[-1][1].what == told
    assert not ends


@pytest.mark.parametrize("parked", [True, False])
async def test_a_transfer_that_the_table_does_not_show_yet(sweeping: Sweeping, parked: bool) -> None:
    ends: list[TalkEnd] = []
    other = await talking(sweeping, ends)
    sweeping.resync.lost()
    sweeping.resync.connected()
    sweeping.world.variables["a"] = sent("202") | {"current_application": "park" if parked else "set"}
    sweeping.world.now["a"] = {"Channel-State": "CS_EXECUTE", "Caller-Destination-Number": "202"}
    await sweeping.sweep()
    if not parked:
        assert not ends
        sweeping.floor.says("CHANNEL_PARK", "a", source=sweeping.world.variables["a"]["transfer_source"], dialled="202")
    await sweeping.floor.until(lambda: ends)
    assert ends == [Transfer("202", sweeping.floor.node.calls["a"].legs[other].leg)]
