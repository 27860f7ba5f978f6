# SPDX-License-Identifier: Apache-2.0
"""The embedded switch dies: it is started again, phones and lines are back at once, and the calls it took along have their CDRs."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import timedelta
from pathlib import Path

import pytest

from engine import clock
from engine.calls.causes import SWITCH_LOST
from engine.db import models
from engine.db.secrets import encrypt
from engine.people import ContactWish
from plugins.ivr.part import MenuKey
from tests.calls.apart import alive, apart
from tests.calls.installation import REAL
from tests.calls.pbx import Pbx
from tests.phones import sound

pytestmark = [pytest.mark.skipif(REAL, reason="the engine supervises the embedded switch only"), pytest.mark.feature("R1")]


async def kill_switch(office: Pbx) -> None:
    """And wait until the next one serves."""
    runtime = office.runtime
    assert runtime.switch is not None
    assert runtime.switch.ready is not None
    assert runtime.engine is not None
    before, restarts = runtime.switch.ready.pid, runtime.switch.restarts
    os.kill(before, signal.SIGKILL)
    async with asyncio.timeout(60):
        while runtime.switch.ready.pid == before or not runtime.engine.node.switch.connected:
            await asyncio.wait([asyncio.create_task(asyncio.sleep(0.02))])
    assert runtime.switch.restarts == restarts + 1


async def test_the_switch_is_killed(office: Pbx) -> None:
    await office.change(office.root, missed_emails=("root@example.org",))
    user = await office.user("201", ContactWish(kind="sip", address="201", timeout_seconds=60))
    sales = await office.group("Sales", user, missed_emails=("sales@example.org",))
    await office.user("202")
    file = await office.file("menu", sound.tone(office.folder / "menu.wav", 900, 60))
    await office.rule(await office.menu("Menu", file=file, keys=(MenuKey("1", sales),), timeout_seconds=120))
    async with (
        office.telephone("201") as phone, office.telephone("202") as idle,
        office.provider("+79270000001") as talks, office.provider("+79270000002") as listens, office.provider("+79270000003") as later,
    ):  # fmt: skip
        trunk = await office.line(registers=True, server=talks.host, port=talks.port, login=talks.login, secret=encrypt(talks.secret))
        await talks.is_registered()
        await office.line_is_up(trunk)
        first = await talks.calls("74951234567")
        await first.answered()
        await talks.press("1")
        await phone.answers()
        await office.step("talk")
        second = await listens.calls("74951234567")
        await second.answered()
        await listens.hears(900)
        registrations, killed = talks.registrations, clock.now()
        await kill_switch(office)
        back = clock.now()
        records = await office.records(2)
        assert [(r.caller_number, r.talked, r.missed, r.cause) for r in records] == [
            ("+79270000001", True, False, SWITCH_LOST), ("+79270000002", False, True, SWITCH_LOST),
        ]  # fmt: skip
        for record in records:
            assert {leg.cause for leg in record.legs} == {SWITCH_LOST}
            for leg in record.legs:
                assert leg.ended_at is not None
                assert killed - timedelta(seconds=1) <= leg.ended_at <= back
            assert any(s["what"] == "leg_lost" for s in record.trace)
            assert not any(s["what"] == "engine_restarted" for s in record.trace)
        assert [r.payload["to"] for r in await models.OutboxRow.of(office.account)] == ["root@example.org"]
        assert office.calls == []
        # a registered phone is callable without a new REGISTER, from outside and from inside
        third = await later.calls("74951234567")
        await third.answered()
        await later.press("1")
        again = await phone.answers()
        await third.hang_up()
        await again.ended()
        inside = await idle.call("201")
        ringing = await phone.answers()
        await inside.answered()
        await ringing.hang_up()
        await inside.ended()
        async with asyncio.timeout(20):
            while talks.registrations == registrations:
                await asyncio.wait([asyncio.create_task(asyncio.sleep(0.05))])
        await office.line_is_up(trunk)
        assert len(await office.records(4)) == 4


async def test_calls_that_ring_when_the_switch_dies_are_missed_by_their_group(office: Pbx) -> None:
    user = await office.user("201", ContactWish(kind="sip", address="201", timeout_seconds=60))
    await office.rule(await office.group("Sales", user, missed_emails=("sales@example.org",)))
    async with office.telephone("201") as phone, office.provider() as caller:
        await caller.calls("74951234567")
        await phone.takes()
        await office.step("phone_rings")
        await kill_switch(office)
        (record,) = await office.records(1)
    assert (record.talked, record.missed, record.missed_why, record.cause) == (False, True, "left", SWITCH_LOST)
    assert [leg.cause for leg in record.legs] == [SWITCH_LOST, SWITCH_LOST]
    assert [r.payload["to"] for r in await models.OutboxRow.of(office.account)] == ["sales@example.org"]


async def test_engine_and_switch_die_together(tmp_path: Path) -> None:
    async with apart(tmp_path) as office:
        user = await office.user("201", ContactWish(kind="sip", address="201", timeout_seconds=60))
        await office.rule(await office.group("Sales", user))
        await office.house.start()
        async with office.telephone("201") as phone, office.provider() as caller:
            call = await caller.calls("74951234567")
            await phone.answers()
            await call.answered()
            await office.until(lambda calls: [bool(c["talk_started_at"]) for c in calls] == [True])
            before = office.house.switch_pid
            await office.house.end()
            os.kill(before, signal.SIGKILL)
            await office.house.start()
            assert office.house.switch_pid != before
            assert not alive(before)
            (record,) = await office.records(1)
            assert {leg.cause for leg in record.legs} == {SWITCH_LOST}
            assert (record.talked, record.cause) == (True, SWITCH_LOST)
            again = await caller.calls("74951234567")
            await phone.answers()
            await again.answered()
            await again.hang_up()
            assert len(await office.records(2)) == 2
