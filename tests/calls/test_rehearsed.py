# SPDX-License-Identifier: Apache-2.0
"""A real call and its rehearsal say the same: what the record of a call tells of people leads the same way once more, step for step."""

from __future__ import annotations

import asyncio

import pytest

from engine.rehearsal import Question, past_call, rehearse_call
from engine.sdk import HANGUP, Ref, Step, models
from plugins.groups.api import Membership
from plugins.ivr.part import MenuKey
from tests.calls.pbx import Pbx
from tests.calls.test_distribution import sip, unattended
from tests.phones import sound

pytestmark = pytest.mark.asyncio(loop_scope="session")


def told(steps: list[Step]) -> list[tuple[str, str]]:
    """Everything but sounds and where phones say when they ring, which depends on the switch."""
    left_out = ("play", "record", "phone_rings", "ringback", "caller_left", "distribution_failed", "cancelled")
    return [
        (s.what, str(s.facts.get("who") or s.facts.get("digit") or s.facts.get("key") or s.facts.get("why") or s.target or ""))
        for s in steps if s.what not in left_out
    ]  # fmt: skip


def again(office: Pbx, record: models.CallRecord) -> list[tuple[str, str]]:
    call = past_call(record)
    assert record.did is not None
    done = rehearse_call(office.snapshot, office.runtime.ctx.registry.actions(), Question(record.did, call.caller, call.script), call.at)
    return told([step for _, step in done.rehearsal.steps])


def noted(record: models.CallRecord) -> list[tuple[str, str]]:
    return told([
        Step(s["what"], s.get("facts") or {}, Ref.parse(t) if isinstance(t := s.get("target"), str) else Ref(**t) if t else None)
        for s in record.trace
    ])  # fmt: skip


@pytest.mark.feature("IVR-2", "GRP-3", "GRP-8")
async def test_a_call_through_menu_and_groups_that_nobody_takes(shared: Pbx) -> None:
    """Key 2, one phone that does not answer, one that is not registered, then the no-answer action."""
    first, second = await shared.user("201", sip("201")), await shared.user("202", sip("202"))
    night = await shared.group("Night", members=(Membership(first, 1),), no_answer=HANGUP)
    sales = await shared.group("Sales", method="SEQUENTIAL", members=(Membership(first, 1), Membership(second, 2)), no_answer=night)
    tone = await shared.file("menu", sound.tone(shared.folder / "menu.wav", 900, 20))
    menu = await shared.menu("Menu", file=tone, keys=(MenuKey("2", sales),))
    await shared.rule(menu)
    async with unattended(shared, "201"), shared.outsider() as outsider:
        call = await outsider.call(shared.did[1:])
        await outsider.talking(call)
        await shared.step("play")
        outsider.press(call, "2")
        await outsider.over(call)
    (record,) = await shared.records(1)
    assert ("key", "2") in noted(record)
    assert ("skipped", "202") in noted(record)
    assert noted(record) == again(shared, record)


@pytest.mark.feature("GRP-3")
async def test_a_call_that_is_answered_and_talked(shared: Pbx) -> None:
    first, second = await shared.user("201", sip("201")), await shared.user("202", sip("202", timeout_seconds=20))
    await shared.rule(await shared.group("Sales", method="SEQUENTIAL", members=(Membership(first, 1), Membership(second, 2))))
    async with unattended(shared, "201"), shared.phone("202", auto="ring") as phone, shared.outsider() as outsider:
        await phone.registered()
        await shared.registered("202")
        call = await outsider.call(shared.did[1:])
        ringing = await phone.incoming()
        phone.answer(ringing["call"])
        await phone.talking(ringing["call"])
        await shared.step("talk")
        await asyncio.sleep(1.0)  # the talk itself
        phone.hangup(ringing["call"])
        await outsider.over(call)
    (record,) = await shared.records(1)
    assert [what for what, _ in noted(record)][-2:] == ["talk", "talk_over"]
    assert noted(record) == again(shared, record)
