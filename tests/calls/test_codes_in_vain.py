# SPDX-License-Identifier: Apache-2.0
"""A colleague who can't be reached is asked for by a code: the two hear each other again at once, or a mailbox has the caller."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest

from engine.snapshot import Ref
from plugins.groups.part import Group
from plugins.voicemail.part import GROUP_VOICEMAIL
from tests.calls.pbx import Pbx
from tests.calls.scene import CALLER, FIRST, talking
from tests.calls.test_voicemail import mailbox, messages, said, speaks_after_the_beep

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.feature("PBX-6", "R20", "R21", "R12")
@pytest.mark.parametrize("why", ["not registered", "talks with somebody", "inactive"])
@pytest.mark.parametrize("code", ["*1203", "*2203", "*9203#"])
async def test_the_talk_goes_on(shared: Pbx, code: str, why: str) -> None:
    async with AsyncExitStack() as stack:
        await shared.user("203", active=why != "inactive")
        await shared.user("204")
        scene = await talking(shared, stack)
        if why == "talks with somebody":
            colleague = await stack.enter_async_context(shared.telephone("203"))
            other = await stack.enter_async_context(shared.telephone("204"))
            busy = await colleague.call("204")
            talks_too = await other.answers()
            await busy.answered()
        await scene.types(code)
        await shared.step("skipped" if why != "inactive" else "code_refused" if code != "*1203" else "transfer_returns")
        scene.forget()
        await scene.caller.hears(FIRST, seconds=1.0)
        await scene.one.hears(CALLER, seconds=1.0)
        if why == "talks with somebody":
            await busy.hang_up()
            await talks_too.ended()
        await scene.talk.hang_up()
        await scene.served.ended()


@pytest.mark.feature("PBX-6", "R20", "VM-1")
async def test_who_has_sent_his_caller_to_a_mailbox_is_free_when_it_records(shared: Pbx) -> None:
    """He can't take the caller back in the middle of a message, which then would be nobody's."""
    absent = await shared.group("Absent", method="NONE", extension="300")
    await mailbox(shared, absent)
    group = shared.snapshot.get(absent, Group)
    assert group is not None
    await shared.change(group, no_answer=Ref(GROUP_VOICEMAIL, absent.id))
    async with AsyncExitStack() as stack:
        scene = await talking(shared, stack)
        await scene.types("*1300")
        await scene.served.ended()
        await speaks_after_the_beep(scene.caller, 2.0)
        await scene.talk.hang_up()
        (record,) = await shared.records(1)
    (row,) = await messages(shared, 1)
    assert row.call_id == record.call_id
    assert abs(said(shared, row) - 2.0) < 0.9
