# SPDX-License-Identifier: Apache-2.0
"""What would this call do? The steps of a call on a live or edited snapshot, with the code that drives real calls."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias, TypeVar

from engine.calls.call import Caller, Step
from engine.calls.causes import NORMAL_CLEARING, NORMAL_TEMPORARY_FAILURE
from engine.calls.cdr import is_served, left_in, why_missed
from engine.errors import CallGone, GoesRound, WaitsForEver
from engine.facts import Fact, MissedWhy
from engine.facts.ended import Direction
from engine.rehearsal.rehearsed import RehearsedCall
from engine.rehearsal.script import Script
from engine.routing.action import Done, Entry, Hangup, Missed, RoutingAction
from engine.routing.arrival import Start, begin
from engine.routing.order_action import OrderAction
from engine.routing.outbound import dial_number
from engine.routing.router import Router, ending
from engine.snapshot import Snapshot

T = TypeVar("T")

End: TypeAlias = Literal["talked", "served", "hung_up", "missed", "left", "waits", "goes_round"]
"""Somebody talked; it reached its purpose; the PBX hung up; nobody took it; the caller left; it would hang for ever; it goes round."""

SLICE: Final = 0.01
"""Seconds of rehearsals at a stretch beside an event loop that serves calls and pages."""
TURNS_A_BREATH: Final = 32
"""Whoever drives many rehearsals beside real calls gets a word in after so many events of one."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """`outcome` None: the caller left, or the scenario hangs (`dead_end`)."""

    steps: tuple[tuple[float, Step], ...]
    facts: tuple[Fact, ...]
    outcome: Done | Hangup | Missed | None
    dead_end: bool
    leaked: tuple[str, ...]
    awaits: int
    trail: tuple[Entry, ...]
    end: End
    cause: str
    """What the caller's phone is told: the hangup cause."""
    seconds: float
    listened: bool
    """Whether the caller's keys counted anywhere."""
    unused_keys: str
    """Words of keys that the caller never typed, since nothing waited for them: “1234# 201#”."""
    missed_why: MissedWhy
    """As the call's record would have it (R1); "" when it is not missed."""


def rehearse(
    snapshot: Snapshot,
    actions: Mapping[str, RoutingAction],
    start: Start,
    caller: Caller,
    script: Script,
    at: datetime,
    *,
    seed: int = 1,
    direction: Direction = "in",
    contact: int | None = None,
) -> Rehearsal:
    """Run the call from `start` at `at` (aware) to its end; touches nothing. `contact`: whose phone calls."""
    return at_once(rehearsing(snapshot, actions, start, caller, script, at, seed=seed, direction=direction, contact=contact))


def rehearse_order(
    snapshot: Snapshot,
    actions: Mapping[str, RoutingAction],
    order: OrderAction,
    arguments: Mapping[str, Any],
    script: Script,
    at: datetime,
    *,
    seed: int = 1,
) -> Rehearsal:
    """Run an ordered call; the script's keys and its caller who leaves are those of whoever is served then."""
    call = RehearsedCall(snapshot, order.begin(arguments).caller, script, at, seed=seed, ordered=True)
    router = Router(actions, dial_number)

    async def scenario() -> Done | Hangup | Missed:
        outcome = await router.follow(call, await order.run(call, arguments, router))
        await order.afterwards(call, arguments, outcome)
        return outcome

    return at_once(_played(call, router, scenario(), "out"))


async def rehearsing(
    snapshot: Snapshot,
    actions: Mapping[str, RoutingAction],
    start: Start,
    caller: Caller,
    script: Script,
    at: datetime,
    *,
    seed: int = 1,
    direction: Direction = "in",
    contact: int | None = None,
) -> Rehearsal:
    """The same for `beside`: suspends now and then, so that others get their turn; never waits."""
    await asyncio.sleep(0)
    call = RehearsedCall(snapshot, caller, script, at, seed=seed, contact=contact)
    router = Router(actions, dial_number)
    return await _played(call, router, begin(call, router, start), direction)


async def _played(
    call: RehearsedCall, router: Router, scenario: Coroutine[Any, Any, Done | Hangup | Missed], direction: Direction
) -> Rehearsal:
    outcome: Done | Hangup | Missed | None = None
    stuck: WaitsForEver | None = None
    try:
        for turn in itertools.count(1):
            scenario.send(None)
            if not call.suspended:
                scenario.close()
                raise RuntimeError("an action awaited something that is not Call.next")
            call.suspended = False
            if turn % TURNS_A_BREATH == 0:
                await asyncio.sleep(0)
    except StopIteration as finished:
        outcome = finished.value
    except CallGone:
        pass
    except WaitsForEver as why:
        stuck = why
    return _result(call, router, outcome, stuck, direction)


def _result(
    call: RehearsedCall, router: Router, outcome: Done | Hangup | Missed | None, stuck: WaitsForEver | None, way: Direction
) -> Rehearsal:
    end = _end(call, outcome, stuck)
    missed = way == "in" and not call.talked and not is_served(call.facts) and stuck is None
    cause = ending(outcome, call.answered).cause if outcome is not None else None
    return Rehearsal(
        tuple(call.steps),
        tuple(call.facts),
        outcome,
        stuck is not None,
        tuple(leg.label for leg in call.leaked),
        call.awaits,
        tuple(router.trail),
        end,
        cause or NORMAL_CLEARING,
        round(call.elapsed, 3),
        call.listened,
        call.unused_keys,
        why_missed(call.facts, left_in(call)) if missed else "",
    )


def _end(call: RehearsedCall, outcome: Done | Hangup | Missed | None, stuck: WaitsForEver | None) -> End:
    if stuck is not None:
        return "goes_round" if isinstance(stuck, GoesRound) else "waits"
    if outcome is None:
        return "left"
    if isinstance(outcome, Hangup) and outcome.cause == NORMAL_TEMPORARY_FAILURE and any(s.what == "hop_limit" for _, s in call.steps):
        return "goes_round"
    if call.talked:
        return "talked"
    if isinstance(outcome, Missed):
        return "missed"
    return "hung_up" if isinstance(outcome, Hangup) else "served"


async def beside(work: Coroutine[Any, Any, T], *, slice_seconds: float = SLICE) -> T:
    """Do work made of rehearsals on a loop that has other things to do: never longer than `slice_seconds` at a stretch, and a breath."""
    began = time.perf_counter()
    while True:
        try:
            work.send(None)
        except StopIteration as finished:
            done: T = finished.value
            return done
        if time.perf_counter() - began >= slice_seconds:
            await asyncio.sleep(0)
            began = time.perf_counter()


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """The same where nobody else waits: a command, a test, a worker."""
    while True:
        try:
            work.send(None)
        except StopIteration as finished:
            done: T = finished.value
            return done
