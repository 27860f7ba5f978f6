# SPDX-License-Identifier: Apache-2.0
"""Ordered calls: the employee is rung first, then the client through the trunk, then both talk."""

from __future__ import annotations

import pytest

from tests.calls.pbx import OUTSIDER, Pbx

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.feature("BOT-2", "ADD-1", "CB-3", "R19")
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
        phone.say(500)
        provider.say(1300)
        await provider.hears(500)
        await phone.hears(1300)
        await client.hang_up()
        await employee.ended()
        (record,) = await shared.records(1)
    assert record.direction == "out"
    assert record.talked
    assert len(phone.rung) == len(provider.rung) == 1
    assert len(record.legs) == 2


@pytest.mark.feature("BOT-2", "CB-3")
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
