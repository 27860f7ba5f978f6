# SPDX-License-Identifier: Apache-2.0
"""What the engine makes up for when events or orders were lost: a broken event socket, a caller nobody has claimed, a timer left armed."""

from __future__ import annotations

import asyncio

import pytest

from engine.errors import SwitchError
from engine.esl.wire import SwitchAwayError
from engine.people import ContactWish
from plugins.ivr.part import MenuKey
from tests.calls.installation import REAL
from tests.calls.pbx import Pbx
from tests.phones import sound

embedded_only = pytest.mark.skipif(REAL, reason="reads the embedded switch's timers")


async def cut(office: Pbx) -> None:
    """Break the engine's connection to the switch; nothing is heard until `mend`."""
    assert office.runtime.engine is not None
    connection = office.runtime.engine.node.switch.connection
    connection.host = "127.255.255.254"  # nobody listens there
    wire = connection._wire
    assert wire is not None
    wire.fail(SwitchAwayError("cut by a test"))
    async with asyncio.timeout(10):
        while connection.connected:
            await asyncio.wait([asyncio.create_task(asyncio.sleep(0.01))])


async def mend(office: Pbx) -> None:
    assert office.runtime.engine is not None
    connection = office.runtime.engine.node.switch.connection
    connection.host = office.address
    await connection.wait_connected(30)


async def test_an_answer_that_was_not_heard(office: Pbx) -> None:
    user = await office.user("201", ContactWish(kind="sip", address="201", timeout_seconds=100))
    await office.rule(await office.group("Sales", user))
    async with office.telephone("201") as phone, office.provider() as caller:
        call = await caller.calls("74951234567")
        ringing = await phone.takes()
        await office.step("phone_rings")
        await cut(office)
        await ringing.answer()
        await mend(office)
        await call.answered()
        phone.say(600)
        await caller.hears(600)
        await call.hang_up()
        await ringing.ended()
        (record,) = await office.records(1)
    assert record.talked


async def test_a_hangup_that_was_not_heard(office: Pbx) -> None:
    user = await office.user("201", ContactWish(kind="sip", address="201", timeout_seconds=100))
    await office.rule(await office.group("Sales", user))
    async with office.telephone("201") as phone, office.provider() as caller:
        call = await caller.calls("74951234567")
        ringing = await phone.answers()
        await call.answered()
        phone.say(600)
        await caller.hears(600)  # the switch has joined them
        await cut(office)
        await ringing.hang_up()
        await mend(office)
        await call.ended()
        (record,) = await office.records(1)
    assert record.talked
    assert {leg.cause for leg in record.legs} == {"NORMAL_CLEARING"}


@pytest.mark.feature("R20")
async def test_a_transfer_that_was_not_heard(office: Pbx) -> None:
    user = await office.user("201", ContactWish(kind="sip", address="201", timeout_seconds=100))
    await office.user("202")
    await office.rule(await office.group("Sales", user))
    async with office.telephone("201") as phone, office.telephone("202") as other, office.provider() as caller:
        await office.registered("201", "202")
        call = await caller.calls("74951234567")
        served = await phone.answers()
        await call.answered()
        phone.say(600)
        await caller.hears(600)
        await cut(office)
        assert await served.refer(f"sip:202@{office.domain}") == 202
        await served.ended()
        await mend(office)
        ringing = await other.answers()
        other.say(900)
        await caller.hears(900)
        await call.hang_up()
        await ringing.ended()
        (record,) = await office.records(1)
    assert record.talked
    assert {leg.label for leg in record.legs} >= {"201", "202"}


async def test_a_menu_goes_on_after_the_end_of_its_file_was_not_heard(office: Pbx) -> None:
    user = await office.user("201", ContactWish(kind="sip", address="201", timeout_seconds=100))
    sales = await office.group("Sales", user)
    file = await office.file("menu", sound.tone(office.folder / "menu.wav", 900, 1.5))
    await office.rule(await office.menu("Menu", file=file, keys=(MenuKey("T", sales),), timeout_seconds=1))
    async with office.telephone("201") as phone, office.provider() as caller:
        call = await caller.calls("74951234567")
        await call.answered()
        await caller.hears(900)
        await cut(office)
        await caller.hears_nothing(within=10)
        await mend(office)
        ringing = await phone.answers()
        await call.hang_up()
        await ringing.ended()


async def test_a_caller_claimed_by_an_engine_that_died_before_it_wrote_him_down(office: Pbx) -> None:
    await office.rule(await office.group("Sales", await office.user("201", ContactWish(kind="sip", address="201", timeout_seconds=100))))
    engine = office.runtime.engine
    assert engine is not None
    async with office.telephone("201") as phone, office.provider() as caller:
        engine.node.accepting = False
        call = await caller.calls("74951234567")
        async with asyncio.timeout(10):
            while not (parked := [c["uuid"] for c in await office.house.channels() if c["application"] == "park"]):
                await asyncio.wait([asyncio.create_task(asyncio.sleep(0.02))])
        assert "Deleted: 1" in await office.house.ask(f"sched_del {parked[0]}")
        engine.node.accepting = True
        engine.resync._first = True  # as the next engine
        assert await engine.resync.sweep()
        ringing = await phone.answers()
        await call.answered()
        await call.hang_up()
        await ringing.ended()
        assert len(await office.records(1)) == 1


@embedded_only
async def test_no_timer_is_left_armed_on_a_talk_that_was_taken_over(office: Pbx) -> None:
    await office.rule(await office.group("Sales", await office.user("201", ContactWish(kind="sip", address="201", timeout_seconds=100))))
    engine = office.runtime.engine
    assert engine is not None
    async with office.telephone("201") as phone, office.provider() as caller:
        call = await caller.calls("74951234567")
        ringing = await phone.answers()
        await call.answered()
        await office.step("talk")
        await engine.close()  # the next engine, in the same process
        await office.runtime.switch.leave()  # type: ignore[union-attr]
        again = type(office.runtime)(office.runtime.settings, office.runtime.roles)
        async with again.running(stop_switch=False):
            assert again.engine is not None
            async with asyncio.timeout(30):
                await again.engine.connected.wait()
            (live,) = again.engine.node.calls.values()
            assert live.bridged
            tasks = await again.engine.node.switch.ask("show tasks as json")
            assert live.party.id not in tasks
            phone.say(600)
            await caller.hears(600)
            await call.hang_up()
            await ringing.ended()
            assert len(await office.records(1)) == 1


async def test_a_sweep_that_is_not_answered_is_made_again(office: Pbx, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = office.runtime.engine
    assert engine is not None
    tries = 0
    done = asyncio.Event()
    real = engine.node.switch.show_channels

    async def flaky() -> object:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise SwitchError("no answer")
        done.set()
        return await real()

    monkeypatch.setattr(engine.node.switch, "show_channels", flaky)
    assert not await engine.resync.sweep()
    await asyncio.wait_for(done.wait(), 15)


@pytest.mark.feature("OUT-2")
async def test_an_answer_behind_an_announcement_that_was_not_heard(office: Pbx) -> None:
    """The switch has joined the two before the answer, and answers the caller by itself."""
    await office.user("201")
    async with office.telephone("201") as phone, office.provider() as provider:
        trunk = await office.line(server=provider.host, port=provider.port)
        await office.number("+74956693001", trunk)
        call = await phone.call("89031234567")
        rung = await provider.incoming()
        rung.early()
        provider.say(700)
        await call.early()
        await phone.hears(700)
        await office.step("early_media")
        await cut(office)
        await rung.answer()
        await call.answered()
        await mend(office)
        await office.step("talk")
        phone.say(600)
        await provider.hears(600)
        await call.hang_up()
        await rung.ended()
        (record,) = await office.records(1)
    assert record.talked
    assert record.answered_at is not None
