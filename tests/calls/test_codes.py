# SPDX-License-Identifier: Apache-2.0
"""Feature codes typed on live calls: transfers with and without consultation, mailbox, pickup; the other party hears no key of a code."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from engine.db import models
from tests.calls.pbx import Pbx
from tests.calls.telephone import Line, Provider
from tests.embedded.telephone import Answering, Talk
from tests.phones import sound

pytestmark = pytest.mark.asyncio(loop_scope="session")

CALLER, FIRST, SECOND = 500, 1300, 900


@dataclass
class Scene:
    """A caller from outside talks with 201; everybody says a tone of his own. 202 is idle."""

    caller: Provider
    talk: Talk
    one: Line
    served: Answering
    two: Line

    async def types(self, keys: str) -> None:
        """201 presses keys: a phone sends no sound meanwhile."""
        self.one.quiet()
        await self.one.press(keys)
        self.one.say(FIRST)


async def talking(office: Pbx, stack: AsyncExitStack, **group: object) -> Scene:
    """201 and 202 are in one group, 201 is rung first."""
    first, second = await office.user("201"), await office.user("202")
    await office.rule(await office.group("Sales", first, **group))
    await office.group("Support", second)
    one, two = [await stack.enter_async_context(office.telephone(login)) for login in ("201", "202")]
    caller = await stack.enter_async_context(office.provider())
    talk = await caller.calls(office.did[1:])
    served = await one.answers()
    await talk.answered()
    caller.say(CALLER)
    one.say(FIRST)
    await caller.hears(FIRST)
    await one.hears(CALLER)
    return Scene(caller, talk, one, served, two)


def steps(record: models.CallRecord, *kinds: str) -> list[str]:
    return [s["what"] for s in record.trace if s["what"] in kinds]


async def one_recording(office: Pbx, record: models.CallRecord) -> None:
    """Both sides of the end of the talk are in the one recording (R13)."""
    assert len(record.recordings) == 1
    left, right = sound.read(office.media / record.recordings[0].path)
    assert sound.strength(left[-6000:-2000], CALLER) > 0.8
    assert sound.strength(right[-6000:-2000], SECOND) > 0.8


@pytest.mark.feature("PBX-6", "R13", "R19", "R20", "R21")
@pytest.mark.parametrize("code", ["*1202", "*8202#"])
async def test_a_transfer_by_code_without_consultation(shared: Pbx, code: str) -> None:
    async with AsyncExitStack() as stack:
        scene = await talking(shared, stack, recording=True)
        await scene.types(code)
        ringing = await scene.two.takes()
        assert "9271234567" in ringing.invite.get("From")  # R19
        await ringing.answer()
        await scene.served.ended()
        scene.two.say(SECOND)
        await scene.caller.hears(SECOND)
        await scene.two.hears(CALLER)
        await scene.caller.listen(1.0)
        await scene.talk.hang_up()
        await ringing.ended()
        (record,) = await shared.records(1)
        assert scene.caller.events_heard == []
    assert record.talked
    assert [leg.label for leg in sorted(record.legs, key=lambda x: x.started_at)][1:] == ["201", "202"]
    assert steps(record, "talk", "transfer_asked") == ["talk", "transfer_asked", "talk"]
    await one_recording(shared, record)


@pytest.mark.feature("R20", "R21")
async def test_a_cancelled_transfer_gives_the_caller_back_at_once(shared: Pbx) -> None:
    async with AsyncExitStack() as stack:
        scene = await talking(shared, stack)
        await scene.types("*1202")
        ringing = await scene.two.takes()
        heard = len(scene.one.heard)
        await scene.one.listen(0.5)
        assert scene.one.strength(425) > 0.5 or scene.one.loudness() < 100, heard  # ringback, not the caller
        await scene.types("*4")
        await ringing.cancelled()
        await scene.caller.hears(FIRST)
        await scene.one.hears(CALLER)
        await scene.talk.hang_up()
        await scene.served.ended()
        (record,) = await shared.records(1)
        assert scene.caller.events_heard == []
    assert steps(record, "talk", "transfer_asked", "transfer_cancelled") == ["talk", "transfer_asked", "transfer_cancelled", "talk"]


@pytest.mark.feature("PBX-6", "R13", "R19", "R20", "R21")
async def test_a_transfer_by_code_with_consultation(shared: Pbx) -> None:
    async with AsyncExitStack() as stack:
        scene = await talking(shared, stack, recording=True)
        await scene.types("*2202")
        ringing = await scene.two.takes()
        assert "sip:201@" in ringing.invite.get("From")  # R19: the one who consults
        await ringing.answer()
        scene.two.say(SECOND)
        await scene.one.hears(SECOND)
        await scene.two.hears(FIRST)
        await scene.caller.listen(0.5)
        assert scene.caller.strength(FIRST) < 0.1
        assert scene.caller.loudness() > 100  # music
        await scene.types("*3")
        await scene.caller.hears(FIRST)
        await scene.one.hears(CALLER)
        await scene.types("*3")
        await scene.one.hears(SECOND)
        await scene.served.hang_up()
        await scene.caller.hears(SECOND)
        await scene.two.hears(CALLER)
        await scene.caller.listen(1.0)
        await scene.talk.hang_up()
        await ringing.ended()
        (record,) = await shared.records(1)
        assert scene.caller.events_heard == []
        assert scene.two.events_heard == []
    assert record.talked
    assert [leg.label for leg in sorted(record.legs, key=lambda x: x.started_at)][1:] == ["201", "202"]
    told = ["talk", "consults", "consultation", "toggled", "toggled", "handed_over", "talk"]
    assert steps(record, *told) == told
    await one_recording(shared, record)
