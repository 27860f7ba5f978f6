# SPDX-License-Identifier: Apache-2.0
"""Ordered calls: the employee is rung first, then the client through the trunk, then both talk; also when the engine dies in between."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.people import ContactWish
from engine.sdk import Beginning, models
from tests.calls.apart import ApartPbx, apart
from tests.calls.pbx import OUTSIDER, Pbx
from tests.calls.telephone import Line

of_the_session = pytest.mark.asyncio(loop_scope="session")


async def both_hear(phone: Line, provider: Line) -> None:
    phone.say(500)
    provider.say(1300)
    await provider.hears(500)
    await phone.hears(1300)


@of_the_session
@pytest.mark.feature("BOT-2", "R19")
async def test_call_back(shared: Pbx) -> None:
    user = await shared.user("201")
    async with shared.provider() as provider, shared.telephone("201") as phone:
        trunk = await shared.line(server=provider.host, port=provider.port)
        await shared.number("+74956660010", trunk)
        orders = shared.runtime.ctx.orders
        wish = {"user": user, "number": OUTSIDER}
        await orders.place(shared.account, "callback", wish, key="once")
        await orders.place(shared.account, "callback", wish, key="once")  # pressed twice
        employee = await phone.takes()
        assert OUTSIDER[2:] in employee.invite.get("From")  # he sees the client
        assert not provider.rung
        await employee.answer()
        client = await provider.answers()
        assert client.invite.uri.startswith(f"sip:{OUTSIDER[1:]}@")
        assert "sip:74956660010@" in client.invite.get("From")
        await both_hear(phone, provider)
        await client.hang_up()
        await employee.ended()
        (record,) = await shared.records(1)
    assert record.direction == "out"
    assert record.talked
    assert len(phone.rung) == len(provider.rung) == 1
    assert len(record.legs) == 2


class Broken:
    """A plugin's kind of order with a fault in it."""

    kind = "broken"

    def begin(self, arguments: object) -> Beginning:
        raise KeyError("a fault of the plugin")


@of_the_session
async def test_a_faulty_order_holds_up_nobody(shared: Pbx, monkeypatch: pytest.MonkeyPatch) -> None:
    user = await shared.user("201")
    ctx = shared.runtime.ctx
    kinds = {**ctx.registry.orders(), "broken": Broken()}
    monkeypatch.setattr(type(ctx.registry), "orders", lambda registry: kinds)
    async with shared.provider() as provider, shared.telephone("201") as phone:
        await shared.number("+74956660012", await shared.line(server=provider.host, port=provider.port))
        broken = await ctx.orders.place(shared.account, "broken", {}, key="broken")
        await ctx.orders.place(shared.account, "callback", {"user": user, "number": OUTSIDER}, key="behind it")
        await phone.refuses(486)
        await shared.records(1)
    row = await models.CallOrder.of(shared.account).get(id=broken)
    assert row.status == "failed"
    assert "a fault of the plugin" in row.result["error"]


@of_the_session
@pytest.mark.feature("BOT-2")
async def test_the_employee_does_not_answer(shared: Pbx) -> None:
    user = await shared.user("201")
    async with shared.provider() as provider, shared.telephone("201") as phone:
        trunk = await shared.line(server=provider.host, port=provider.port)
        await shared.number("+74956660011", trunk)
        await shared.runtime.ctx.orders.place(shared.account, "callback", {"user": user, "number": OUTSIDER}, key="once")
        await phone.refuses(486)
        (record,) = await shared.records(1)
        assert not provider.rung
    assert not record.talked


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[ApartPbx]:
    async with apart(tmp_path) as made:
        yield made


@pytest.mark.feature("BOT-2")
@pytest.mark.parametrize("when", ["employee rings", "client rings"])
async def test_a_call_back_goes_on_with_the_next_engine(office: ApartPbx, when: str) -> None:
    user = await office.user("201", ContactWish(kind="sip", address="201", timeout_seconds=60))
    await office.house.start()
    async with office.telephone("201") as phone, office.provider() as provider:
        await office.number("+74956660012", await office.line(server=provider.host, port=provider.port))
        await office.house.end()
        await office.house.start()  # it knows the number and the phone now
        wish = {"user": user, "number": OUTSIDER, "did": "+74956660012"}
        await office.runtime.ctx.orders.place(office.account, "callback", wish, key="once")
        employee = await phone.takes()
        if when == "employee rings":
            await office.house.end()
            await office.house.start()
        await employee.answer()
        client = await provider.takes()
        if when == "client rings":
            await office.house.end()
            await office.house.start()
        await client.answer()
        await both_hear(phone, provider)
        await client.hang_up()
        await employee.ended()
        (record,) = await office.records(1)
        assert len(phone.rung) == len(provider.rung) == 1
    assert record.talked
    assert [leg.reason for leg in sorted(record.legs, key=lambda leg: leg.started_at)] == ["callback_employee", "callback_client"]
