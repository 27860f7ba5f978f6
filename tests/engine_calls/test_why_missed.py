# SPDX-License-Identifier: Apache-2.0
"""The tag of a missed call (R1), by where the call was at its end."""

from __future__ import annotations

import pytest

from engine.calls.call import Step
from engine.calls.cdr import last_entered, why_missed
from engine.calls.live import LiveCall
from engine.calls.reception import Verdict
from engine.plugin.testing import office
from engine.snapshot import Ref
from tests.engine_calls.floor import Floor

MENU = Ref("ivr.menu", 1)


@pytest.mark.feature("R1", "R2")
@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ([Step("enters", target=MENU)], "menu"),
        ([Step("enters", target=MENU), Step("closed", target=MENU)], "closed"),
        ([Step("closed", target=Ref("groups.group", 2)), Step("enters", target=MENU)], "menu"),
        ([], "left"),
    ],
    ids=["left in the menu", "a menu out of hours", "a group out of hours before the menu", "left before anything"],
)
async def test_where_the_call_was_at_its_end(steps: list[Step], why: str) -> None:
    async def serve(call: LiveCall) -> Verdict:
        for step in steps:
            call.note(step)
        return Verdict()

    floor = Floor(office((), {}))
    call = floor.call("a", serve)
    await floor.until(lambda: floor.orders.of("kill"))
    assert why_missed(call.facts, last_entered(call)) == why
    floor.hangs_up(["a"])
