# SPDX-License-Identifier: Apache-2.0
"""A colleague who can't be reached is asked for by a code: caller and employee hear each other again at once."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest

from tests.calls.pbx import Pbx
from tests.calls.test_codes import CALLER, FIRST, talking

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
