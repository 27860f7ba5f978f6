# SPDX-License-Identifier: Apache-2.0
"""The tag of a missed call (R1), by where the call was at its end."""

from __future__ import annotations

from typing import ClassVar, Literal

import pytest

from engine.calls.call import Step
from engine.calls.cdr import left_in, why_missed
from engine.calls.live import LiveCall
from engine.calls.reception import Ending
from engine.plugin.testing import office
from engine.snapshot import Branch, Part, Ref
from tests.engine_calls.floor import Floor


class Questions(Branch, frozen=True, kw_only=True):
    """A plugin's kind of branch whose caller has something to choose."""

    kind: ClassVar[str] = "test.questions"
    left_as: ClassVar[Literal["left", "menu"]] = "menu"


class Queue(Branch, frozen=True, kw_only=True):
    kind: ClassVar[str] = "test.queue"


class TestPart(Part, frozen=True, kw_only=True):
    __test__: ClassVar[bool] = False
    branches: tuple[Questions | Queue, ...] = ()


MENU, QUEUE = Ref("test.questions", 1), Ref("test.queue", 2)
PART = TestPart(branches=(Questions(id=1, title="Questions"), Queue(id=2, title="Queue")))


@pytest.mark.feature("R1", "R2")
@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ([Step("enters", target=MENU)], "menu"),
        ([Step("enters", target=MENU), Step("closed", target=MENU)], "closed"),
        ([Step("closed", target=Ref("groups.group", 2)), Step("enters", target=MENU)], "menu"),
        ([Step("enters", target=MENU), Step("enters", target=QUEUE)], "left"),
        ([], "left"),
    ],
    ids=[
        "left in the menu",
        "a menu out of hours",
        "a group out of hours before the menu",
        "left in a queue after the menu",
        "left before anything",
    ],
)
async def test_where_the_call_was_at_its_end(steps: list[Step], why: str) -> None:
    async def serve(call: LiveCall) -> Ending:
        for step in steps:
            call.note(step)
        return Ending()

    floor = Floor(office((), {"test": PART}))
    call = floor.call("a", serve)
    await floor.until(lambda: floor.orders.of("kill"))
    assert why_missed(call.facts, left_in(call)) == why
    floor.hangs_up(["a"])
