# SPDX-License-Identifier: Apache-2.0
"""Messages on a live call: kept apart from the conversation's recording, told before the caller is gone, remembered over a restart."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.calls.call import Ended, MessageOver
from engine.calls.live import LiveCall
from engine.calls.reception import Ending
from engine.errors import CallGone
from engine.plugin.testing import office
from tests.engine_calls.floor import Floor

PATH, FILE = "voicemail/1/m.wav", "/media/voicemail/1/m.wav"


class Leaves:
    """A scenario that records one message, after a conversation's recording has begun."""

    def __init__(self, *, ends_at_once: bool = False) -> None:
        self.heard: list[MessageOver] = []
        self.gone = False
        self._ends = ends_at_once

    async def __call__(self, call: LiveCall) -> Ending:
        call.record(call.party, "recordings/1/a.wav")
        message = call.record_message(PATH, limit=timedelta(seconds=60), until_silence=timedelta(seconds=4))
        if self._ends:
            call.end_message(message)
        try:
            while True:
                event = await call.next()
                if isinstance(event, MessageOver):
                    self.heard.append(event)
        except CallGone:
            self.gone = True
            raise


async def begun(scenario: Leaves) -> tuple[Floor, LiveCall]:
    floor = Floor(office((), {}))
    call = floor.call("a", scenario)
    await floor.until(lambda: call.message)
    return floor, call


@pytest.mark.feature("VM-1", "R13", "STA-1")
async def test_it_is_no_recording_of_the_conversation() -> None:
    floor, call = await begun(scenario := Leaves())
    assert [r.path for r in call.recordings] == ["recordings/1/a.wav"]
    assert floor.orders.of("record") == [["a", FILE]]
    assert ["a", "playback_terminators", "#"] in floor.orders.of("setvar")
    floor.stops("a", FILE, 3200)
    await floor.until(lambda: scenario.heard)
    assert [(e.message.path, e.message.seconds) for e in scenario.heard] == [(PATH, 3.2)]
    assert call.message == scenario.heard[0].message
    floor.hangs_up(["a"])
    await floor.until(lambda: scenario.gone)
    assert len(scenario.heard) == 1


@pytest.mark.feature("VM-1")
async def test_silence_at_its_end_does_not_count() -> None:
    floor, _ = await begun(scenario := Leaves())
    floor.stops("a", FILE, 4500, silence="true")
    await floor.until(lambda: scenario.heard)
    assert scenario.heard[0].message.seconds == 0.5
    floor.hangs_up(["a"])


@pytest.mark.feature("VM-1")
async def test_it_is_ended_by_an_order_once() -> None:
    floor, call = await begun(scenario := Leaves(ends_at_once=True))
    assert floor.orders.of("break_") == [["a"]]
    floor.stops("a", FILE, 100)
    await floor.until(lambda: scenario.heard)
    call.end_message(scenario.heard[0].message)  # over already: whatever plays now is not broken off
    assert floor.orders.of("break_") == [["a"]]
    floor.hangs_up(["a"])


@pytest.mark.feature("VM-1")
@pytest.mark.parametrize("told", [True, False], ids=["the switch tells", "the switch has died"])
async def test_a_caller_who_hangs_up_has_left_it(told: bool) -> None:
    """The end of the leg may be heard before the scenario has had its turn."""
    floor, call = await begun(scenario := Leaves())
    if told:
        floor.stops("a", FILE, 3200)
    floor.hangs_up(["a"])
    await floor.until(lambda: scenario.gone)
    assert len(scenario.heard) == 1
    seconds = scenario.heard[0].message.seconds
    assert seconds == 3.2 if told else seconds is not None and 0 <= seconds < 2
    assert not isinstance(scenario.heard[0], Ended)
    assert call.recordings[0].path == "recordings/1/a.wav"


@pytest.mark.feature("VM-1", "R13")
async def test_the_next_engine_knows_it_as_a_message() -> None:
    floor, call = await begun(Leaves())
    after = LiveCall(floor.node, floor.snapshot, call.caller, None, started_at=call.started_at, id="again")
    after.steps = list(call.steps)
    after.messages.restore(after.steps)
    after.restore_talk()
    assert after.messages.running
    assert after.message is not None
    assert (after.message.path, after.message.seconds) == (PATH, None)
    assert [r.path for r in after.recordings] == ["recordings/1/a.wav"]
    floor.stops("a", FILE, 3200)
    over = LiveCall(floor.node, floor.snapshot, call.caller, None, started_at=call.started_at, id="once more")
    over.messages.restore(call.steps)
    assert over.message is not None
    assert over.message.seconds == 3.2
    floor.hangs_up(["a"])
