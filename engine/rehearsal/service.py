# SPDX-License-Identifier: Apache-2.0
"""What would this call do? The steps of a call on a live or edited snapshot, with the code that drives real calls."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine.calls.call import Caller, Step
from engine.errors import CallGone, WaitsForEver
from engine.facts import Fact
from engine.rehearsal.rehearsed import RehearsedCall
from engine.rehearsal.script import Script
from engine.routing.action import Done, Entry, Hangup, Missed, RoutingAction
from engine.routing.ordered import OrderAction
from engine.routing.outbound import dial_number
from engine.routing.router import Router
from engine.snapshot import Snapshot


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


def rehearse(
    snapshot: Snapshot,
    actions: Mapping[str, RoutingAction],
    entry: Entry,
    caller: Caller,
    script: Script,
    at: datetime,
    *,
    seed: int = 1,
) -> Rehearsal:
    """Run the call from `entry` at `at` (aware) to its end; never suspends, touches nothing."""
    call, router = RehearsedCall(snapshot, caller, script, at, seed=seed), Router(actions, dial_number)
    return _played(call, router, router.route(call, entry))


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
    caller = order.begin(arguments).caller
    call, router = RehearsedCall(snapshot, caller, script, at, seed=seed, ordered=True), Router(actions, dial_number)

    async def scenario() -> Done | Hangup | Missed:
        outcome = await router.follow(call, await order.run(call, arguments, router))
        await order.afterwards(call, arguments, outcome)
        return outcome

    return _played(call, router, scenario())


def _played(call: RehearsedCall, router: Router, scenario: Coroutine[Any, Any, Done | Hangup | Missed]) -> Rehearsal:
    outcome: Done | Hangup | Missed | None = None
    dead_end = False
    try:
        scenario.send(None)
    except StopIteration as finished:
        outcome = finished.value
    except CallGone:
        pass
    except WaitsForEver:
        dead_end = True
    else:
        scenario.close()
        raise RuntimeError("an action awaited something that is not Call.next")
    leaked = tuple(leg.label for leg in call.leaked)
    return Rehearsal(tuple(call.steps), tuple(call.facts), outcome, dead_end, leaked, call.awaits, tuple(router.trail))
