# SPDX-License-Identifier: Apache-2.0
"""A key stops the menu's file at once (IVR-2): from the first end packet of the digit (RFC 4733) to the last packet of the prompt."""

from __future__ import annotations

import statistics

import numpy as np
import pytest

from plugins.ivr.part import MenuKey
from tests.calls.installation import REAL
from tests.calls.pbx import Pbx
from tests.calls.telephone import Provider
from tests.calls.test_methods import lateness
from tests.embedded.telephone import DECODE
from tests.phones import sound

pytestmark = pytest.mark.asyncio(loop_scope="session")
PROMPT = 900
LIMIT = 0.5 if REAL else 0.2
"""Seconds. FreeSWITCH's own figure stands in docs/verification.md."""
TIMES = 5


def last_of_prompt(phone: Provider) -> float:
    """When the last packet with the prompt's tone came."""
    arrived = [at for at, kind, _ in phone.packets if kind == 8]
    power = np.abs(np.fft.rfft(DECODE[np.frombuffer(bytes(phone.heard), np.uint8)].reshape(len(arrived), 160))) ** 2
    bin = PROMPT // 50
    has_tone = power[:, bin - 1 : bin + 2].sum(axis=1) > 0.5 * (power.sum(axis=1) + 1)
    return arrived[int(np.flatnonzero(has_tone)[-1])]


@pytest.mark.feature("IVR-2")
async def test_a_key_stops_the_prompt(shared: Pbx) -> None:
    """The caller hears ringing instead, so that packets go on."""
    sales = await shared.group("Sales", await shared.user("201"))
    file = await shared.file("menu", sound.tone(shared.folder / "menu.wav", PROMPT, 20))
    await shared.rule(await shared.menu("Menu", file=file, keys=(MenuKey("1", sales),)))
    took = []
    async with shared.telephone("201") as phone, lateness() as late:
        phone.unattended = True
        for _ in range(TIMES):
            async with shared.provider() as caller:
                talk = await caller.calls(shared.did[1:])
                await talk.answered()
                await caller.hears(PROMPT)
                ended = await caller.press("1")
                await caller.hears(425)
                took.append(last_of_prompt(caller) - ended)
                await talk.hang_up()
    print(f"barge-in: median {statistics.median(took) * 1000:.0f} ms, most {max(took) * 1000:.0f} ms, late {late[0] * 1000:.0f} ms")
    assert max(took) <= LIMIT + late[0], took
