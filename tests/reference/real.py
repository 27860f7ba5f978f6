# SPDX-License-Identifier: Apache-2.0
"""Which seeds can be tried as real calls: short ones whose course does not hang on tenths of a second."""

from __future__ import annotations

import copy
import itertools
import random
from collections.abc import Iterator

from tests.reference.compare import disorder
from tests.reference.oracle import Drawn, Event, Told, foretell
from tests.reference.world import REAL, Scenario, World, make

LONGEST = 13.0
LAG = 0.3
"""Seconds by which anything may come later on a switch than in thought."""


def rings(told: Told) -> list[Event]:
    return [e for e in told.events if e.what == "rings"]


def fitting() -> Iterator[int]:
    return (seed for seed in itertools.count() if _fits(*make(seed, REAL)))


def _fits(world: World, call: Scenario) -> bool:
    for n in range(10):
        chance = random.Random(n)
        drawn = _drawn({u.name: chance.random() for u in world.users})
        told = foretell(world, call, drawn)
        if told.end == "too far" or not 2 <= len(rings(told)) <= 12 or told.events[-1].at > LONGEST:
            return False
        later = foretell(*_later(world, call, chance), drawn)
        if later.end != told.end or disorder(rings(told), rings(later)):
            return False
    return True


def _drawn(place: dict[str, float]) -> Drawn:
    return lambda after, users: sorted(users, key=lambda u: place[u.name])


def _later(world: World, call: Scenario, chance: random.Random) -> tuple[World, Scenario]:
    """Everything a little late, each thing by a time of its own."""
    world, call = copy.deepcopy(world), copy.deepcopy(call)

    def lag() -> float:
        return chance.uniform(0, LAG)

    world.sounds = {name: seconds + lag() for name, seconds in world.sounds.items()}
    for user in world.users:
        for contact in user.contacts:
            contact.timeout += lag()  # type: ignore[assignment]
    call.phones = {label: [(seconds + lag(), does) for seconds, does in mind] for label, mind in call.phones.items()}
    offset = chance.uniform(-LAG, LAG)
    call.keys = [(max(0.1, at + offset), key) for at, key in call.keys]
    call.leaves = (call.leaves or 0) + chance.uniform(-LAG, LAG)
    return world, call
