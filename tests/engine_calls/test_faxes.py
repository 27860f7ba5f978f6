# SPDX-License-Identifier: Apache-2.0
"""Faxes on a live call: told once, before the caller is gone, with the pages that came; remembered over a restart; no timer cuts them."""

from __future__ import annotations

import pytest

from engine.calls.call import Faxed
from engine.calls.live import LiveCall
from engine.calls.reception import Ending
from engine.calls.unheard import hear_of_fax
from engine.errors import CallGone
from engine.esl.event import Event
from engine.plugin.testing import office
from tests.engine_calls.floor import Floor, Orders

PATH, FILE = "fax/1/f.tif", "/media/fax/1/f.tif"
OVER = {
    "variable_fax_success": "1", "variable_fax_document_transferred_pages": "2", "variable_fax_result_text": "OK",
    "variable_fax_remote_station_id": " 7495 ",
}  # fmt: skip


class FaxOrders(Orders):
    def receive_fax(self, uuid: str, file: str) -> str:
        self.given.append(("receive_fax", uuid, file))
        return "run-fax"


class Receives:
    def __init__(self, *, ends_at_once: bool = False) -> None:
        self.heard: list[Faxed] = []
        self.gone = False
        self._ends = ends_at_once

    async def __call__(self, call: LiveCall) -> Ending:
        fax = call.receive_fax(PATH)
        if self._ends:
            call.end_fax(fax)
        try:
            while True:
                event = await call.next()
                if isinstance(event, Faxed):
                    self.heard.append(event)
        except CallGone:
            self.gone = True
            raise


async def begun(scenario: Receives) -> tuple[Floor, LiveCall]:
    floor = Floor(office((), {}), FaxOrders())
    call = floor.call("a", scenario)
    await floor.until(lambda: call.fax)
    return floor, call


def says(floor: Floor, name: str, **headers: str) -> None:
    floor.node.on_event(Event.of({"Event-Name": name, "Unique-ID": "a", **headers}))


def page(floor: Floor, number: int) -> None:
    says(floor, "CUSTOM", **{"Event-Subclass": "spandsp::rxfaxpageresult", "variable_fax_document_transferred_pages": str(number)})


def told(scenario: Receives) -> list[tuple[int | None, bool, str, str]]:
    return [(e.fax.pages, e.fax.complete, e.fax.sender, e.fax.trouble) for e in scenario.heard]


@pytest.mark.feature("VM-2")
async def test_it_is_told_when_its_file_is_closed() -> None:
    floor, call = await begun(scenario := Receives())
    assert floor.orders.of("receive_fax") == [["a", FILE]]
    page(floor, 1)
    says(floor, "CHANNEL_EXECUTE_COMPLETE", **{"Application-UUID": "another"}, **OVER)
    page(floor, 2)
    assert scenario.heard == []
    says(floor, "CHANNEL_EXECUTE_COMPLETE", **{"Application-UUID": "run-fax"}, **OVER)
    await floor.until(lambda: scenario.heard)
    assert told(scenario) == [(2, True, "7495", "")]
    assert [s.facts["page"] for _, s in call.steps if s.what == "fax_page"] == [1, 2]
    floor.hangs_up(["a"])
    await floor.until(lambda: scenario.gone)
    assert len(scenario.heard) == 1


@pytest.mark.feature("VM-2", "R1")
@pytest.mark.parametrize("switch", ["tells", "has died"])
async def test_a_caller_who_hangs_up_has_left_the_pages_that_came(switch: str) -> None:
    floor, _ = await begun(scenario := Receives())
    page(floor, 1)
    if switch == "tells":
        ended = {**OVER, "variable_fax_success": "0", "variable_fax_document_transferred_pages": "1", "variable_fax_result_text": "gone"}
        says(floor, "CHANNEL_EXECUTE_COMPLETE", **{"Application-UUID": "run-fax"}, **ended)
    floor.hangs_up(["a"])
    await floor.until(lambda: scenario.gone)
    assert told(scenario) == [(1, False, "7495", "gone") if switch == "tells" else (1, False, "", "")]


@pytest.mark.feature("VM-2")
async def test_what_is_declared_over_is_over_once() -> None:
    floor, _ = await begun(scenario := Receives(ends_at_once=True))
    await floor.until(lambda: scenario.heard)
    says(floor, "CHANNEL_EXECUTE_COMPLETE", **{"Application-UUID": "run-fax"}, **OVER)
    floor.hangs_up(["a"])
    await floor.until(lambda: scenario.gone)
    assert told(scenario) == [(0, False, "", "")]


@pytest.mark.feature("VM-2")
async def test_no_timer_of_a_dead_engine_cuts_it() -> None:
    floor, call = await begun(Receives())
    given = [name for name, *_ in floor.orders.given if name in ("sched_transfer", "sched_del")]
    assert given[-1] == "sched_del"
    floor.node.guards.rearm()
    assert [name for name, *_ in floor.orders.given if name in ("sched_transfer", "sched_del")] == given
    says(floor, "CHANNEL_EXECUTE_COMPLETE", **{"Application-UUID": "run-fax"}, **OVER)
    assert [name for name, *_ in floor.orders.given if name in ("sched_transfer", "sched_del")][-1] == "sched_transfer"
    assert call.fax is not None
    floor.hangs_up(["a"])


@pytest.mark.feature("VM-2")
async def test_the_next_engine_knows_it() -> None:
    floor, call = await begun(Receives())
    page(floor, 1)
    after = LiveCall(floor.node, floor.snapshot, call.caller, None, started_at=call.started_at, id="again")
    after.faxes.restore(call.steps)
    assert after.faxes.running
    assert after.fax is not None
    assert (after.fax.path, after.fax.pages) == (PATH, None)
    hear_of_fax(after, Event.of({"variable_current_application": "rxfax"}))
    assert after.faxes.running
    hear_of_fax(after, Event.of({"variable_current_application": "park", **OVER}))
    assert (after.fax.pages, after.fax.complete) == (2, True)
    once_more = LiveCall(floor.node, floor.snapshot, call.caller, None, started_at=call.started_at, id="once more")
    once_more.faxes.restore([*call.steps, *after.steps])
    assert once_more.fax == after.fax
    floor.hangs_up(["a"])
