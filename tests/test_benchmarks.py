# SPDX-License-Identifier: Apache-2.0
"""The benchmarks still measure what they say: the product's call code takes and ends the feeder's calls. How fast is not asked here."""

from __future__ import annotations

import asyncio

import pytest

from benchmarks.engine_controller import EngineController, MenuController, SoundController
from benchmarks.esl_clients import control
from benchmarks.esl_parts import PASSWORD, switch_process


@pytest.mark.parametrize(("controller", "script"), [(SoundController, "plain"), (MenuController, "menu")])
async def test_the_engine_serves_the_feeders_calls(controller: type[EngineController], script: str) -> None:
    ended: list[str] = []
    with switch_process() as port:
        made = controller("127.0.0.1", port, PASSWORD)
        made.journal.ended = lambda call, at: ended.append(call.id)  # type: ignore[method-assign]
        await made.start()
        try:
            async with asyncio.timeout(30):
                await control(port, f"calls 20 5 {script}")
        finally:
            await made.close()
    assert len(ended) == 20
