# SPDX-License-Identifier: Apache-2.0
"""The methods of distribution with three users of two contacts each, second by second, as their phones see it (2.1.1.3, R9, R10)."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from plugins.groups.api import Membership
from tests.calls.pbx import Pbx
from tests.calls.telephone import Line
from tests.calls.test_distribution import refused, sip, unattended

pytestmark = pytest.mark.asyncio(loop_scope="session")

STARTS, ENDS = 0.3, 0.5
"""Seconds by which a phone may begin and cease to ring early or late."""
SECONDS = {"a1": 1, "a2": 2, "b1": 2, "b2": 1, "c1": 1, "c2": 1}
"""How long each contact rings. The users A, B and C have the contacts named after them."""

Times = Mapping[str, tuple[int, int]]
"""By contact: the seconds after the first INVITE at which it begins and ceases to ring."""

EACH_ON_HIS_OWN: Times = {"a1": (0, 1), "a2": (1, 3), "b1": (0, 2), "b2": (2, 3), "c1": (0, 1), "c2": (1, 2)}
CASES: Mapping[str, tuple[str, tuple[int, int, int], Times]] = {
    "by priority": ("SEQUENTIAL", (3, 1, 2), {"b1": (0, 2), "b2": (2, 3), "c1": (3, 4), "c2": (4, 5), "a1": (5, 6), "a2": (6, 8)}),
    "two equal": ("SEQUENTIAL", (2, 1, 1), {"b1": (0, 2), "b2": (2, 3), "c1": (0, 1), "c2": (1, 2), "a1": (3, 4), "a2": (4, 6)}),
    "all equal": ("SEQUENTIAL", (1, 1, 1), EACH_ON_HIS_OWN),
    "at once by users": ("BY_USER", (3, 1, 2), EACH_ON_HIS_OWN),
    "at once": ("ALL_AT_ONCE", (3, 1, 2), {contact: (0, seconds) for contact, seconds in SECONDS.items()}),
}


@asynccontextmanager
async def lateness() -> AsyncIterator[list[float]]:
    """What the machine itself keeps this process waiting: the longest delay of a timer so far, as the only item."""
    worst = [0.0]

    async def watch() -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + 0.01
            await asyncio.sleep(0.01)
            worst[0] = max(worst[0], loop.time() - due)

    task = asyncio.create_task(watch())
    try:
        yield worst
    finally:
        task.cancel()


async def team(office: Pbx, method: str, priorities: tuple[int, int, int], second: int = 2) -> None:
    """The number leads to a group of A, B and C; `second` is the priority of their second contacts."""
    users = []
    for extension, letter in (("201", "a"), ("202", "b"), ("203", "c")):
        wishes = [sip(f"{letter}{n}", priority=p, timeout_seconds=SECONDS[f"{letter}{n}"]) for n, p in ((1, 1), (2, second))]
        users.append(await office.user(extension, *wishes))
    members = tuple(Membership(user, priority) for user, priority in zip(users, priorities, strict=True))
    await office.rule(await office.group("Sales", method=method, members=members))


def check(lines: Mapping[str, Line], expected: Times, late: float) -> None:
    first = min(line.rung[0] for line in lines.values())
    for contact, (begins, ceases) in expected.items():
        line = lines[contact]
        assert (len(line.rung), len(line.stopped)) == (1, 1), contact
        before = [lines[other].stopped[0] for other, (_, end) in expected.items() if end == begins]
        due = min(before, key=lambda at: abs(at - line.rung[0])) if begins else first  # delays do not add up
        assert abs(line.rung[0] - due) < STARTS + late, (contact, line.rung[0] - first, late)
        assert abs(line.stopped[0] - line.rung[0] - (ceases - begins)) < ENDS + late, (contact, line.stopped[0] - line.rung[0], late)
    order = sorted(expected, key=lambda contact: lines[contact].rung[0])
    assert [expected[c][0] for c in order] == sorted(begins for begins, _ in expected.values()), order


@pytest.mark.feature("GRP-3", "GRP-4", "USR-3", "R3", "R9", "R10")
@pytest.mark.parametrize("case", CASES)
async def test_who_rings_when(shared: Pbx, case: str) -> None:
    method, priorities, expected = CASES[case]
    await team(shared, method, priorities)
    async with unattended(shared, *SECONDS) as lines, lateness() as late:
        assert await refused(shared) == 480
        check(dict(zip(SECONDS, lines, strict=True)), expected, late[0])


@pytest.mark.feature("GRP-3", "USR-3", "R10")
async def test_contacts_of_equal_priority_ring_together(shared: Pbx) -> None:
    await team(shared, "SEQUENTIAL", (3, 1, 2), second=1)
    async with unattended(shared, *SECONDS) as lines, lateness() as late:
        assert await refused(shared) == 480
        expected = {"b1": (0, 2), "b2": (0, 1), "c1": (2, 3), "c2": (2, 3), "a1": (3, 4), "a2": (3, 5)}
        check(dict(zip(SECONDS, lines, strict=True)), expected, late[0])


@pytest.mark.feature("GRP-3", "R10")
async def test_users_at_random_walk_their_contacts_in_order(shared: Pbx) -> None:
    """Nobody is rung before the one before him has been left."""
    await team(shared, "RANDOM", (3, 1, 2))
    async with unattended(shared, *SECONDS) as lines, lateness() as late:
        assert await refused(shared) == 480
        rung = dict(zip(SECONDS, lines, strict=True))
        order = sorted(SECONDS, key=lambda contact: rung[contact].rung[0])
        assert all(len(line.rung) == 1 for line in lines)
        for n in (0, 2, 4):  # one user after another, by contact priority
            assert (order[n][1], order[n + 1]) == ("1", order[n][0] + "2"), order
        for earlier, later in itertools.pairwise(order):
            assert abs(rung[later].rung[0] - rung[earlier].stopped[0]) < STARTS + late[0]
            assert abs(rung[earlier].stopped[0] - rung[earlier].rung[0] - SECONDS[earlier]) < ENDS + late[0]
