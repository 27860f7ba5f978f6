# SPDX-License-Identifier: Apache-2.0
"""The bridged phase of a call: what happens in the very moment when the pause is over that ends a code's number."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from engine import clock
from engine.calls.call import Callee
from engine.calls.live import LiveCall
from engine.calls.reception import Ending
from engine.calls.talk import Coded, Over, TalkEnd, converse
from engine.plugin.testing import office, sip_user
from engine.snapshot import Contact
from plugins.codes.part import FeatureCodesPart
from tests.engine_calls.floor import Floor

PAUSE = timedelta(seconds=4)
MOBILE = "+79031234567"


@pytest.mark.feature("R21", "R1")
@pytest.mark.parametrize("meanwhile", ["nothing", "the other party hangs up"])
async def test_an_end_in_the_moment_when_a_code_is_whole_is_not_lost(meanwhile: str) -> None:
    user = sip_user(202, contacts=(Contact(id=2020, kind="phone", address=MOBILE, priority=1),))
    floor = Floor(office((user,), {"codes": FeatureCodesPart()}))
    ends: list[TalkEnd] = []

    async def serve(call: LiveCall) -> Ending:
        (other,) = call.dial(Callee("202", user.contacts[0], user, MOBILE))
        await call.next()
        ends.append(await converse(call, other))
        return Ending()

    with clock.frozen(clock.now()):
        floor.call("a", serve)
        await floor.until(floor.dialled)
        (other,) = floor.dialled()
        floor.answers(other)
        await floor.until(lambda: floor.orders.of("bridge"))
        for digit in "*9203":
            floor.says("DTMF", other, digit=digit)
        await asyncio.sleep(0)
        with clock.frozen(clock.now() + PAUSE):
            if meanwhile == "nothing":
                floor.says("DTMF", other, digit="1")
            else:
                floor.hangs_up([other])
            await floor.until(lambda: ends)
    (end,) = ends
    assert isinstance(end, Coded if meanwhile == "nothing" else Over)
