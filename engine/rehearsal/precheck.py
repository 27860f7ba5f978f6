# SPDX-License-Identifier: Apache-2.0
"""Would calls go elsewhere? The last real calls on two configurations, such as the present one and an edited or an older one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from engine.errors import Refused
from engine.rehearsal.front_door import calling
from engine.rehearsal.past import PastCall
from engine.rehearsal.question import Question
from engine.rehearsal.service import End, Rehearsal, at_once
from engine.routing.action import RoutingAction
from engine.snapshot import Ref, Snapshot

MOST_EXAMPLES: Final = 20


@dataclass(frozen=True, slots=True)
class Way:
    """Where a call went: the elements it entered, who rang, how it ended. Two ways are the same when these are."""

    entered: tuple[Ref, ...] = ()
    rung: tuple[str, ...] = ()
    talked_with: str = ""
    end: End | None = None
    """None: it was refused at the door, and `refusal` says why."""
    refusal: Refused | None = None

    def like(self, other: Way) -> bool:
        return (self.entered, self.rung, self.talked_with, self.end) == (other.entered, other.rung, other.talked_with, other.end)


@dataclass(frozen=True, slots=True)
class Example:
    call: PastCall
    before: Way
    after: Way


@dataclass(frozen=True, slots=True)
class Replay:
    """`elsewhere` of `calls` went another way; `examples` are some of them, the newest first."""

    calls: int
    elsewhere: int
    examples: tuple[Example, ...]


def precheck(before: Snapshot, edited: Snapshot, actions: Mapping[str, RoutingAction], calls: Sequence[PastCall]) -> Replay:
    """At once, where nobody else waits; otherwise `beside(prechecking(...))`."""
    return at_once(prechecking(before, edited, actions, calls))


async def prechecking(
    before: Snapshot,
    edited: Snapshot,
    actions: Mapping[str, RoutingAction],
    calls: Sequence[PastCall],
    progress: Callable[[int], object] = lambda done: None,
) -> Replay:
    """`progress` is told how many calls have been made again."""
    examples: list[Example] = []
    elsewhere = 0
    for n, call in enumerate(calls, 1):
        then, now = await way(before, actions, call), await way(edited, actions, call)
        if not then.like(now):
            elsewhere += 1
            if len(examples) < MOST_EXAMPLES:
                examples.append(Example(call, then, now))
        progress(n)
    return Replay(len(calls), elsewhere, tuple(examples))


async def way(snapshot: Snapshot, actions: Mapping[str, RoutingAction], call: PastCall) -> Way:
    """The way of a past call on this configuration."""
    try:
        found = await calling(snapshot, actions, Question(call.dialled, call.caller, call.script), call.at, seed=call.id)
    except Refused as refusal:
        return Way(refusal=refusal)
    return way_of(found.rehearsal)


def way_of(done: Rehearsal) -> Way:
    rung = sorted((at, str(step.facts["who"])) for at, step in done.steps if step.what == "rings")
    talked = [str(step.facts["who"]) for _, step in done.steps if step.what == "talk"]
    entered = tuple(step.target for _, step in done.steps if step.what == "enters" and step.target is not None)
    return Way(entered, tuple(who for _, who in rung), talked[-1] if talked else "", done.end)
