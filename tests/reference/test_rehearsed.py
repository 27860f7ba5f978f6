# SPDX-License-Identifier: Apache-2.0
"""Rehearsals against the independent reference: what is entered, played, rung and stopped, in which order and when, and how it ends."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.reference.compare import Draws, difference
from tests.reference.oracle import Event, foretell
from tests.reference.rehearsal import end, events, rehearsed
from tests.reference.world import make

SEEDS, MANY = range(200), range(200, 1400)
CHUNK = 25


def chunks(seeds: range) -> list[range]:
    return [range(first, min(first + CHUNK, seeds.stop)) for first in range(seeds.start, seeds.stop, CHUNK)]


def disagreement(seed: int) -> str:
    """“” or what differs, with the seed that shows it again."""
    world, call = make(seed)
    run = rehearsed(world, call)
    happened = events(run)
    should = foretell(world, call, Draws(happened))
    found = difference(should.events, happened)
    if should.end != end(run):
        found += f"\n  end: {should.end!r} in the reference, {end(run)!r} in the rehearsal"
    if run.leaked:
        found += f"\n  left ringing: {', '.join(run.leaked)}"
    return f"seed {seed}: - reference, + rehearsal\n{found}" if found else ""


features = pytest.mark.feature(
    "GRP-3", "GRP-4", "GRP-6", "GRP-8", "GRP-9", "IVR-2", "IVR-3", "IVR-4", "IVR-5", "NUM-1", "USR-2", "USR-3",
    "ACT-1", "ACT-2", "ACT-4", "ACT-5", "ACT-6", "ACT-7", "R2", "R3", "R4", "R5", "R6", "R7", "R8", "R9", "R10", "R22",
)  # fmt: skip


@features
@pytest.mark.parametrize("seeds", chunks(SEEDS), ids=str)
def test_rehearsals_are_as_foretold(seeds: range) -> None:
    assert not [found for seed in seeds if (found := disagreement(seed))]


@features
@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("seeds", chunks(MANY), ids=str)
def test_many_rehearsals_are_as_foretold(seeds: range) -> None:
    assert not [found for seed in seeds if (found := disagreement(seed))]


def test_the_calls_are_of_all_kinds() -> None:
    """What the seeds are to prove does happen in them."""
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        world, call = make(seed)
        run = rehearsed(world, call)
        seen[end(run)] += 1
        seen.update(f"{e.what} {e.why}".strip() for e in set(events(run)))
        seen.update(step.what for _, step in run.steps)
        seen.update(str(step.facts["by"]) for _, step in run.steps if step.what == "enters")
        rung = {g.name for g in world.groups} & {e.who for e in events(run) if e.what == "enters"}
        seen.update({g.method for g in world.groups if g.name in rung})
    wanted = {
        "talked", "left", "hangup", "failed", "too far", "closed", "plays", "rings", "answers",
        "stops no answer", "stops busy", "stops refuses", "stops cancelled", "skipped absent", "skipped busy",
        "attempt", "menu_timeout", "key_chosen", "extension_dialled", "rule", "rule_skipped", "no_rule",
        "nested", "action", "extension", "repeat", "SEQUENTIAL", "BY_USER", "ALL_AT_ONCE", "RANDOM", "NONE",
    }  # fmt: skip
    assert {what: seen[what] for what in wanted if seen[what] < 5} == {}


def test_a_difference_is_told() -> None:
    one, two, three = Event(0, "rings", "201"), Event(0, "rings", "202"), Event(5, "stops", "201", "busy")
    assert difference([one, two, three], [two, one, three]) == ""  # they ring together
    assert difference([one, three], [one, three._replace(at=5.05)]) == ""
    assert "+    5.200 stops    201 (busy)" in difference([one, three], [one, three._replace(at=5.2)])
    assert "- (nothing)" in difference([one], [one, three])
    assert "+ (nothing)" in difference([one, three], [one])
    entered = Event(0, "enters", "A"), Event(0, "enters", "B")
    assert difference(entered, entered[::-1])
