# SPDX-License-Identifier: Apache-2.0
"""The engine dies in the middle of what a code has begun: nobody is lost, and there is one record."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from engine.people import ContactWish
from tests.calls.apart import ApartPbx, apart
from tests.calls.scene import CALLER, FIRST, SECOND, Scene, meet, steps


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[ApartPbx]:
    async with apart(tmp_path) as made:
        yield made


async def talking(office: ApartPbx, stack: AsyncExitStack) -> Scene:
    for login in ("201", "202"):
        user = await office.user(login, ContactWish(kind="sip", address=login, timeout_seconds=60))
        if login == "201":
            await office.rule(await office.group("Sales", user))
    await office.house.start()
    return await meet(office, stack)


@pytest.mark.feature("R20", "R1")
async def test_a_transfer_that_still_rings_is_tried_again(office: ApartPbx) -> None:
    async with AsyncExitStack() as stack:
        scene = await talking(office, stack)
        await scene.types("*1202")
        ringing = await scene.two.takes()
        await office.house.end(signal.SIGKILL)
        await office.house.start()
        await scene.served.ended(20)
        await ringing.cancelled(20)
        again = await scene.two.answers()
        scene.two.say(SECOND)
        scene.forget()
        await scene.caller.hears(SECOND)
        await scene.two.hears(CALLER)
        await scene.talk.hang_up()
        await again.ended()
        (record,) = await office.records(1)
    assert record.talked
    assert steps(record, "talk", "transfer_asked") == ["talk", "transfer_asked", "talk"]


@pytest.mark.feature("R20", "R1")
@pytest.mark.parametrize("meanwhile", ["nothing", "the employee hangs up"])
async def test_a_consultation(office: ApartPbx, meanwhile: str) -> None:
    async with AsyncExitStack() as stack:
        scene = await talking(office, stack)
        await scene.types("*2202")
        third = await scene.two.answers()
        scene.two.say(SECOND)
        await scene.one.hears(SECOND)
        await office.house.end(signal.SIGKILL)
        scene.forget()
        await scene.one.hears(SECOND)  # they talk on
        if meanwhile == "nothing":
            await office.house.start()
            await third.ended(20)
            scene.forget()
            await scene.caller.hears(FIRST)
            await scene.one.hears(CALLER)
            await scene.talk.hang_up()
            await scene.served.ended()
        else:
            await scene.served.hang_up()
            await office.house.start()
            scene.forget()
            await scene.caller.hears(SECOND)
            await scene.two.hears(CALLER)
            await scene.talk.hang_up()
            await third.ended()
        (record,) = await office.records(1)
        assert scene.caller.events_heard == []
    assert record.talked
    told = "consultation_over" if meanwhile == "nothing" else "handed_over"
    assert steps(record, "talk", "consultation", "consultation_over", "handed_over") == ["talk", "consultation", told, "talk"]


@pytest.mark.feature("R20", "R1")
async def test_a_consultation_whose_third_party_transfers_meanwhile(office: ApartPbx) -> None:
    """REFER, heard of by the switch alone: it has armed the timer of one who waits for an engine, which would end the talk that follows."""
    async with AsyncExitStack() as stack:
        scene = await talking(office, stack)
        await scene.types("*2202")
        third = await scene.two.answers()
        scene.two.say(SECOND)
        await scene.one.hears(SECOND)
        await office.house.end(signal.SIGKILL)
        assert await third.refer(f"sip:203@{office.domain}") == 202
        await office.house.start()
        await third.ended(20)
        scene.forget()
        await scene.caller.hears(FIRST)
        await scene.one.hears(CALLER)
        for channel in await office.channels():
            assert "Deleted: 0" in await office.house.ask(f"sched_del {channel['uuid']}")
        await scene.talk.hang_up()
        await scene.served.ended()
        (record,) = await office.records(1)
    assert record.talked


@pytest.mark.feature("R20", "R1")
@pytest.mark.parametrize("then", ["he stays", "he hangs up"])
async def test_a_consultation_whose_employee_transfers_meanwhile(office: ApartPbx, then: str) -> None:
    """REFER, heard of by the switch alone, which sends on the consulted one. Nobody is lost by it: the caller has the employee again, or
    the consulted one when he has left."""
    async with AsyncExitStack() as stack:
        scene = await talking(office, stack)
        await scene.types("*2202")
        third = await scene.two.answers()
        scene.two.say(SECOND)
        await scene.one.hears(SECOND)
        await office.house.end(signal.SIGKILL)
        assert await scene.served.refer(f"sip:203@{office.domain}") == 202
        if then == "he stays":
            await office.house.start()
            await third.ended(20)
            scene.forget()
            await scene.caller.hears(FIRST)
            await scene.one.hears(CALLER)
        else:
            await scene.served.hang_up()
            await office.house.start()
            scene.forget()
            await scene.caller.hears(SECOND)
            await scene.two.hears(CALLER)
        for channel in await office.channels():
            assert "Deleted: 0" in await office.house.ask(f"sched_del {channel['uuid']}")
        await scene.talk.hang_up()
        await (scene.served if then == "he stays" else third).ended()
        (record,) = await office.records(1)
    assert record.talked
