# SPDX-License-Identifier: Apache-2.0
"""Forty worlds of the reference as real calls: which phones are rung, in which order and when, as the manual and the rules foretell."""

from __future__ import annotations

import asyncio
import itertools
from functools import cache
from pathlib import Path

import pytest

from engine.db import secrets
from tests.calls.installation import Installation
from tests.calls.pbx import Pbx, company
from tests.calls.reference import build, happened
from tests.reference.compare import Draws, disorder, told
from tests.reference.oracle import foretell
from tests.reference.real import fitting, rings
from tests.reference.world import REAL, make

pytestmark = pytest.mark.asyncio(loop_scope="session")

CALLS, AT_ONCE = 40, 8
LATE = 2.0
"""Seconds by which a busy machine may be late; the order is held to half a second."""


@cache
def seeds() -> list[int]:
    return list(itertools.islice(fitting(), CALLS))


async def compared(office: Pbx, seed: int) -> str:
    """“” when the phones were rung as foretold."""
    world, call = make(seed, REAL)
    did = await happened(office, world, call)
    should = foretell(world, call, Draws(did, ("rings",)))
    wrong = disorder(rings(should), did, late=LATE)
    (record,) = await office.records(1)
    if record.talked != (should.end == "talked"):
        wrong += f"\n  the reference says {should.end!r}, the record says talked={record.talked}"
    if not wrong:
        return ""
    both = [*(f"  - {told(e)}" for e in rings(should)), *(f"  + {told(e)}" for e in did)]
    return "\n".join([f"seed {seed}: {wrong}; - reference, + phones", *both, await office.told()])


@pytest.mark.feature(
    "GRP-3", "GRP-4", "GRP-6", "GRP-8", "IVR-4", "IVR-5", "NUM-1", "USR-3", "ACT-1", "ACT-2", "ACT-7",
    "R2", "R3", "R5", "R8", "R9", "R10",
)  # fmt: skip
@pytest.mark.parametrize("batch", range(CALLS // AT_ONCE))
async def test_phones_are_rung_as_foretold(house: Installation, tmp_path: Path, batch: int) -> None:
    secrets.setup(house.runtime.settings)
    chosen = seeds()[batch * AT_ONCE : (batch + 1) * AT_ONCE]
    offices = [await company(house, tmp_path) for _ in chosen]
    for office, seed in zip(offices, chosen, strict=True):
        await build(office, make(seed, REAL)[0], tmp_path)
    found = await asyncio.gather(*(compared(office, seed) for office, seed in zip(offices, chosen, strict=True)))
    for office in offices:
        await office.quiet()
    assert not [difference for difference in found if difference]
