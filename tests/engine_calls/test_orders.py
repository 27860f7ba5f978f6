# SPDX-License-Identifier: Apache-2.0
"""Ordered calls: begun once, each for itself, and gone on with by the next engine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from tortoise.exceptions import DBConnectionError

from engine import clock
from engine.calls.call import Leg, LegReason
from engine.calls.journal import Opening, opening
from engine.calls.leg import LegState
from engine.calls.live import LiveCall
from engine.calls.ordered import Ordered
from engine.calls.presence import Registration
from engine.errors import NotFound
from engine.plugin.testing import office, sip_user
from engine.routing.carry_out import CORE_ORDERS, CallBackOrder
from engine.routing.inbound import FrontDesk
from engine.routing.order_action import OrderAction
from engine.runtime.engine_role import EngineRole
from engine.snapshot import Snapshot
from tests.engine_calls.floor import Floor


def orders() -> dict[str, OrderAction]:
    return {order.kind: order for order in CORE_ORDERS}


@pytest.mark.feature("BOT-2")
@pytest.mark.parametrize(
    ("kind", "arguments", "account"),
    [("callback", {"user": 201, "number": "+79271234567"}, 9), ("callback", {"user": "nobody"}, 1), ("conference", {}, 1)],
    ids=["an account that is not here", "no arguments", "an unknown kind"],
)
async def test_an_impossible_order_fails_alone(kind: str, arguments: dict[str, Any], account: int) -> None:
    finished: list[bool] = []
    snapshot = office((sip_user(201),), {})

    def find(number: int) -> Snapshot:
        if number != 1:
            raise NotFound
        return snapshot

    async def finish(order: object, result: dict[str, Any], *, failed: bool = False) -> bool:
        finished.append(failed)
        return True

    role = EngineRole.__new__(EngineRole)
    role.ctx = SimpleNamespace(orders=SimpleNamespace(finish=finish), snapshot=find, registry=SimpleNamespace(actions=dict, orders=orders))  # type: ignore[assignment]
    role.node = Floor(snapshot).node
    await role._carry_out(SimpleNamespace(id=7, created_at=clock.now(), kind=kind, arguments=arguments, account_id=account))  # type: ignore[arg-type]
    assert finished == [True]
    assert not role.node.calls


WISH = {"user": 201, "number": "+79271234567"}


def role_with(snapshot: Snapshot, finish: Callable[..., Awaitable[bool]]) -> EngineRole:
    role = EngineRole.__new__(EngineRole)
    role.ctx = SimpleNamespace(  # type: ignore[assignment]
        orders=SimpleNamespace(finish=finish), snapshot=lambda account: snapshot, registry=SimpleNamespace(actions=dict, orders=orders)
    )
    role.node = Floor(snapshot).node
    return role


@pytest.mark.feature("BOT-2")
async def test_nobody_is_rung_long_after_the_wish() -> None:
    finished: list[bool] = []

    async def finish(order: object, result: dict[str, Any], *, failed: bool = False) -> bool:
        finished.append(failed)
        return True

    role = role_with(office((sip_user(201),), {}), finish)
    old = clock.now() - timedelta(minutes=6)
    await role._carry_out(SimpleNamespace(id=7, created_at=old, kind="callback", arguments=WISH, account_id=1))  # type: ignore[arg-type]
    assert finished == [True]
    assert not role.node.calls


@pytest.mark.feature("BOT-2")
@pytest.mark.parametrize("answer", [DBConnectionError("away"), False], ids=["the database is away", "taken by another engine"])
async def test_nobody_is_rung_before_the_row_says_so(answer: Exception | bool) -> None:
    role = role_with(office((sip_user(201),), {}), lambda *a, **k: answered(answer))
    order: Any = SimpleNamespace(id=7, created_at=clock.now(), kind="callback", arguments=WISH, account_id=1)
    with contextlib.suppress(DBConnectionError):
        await role._carry_out(order)
    assert not role.node.calls


async def answered(answer: Exception | bool) -> bool:
    if isinstance(answer, Exception):
        raise answer
    return answer


@pytest.mark.feature("BOT-2")
async def test_an_order_is_written_down_with_its_purpose() -> None:
    role = role_with(office((sip_user(201),), {}), lambda *a, **k: answered(True))
    await role._carry_out(SimpleNamespace(id=7, created_at=clock.now(), kind="callback", arguments=WISH, account_id=1))  # type: ignore[arg-type]
    (call,) = role.node.calls.values()
    again = msgspec.convert(msgspec.to_builtins(opening(call)), Opening)
    assert again.ordered == Ordered("callback", WISH)
    await role.node.close_down()


@dataclass
class Resumed:
    """The order as the next engine finds it: the legs that its journal knows, and the scenario that goes on with them."""

    floor: Floor
    call: LiveCall

    def leg(self, uuid: str, reason: LegReason, *, answered: bool = False, ended: bool = False, contact: int | None = None) -> LegState:
        state = LegState(Leg(uuid, uuid, 201, contact, contact is None), "out", reason, clock.now(), None, None, uuid)
        if answered:
            state.answered_at, state.ready = clock.now(), True
        if ended:
            state.ended_at, state.cause = clock.now(), "NO_ANSWER"
        self.call.legs[uuid] = state
        return state

    def goes_on(self) -> None:
        desk = FrontDesk(lambda: (self.call.snapshot,), lambda account: self.call.snapshot, lambda domain: 1, dict)
        self.floor.node.adopt_call(self.call)
        self.floor.node.run(self.call, lambda call: desk.resume(call, None, None))

    @property
    def numbers_dialled(self) -> list[str]:
        return [self.call.legs[uuid].number for uuid in self.floor.dialled()]


@pytest.fixture
async def resumed() -> AsyncIterator[Resumed]:
    floor = Floor(office((sip_user(201),), {}))
    call = LiveCall(
        floor.node, floor.snapshot, CallBackOrder().begin(WISH).caller, None, started_at=clock.now(), id="order-7"
    )  # fmt: skip
    call.direction, call.ordered = "out", Ordered("callback", WISH)
    yield Resumed(floor, call)
    await floor.node.close_down()


@pytest.mark.feature("BOT-2")
async def test_an_employee_who_was_reached_is_joined_with_the_client(resumed: Resumed) -> None:
    employee = resumed.leg("e", "callback_employee", answered=True)
    resumed.call.party = employee.leg
    resumed.goes_on()
    await resumed.floor.until(lambda: resumed.floor.orders.of("playback"))
    given = [order for order, *_ in resumed.floor.orders.given]
    resumed.floor.says("CHANNEL_EXECUTE_COMPLETE", "e", run=f"run-{given.index('playback') + 1}", response="FILE PLAYED")
    await resumed.floor.until(resumed.floor.dialled)
    assert resumed.numbers_dialled == ["+79271234567"]


@pytest.mark.feature("BOT-2")
async def test_a_client_who_rings_goes_on_ringing(resumed: Resumed) -> None:
    resumed.call.party = resumed.leg("e", "callback_employee", answered=True).leg
    resumed.leg("c", "callback_client")
    resumed.goes_on()
    await asyncio.sleep(0)
    resumed.floor.answers("c")
    await resumed.floor.until(lambda: resumed.floor.orders.of("bridge"))
    assert resumed.floor.orders.of("bridge") == [["e", "c"]]
    assert not resumed.floor.dialled()


@pytest.mark.feature("BOT-2")
async def test_an_employee_who_rings_goes_on_ringing(resumed: Resumed) -> None:
    resumed.leg("e", "callback_employee")
    resumed.goes_on()
    await asyncio.sleep(0)
    resumed.floor.answers("e")
    await resumed.floor.until(lambda: resumed.floor.orders.of("playback"))
    assert resumed.call.party.id == "e"
    assert not resumed.floor.dialled()


@pytest.mark.feature("BOT-2")
async def test_an_order_that_has_rung_nobody_yet_begins(resumed: Resumed) -> None:
    resumed.floor.node.phones.registrations.add(1, Registration("201", "office.test", "sip:201@192.0.2.1"))
    resumed.goes_on()
    await resumed.floor.until(resumed.floor.dialled)
    assert resumed.call.legs[resumed.floor.dialled()[0]].reason == "callback_employee"


@pytest.mark.feature("BOT-2")
@pytest.mark.parametrize("answered", [True, False], ids=["answered, nobody was there", "did not answer"])
async def test_an_employee_is_not_rung_twice(resumed: Resumed, answered: bool) -> None:
    resumed.floor.node.phones.registrations.add(1, Registration("201", "office.test", "sip:201@192.0.2.1"))
    contact = resumed.call.snapshot.users[201].contacts[0]
    resumed.leg("e", "callback_employee", answered=answered, ended=True, contact=contact.id)
    resumed.goes_on()
    await resumed.floor.until(lambda: not resumed.floor.node.calls)
    assert not resumed.floor.dialled()


@pytest.mark.feature("BOT-2")
async def test_a_client_who_did_not_answer_is_not_rung_twice(resumed: Resumed) -> None:
    resumed.call.party = resumed.leg("e", "callback_employee", answered=True).leg
    resumed.leg("c", "callback_client", ended=True)
    resumed.goes_on()
    await resumed.floor.until(lambda: resumed.floor.orders.of("kill"))
    assert not resumed.floor.dialled()
    resumed.floor.hangs_up(["e"])


@pytest.mark.feature("BOT-2")
async def test_an_employee_waits_for_a_client_who_rings_long(resumed: Resumed) -> None:
    resumed.floor.node.phones.registrations.add(1, Registration("201", "office.test", "sip:201@192.0.2.1"))
    resumed.goes_on()
    await resumed.floor.until(resumed.floor.dialled)
    (employee,) = resumed.floor.dialled()
    resumed.floor.answers(employee)
    await resumed.floor.until(lambda: resumed.floor.orders.of("playback"))
    assert [words[0] for words in resumed.floor.orders.of("sched_transfer")] == [employee]  # he is guarded by a timer
    run = [order for order, *_ in resumed.floor.orders.given].index("playback") + 1
    resumed.floor.says("CHANNEL_EXECUTE_COMPLETE", employee, run=f"run-{run}", response="FILE PLAYED")
    await resumed.floor.until(lambda: len(resumed.floor.dialled()) == 2)
    limits = [values.get("park_timeout") for _, _, values in resumed.floor.orders.of("originate")]
    assert limits == [None, "10:NO_ANSWER"]
