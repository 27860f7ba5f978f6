# SPDX-License-Identifier: Apache-2.0
"""Conversations of real phones: who hears whom, who hangs up, how long it was, what is recorded."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from tests.calls.pbx import Pbx
from tests.embedded.telephone import DECODE
from tests.phones import sound

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.feature("R13", "STA-1", "STA-4", "GRP-3")
@pytest.mark.parametrize("leaver", ["caller", "callee"])
async def test_a_talk_and_its_recording(shared: Pbx, leaver: str) -> None:
    user = await shared.user("201")
    await shared.rule(await shared.group("Sales", user, recording=True))
    async with shared.telephone("201") as phone, shared.provider() as caller:
        talk = await caller.calls(shared.did[1:])
        ringing = await phone.takes()
        await asyncio.sleep(0.5)  # it rings for a while: none of this is recorded
        await ringing.answer()
        answered = asyncio.get_running_loop().time()
        phone.say(1300)
        await talk.answered()
        caller.say(500)
        await phone.hears(500)
        await caller.hears(1300)
        await asyncio.sleep(2.0 - (asyncio.get_running_loop().time() - answered))  # the talk
        await (talk.hang_up() if leaver == "caller" else ringing.hang_up())
        lasted = asyncio.get_running_loop().time() - answered
        await (ringing.ended() if leaver == "caller" else talk.ended())
        (record,) = await shared.records(1)
    assert record.talked
    assert not record.missed
    assert record.answered_at is not None
    assert abs(record.talk_seconds - lasted) <= 1
    assert abs((record.ended_at - record.answered_at).total_seconds() - lasted) <= 1
    (recording,) = record.recordings
    left, right = sound.read(shared.media / recording.path)
    # the callee speaks from the moment he answers: where his tone begins is where the recording began, but for the start of his speech
    begins = sound.starts_at(right, 1300)
    assert begins is not None
    assert begins <= 0.3
    assert abs(len(left) / sound.RATE - lasted) <= 0.6
    middle = slice(sound.RATE, int(1.6 * sound.RATE))
    assert sound.strength(left[middle], 500) > 0.9
    assert sound.strength(right[middle], 1300) > 0.9
    assert sound.strength(left[middle], 1300) < 0.01
    assert sound.strength(right[middle], 500) < 0.01


@pytest.mark.feature("R13")
async def test_a_talk_of_a_moment_is_recorded_too(shared: Pbx) -> None:
    """FreeSWITCH can be told to throw away what is short."""
    await shared.rule(await shared.group("Sales", await shared.user("201"), recording=True))
    async with shared.telephone("201") as phone, shared.provider() as caller:
        talk = await caller.calls(shared.did[1:])
        ringing = await phone.answers()
        await talk.answered()
        phone.say(1300)
        await caller.hears(1300)
        await caller.listen(0.5)
        await talk.hang_up()
        await ringing.ended()
        (record,) = await shared.records(1)
    (recording,) = record.recordings
    assert 0.4 <= recording.seconds < 1.4
    _, right = sound.read(shared.media / recording.path)
    assert sound.starts_at(right, 1300) is not None


@pytest.mark.feature("GRP-2", "DIR-2", "R7")
async def test_the_greeting_is_heard_as_it_is_in_the_file(shared: Pbx) -> None:
    """A sound that correlates with nothing but itself: a sweep with noise."""
    t = np.arange(sound.RATE) / sound.RATE
    rng = np.random.default_rng(7)
    original = 0.3 * np.sin(2 * np.pi * (300 + 1200 * t) * t) + 0.05 * rng.standard_normal(sound.RATE)
    sound.write(shared.folder / "hello.wav", original)
    greeting = await shared.file("hello", shared.folder / "hello.wav")
    await shared.rule(await shared.group("Sales", await shared.user("201"), greeting=greeting))
    async with shared.telephone("201") as phone, shared.provider() as caller:
        talk = await caller.calls(shared.did[1:])
        await talk.answered()
        ringing = await phone.answers()  # after the greeting
        await talk.hang_up()
        await ringing.ended()
        heard = DECODE[np.frombuffer(bytes(caller.heard), np.uint8)].astype(np.float64) / 32768
    score, begins = sound.correlation(heard, original)
    assert score > 0.95
    assert begins < 0.3
