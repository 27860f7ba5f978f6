# SPDX-License-Identifier: Apache-2.0
"""The engine dies while somebody leaves a message: what was said before, meanwhile and after is one message, told once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.snapshot import Ref
from plugins.voicemail.part import GROUP_VOICEMAIL
from tests.calls.apart import ApartPbx, apart
from tests.calls.test_voicemail import BEEP, SAYS, mailbox, messages, said

pytestmark = pytest.mark.feature("VM-1", "R1", "R13")


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[ApartPbx]:
    async with apart(tmp_path) as made:
        yield made


@pytest.mark.parametrize("leaves", ["after", "while nobody listens"])
async def test_a_message_goes_on_without_an_engine(office: ApartPbx, leaves: str) -> None:
    group = await office.group("Sales", method="NONE")
    await mailbox(office, group, silence_seconds=30)
    await office.rule(Ref(GROUP_VOICEMAIL, group.id))
    await office.house.start()
    await office.ready()
    loop = asyncio.get_running_loop()
    async with office.provider() as caller:
        talk = await caller.calls("74951234567")
        await talk.answered()
        await caller.hears(BEEP, seconds=0.2)
        caller.say(SAYS)
        began = loop.time()
        await asyncio.sleep(1.5)
        await office.house.end()
        await asyncio.sleep(1.0)
        if leaves != "after":
            await talk.hang_up()
            lasted = loop.time() - began
            await asyncio.sleep(0.5)
        await office.house.start()
        if leaves == "after":
            heard = len(caller.heard)
            await office.until(lambda calls: len(calls) == 1)
            await asyncio.sleep(1.5)
            assert not any(caller._heard_since(heard, hertz, 0.2) for hertz in (800, BEEP)), "the message goes on, no new one begins"
            caller.quiet()
            await caller.press("#")
            lasted = loop.time() - began
            await talk.ended(within=20)
    (record,) = await office.records(1)
    (row,) = await messages(office, 1)
    assert (record.missed, record.missed_why, record.talked) == (True, "voicemail", False)
    assert list(record.recordings) == []
    assert row.call_id == record.call_id
    assert abs(row.seconds - lasted) < 1.5, (row.seconds, lasted)
    assert abs(said(office, row) - lasted) < 1.5
