# SPDX-License-Identifier: Apache-2.0
"""Where a call goes on after a restart, when it had been in more than one element."""

from __future__ import annotations

import pytest

from engine.calls.call import Caller, Step
from engine.calls.live import LiveCall
from engine.calls.reception import Ending
from engine.facts.distribution import DistributionFailed
from engine.plugin.testing import office, sip_user
from engine.routing.inbound import FrontDesk
from engine.snapshot import Ref, Snapshot
from plugins.groups.actions import ToGroup, ToUser
from plugins.groups.api import Membership
from plugins.groups.part import Group, GroupsPart
from tests.engine_calls.floor import Floor

ROOT, SALES, SUPPORT, GONE = (Ref("groups.group", n) for n in (1, 2, 3, 9))


def house() -> Snapshot:
    groups = (
        Group(id=1, title="PBX", members=(Membership(201),)),
        Group(id=2, title="Sales", parent=ROOT, active=False),
        Group(id=3, title="Support", parent=SALES, members=(Membership(201),)),
    )
    return office((sip_user(201),), {"groups": GroupsPart(groups=groups)})


def desk_of(snapshot: Snapshot) -> FrontDesk:
    actions = {a.kind: a for a in (ToGroup(), ToUser())}
    return FrontDesk(lambda: (snapshot,), lambda account: snapshot, lambda domain: 1, lambda: actions)


def tried_a_closed_group(call: LiveCall) -> None:
    call.note(Step("enters", {"title": "PBX", "kind": "groups.group", "by": "rule"}, ROOT))
    call.note(Step("enters", {"title": "Sales", "kind": "groups.group", "by": "nested"}, SALES))
    call.note(Step("closed", {"title": "Sales", "why": "inactive"}, SALES))


@pytest.mark.feature("GRP-4", "R2")
async def test_a_caller_goes_on_where_he_waited_not_in_the_group_stepped_over() -> None:
    floor = Floor(house())
    desk = desk_of(floor.snapshot)

    async def serve(call: LiveCall) -> Ending:
        tried_a_closed_group(call)
        await floor.until(lambda: floor.orders.of("setvar"))  # marked at the end of the loop's turn
        return await desk.resume(call, SALES, None)  # where he was last, as the switch remembers it

    call = floor.call("a", serve)
    await floor.until(lambda: floor.orders.of("kill"))
    entered = [(s.target, s.facts["by"]) for _, s in call.steps if s.what == "enters"]
    assert entered[2:] == [(ROOT, "repeat"), (SALES, "nested")]
    assert [f.group for f in call.facts if isinstance(f, DistributionFailed)] == [ROOT]
    floor.hangs_up(["a"])


@pytest.mark.feature("R1", "GRP-4")
async def test_a_caller_who_left_meanwhile_is_missed_by_the_group_he_waited_in() -> None:
    floor = Floor(house())
    desk = desk_of(floor.snapshot)

    async def serve(call: LiveCall) -> Ending:
        tried_a_closed_group(call)
        desk.left(call)
        return Ending()

    call = floor.call("a", serve)
    await floor.until(lambda: call.facts)
    assert [f.group for f in call.facts if isinstance(f, DistributionFailed)] == [ROOT]
    floor.hangs_up(["a"])


@pytest.mark.feature("R26", "GRP-4")
@pytest.mark.parametrize(
    ("entered", "goes_to"),
    [((ROOT, GONE), ROOT), ((GONE,), ROOT), ((SUPPORT, GONE), SUPPORT)],
    ids=["nested in what is there", "nothing on its way is there", "came from what is there"],
)
async def test_a_caller_whose_element_was_deleted_meanwhile_is_not_sent_away(entered: tuple[Ref, ...], goes_to: Ref) -> None:
    floor = Floor(house())
    desk = desk_of(floor.snapshot)

    async def serve(call: LiveCall) -> Ending:
        for ref in entered:
            call.note(Step("enters", {"title": str(ref), "kind": ref.kind, "by": "action"}, ref))
        return await desk.resume(call, entered[-1], None)

    call = floor.call("a", serve)
    await floor.until(lambda: [s for _, s in call.steps if s.what in ("rings", "skipped")] or call.gone)
    again = [s.target for _, s in call.steps if s.what == "enters"][len(entered) :]
    assert again[0] == goes_to
    assert GONE not in again
    floor.hangs_up(["a"])


async def test_an_employee_who_called_a_colleague_deleted_meanwhile_hears_that_he_is_not_there() -> None:
    floor = Floor(house())
    desk = desk_of(floor.snapshot)

    async def serve(call: LiveCall) -> Ending:
        call.note(Step("enters", {"title": "", "kind": GONE.kind, "by": "extension"}, GONE))
        return await desk.resume(call, GONE, None)

    call = floor.call("a", serve, Caller("201", "", False, 201, None, "300"), user=201)
    await floor.until(lambda: floor.orders.of("kill"))
    assert [s.target for _, s in call.steps if s.what == "enters"] == [GONE, GONE]
    floor.hangs_up(["a"])
