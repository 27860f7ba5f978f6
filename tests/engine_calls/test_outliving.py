# SPDX-License-Identifier: Apache-2.0
"""Parties of a consultation that leave in the same moment, in every order: the scenario learns that nobody is left to be served."""

from __future__ import annotations

import pytest

from engine.calls.call import Callee, Ended, Leg
from engine.calls.live import LiveCall
from engine.calls.reception import Ending
from engine.errors import CallGone
from engine.plugin.testing import office, sip_user
from tests.engine_calls.floor import Floor


@pytest.mark.feature("R20")
@pytest.mark.parametrize("first", ["the other", "the party"])
async def test_a_party_that_has_left_while_others_were_moved_is_gone_afterwards(first: str) -> None:
    floor = Floor(office((sip_user(201), sip_user(202)), {}))
    legs: list[Leg] = []
    heard: list[object] = []

    async def serve(call: LiveCall) -> Ending:
        (other,) = call.dial(Callee("202", None, None, "+79271112233"))
        await call.next()
        call.outlive(call.party, other)
        legs.extend((call.party, other))
        event = await call.next()
        assert isinstance(event, Ended)
        call.outlive()
        try:
            await call.next()
        except CallGone:
            heard.append("gone")
        return Ending()

    floor.call("a", serve)
    await floor.until(floor.dialled)
    (other,) = floor.dialled()
    floor.answers(other)
    await floor.until(lambda: legs)
    floor.hangs_up([other, "a"] if first == "the other" else ["a", other])
    await floor.until(lambda: heard)
