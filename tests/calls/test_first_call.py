# SPDX-License-Identifier: Apache-2.0
"""One whole way through: a call from outside hears the greeting, presses a key, is answered, both hear each other, it is recorded."""

from __future__ import annotations

import asyncio

import pytest

from plugins.ivr.part import MenuKey
from tests.calls.pbx import OUTSIDER, Pbx
from tests.phones import sound


@pytest.mark.feature("IVR-2", "IVR-3", "ACT-1", "ACT-7", "GRP-3", "NUM-1", "R13", "STA-1", "STA-4")
async def test_a_call_from_outside_through_the_menu_to_a_phone(office: Pbx) -> None:
    folder = office.folder
    greeting = sound.tone(folder / "greeting.wav", 700, 1.5)
    menu_file = sound.tone(folder / "menu.wav", 900, 20)
    user = await office.user("201")
    sales = await office.group("Sales", user, recording=True)
    menu = await office.menu(
        "Menu", greeting=await office.file("hello", greeting), file=await office.file("menu", menu_file), keys=(MenuKey("1", sales),)
    )
    await office.rule(menu)
    caller_says, callee_says = sound.tone(folder / "a.wav", 500), sound.tone(folder / "b.wav", 1300)
    heard_by_caller, heard_by_callee = folder / "ha.wav", folder / "hb.wav"
    async with (
        office.phone("201", auto="ring", speak=str(callee_says), hear=str(heard_by_callee)) as phone,
        office.outsider(speak=str(caller_says), hear=str(heard_by_caller)) as outsider,
    ):
        await phone.registered()
        await office.registered("201")
        call = await outsider.call("74951234567")
        await outsider.talking(call)
        await office.step("play")
        await asyncio.sleep(1.0)  # the caller listens
        outsider.press(call, "1")
        ringing = await phone.incoming()
        assert "89271234567" in ringing["remote"]
        phone.answer(ringing["call"])
        await phone.talking(ringing["call"])
        await office.step("talk")
        await asyncio.sleep(2.0)  # the talk itself
        outsider.hangup(call)
        await outsider.over(call)
        await phone.over(ringing["call"])
    (record,) = await office.records(1)
    assert record.caller_number == OUTSIDER
    assert record.talked
    assert not record.missed
    assert record.group_title == "Sales"
    assert [leg.reason for leg in sorted(record.legs, key=lambda x: x.started_at)] == ["incoming", "member"]
    assert 1.5 <= record.talk_seconds <= 4
    assert sound.hears(heard_by_caller, 700) > 0.3
    assert sound.hears(heard_by_caller, 1300) > 1.0
    assert sound.hears(heard_by_callee, 500) > 1.0
    (recording,) = record.recordings
    left, right = sound.read(office.media / recording.path)
    assert sound.strength(left[8000:16000], 500) > 0.9
    assert sound.strength(right[8000:16000], 1300) > 0.9
    assert sound.strength(left[8000:16000], 1300) < 0.01
    assert sound.strength(right[8000:16000], 500) < 0.01
