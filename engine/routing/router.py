# SPDX-License-Identifier: Apache-2.0
"""The loop that takes a call from target to target until it is over, with a hop limit and R26 for what is broken."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from engine.calls.call import Call, Played, Recording, Step
from engine.calls.causes import CALL_REJECTED, NO_ANSWER, NORMAL_CLEARING, NORMAL_TEMPORARY_FAILURE
from engine.calls.reception import Ending
from engine.errors import CallGone, Recalled, WaitsForEver
from engine.facts.distribution import Served
from engine.routing.action import Announced, Done, Entry, Forward, GoTo, Hangup, Missed, Outcome, RoutingAction
from engine.routing.conversation import come_back, taken_back
from engine.snapshot import Branch, Sound, Target

log = logging.getLogger(__name__)

HOP_LIMIT: Final = 50
"""R11: how often a call is sent on. A nested element that came back failed was no step on its way."""
MOST_ENTRIES: Final = 2_000
"""Of one call, those that came back counted: attempts of attempts of closed groups must not hold the engine up."""
UNAVAILABLE_PHRASE: Final = Sound("prompts/unavailable.wav")


DialNumber: TypeAlias = Callable[[Call, GoTo, "Router"], Awaitable[Outcome]]
"""Calls an outside number on somebody's behalf (engine.routing.outbound)."""


@dataclass(slots=True)
class Router:
    """One per call: `actions` by kind, and how far it has come."""

    actions: Mapping[str, RoutingAction]
    dial_number: DialNumber
    hops: int = 0
    entries: int = 0
    trail: list[Entry] = field(default_factory=list)
    recording: Recording | None = None
    told_of_recording: bool = False

    async def route(self, call: Call, entry: Entry) -> Done | Hangup | Missed:
        """Serve the call from `entry` to its end. Raises CallGone."""
        return await self.follow(call, await self._run(call, entry))

    async def follow(self, call: Call, outcome: Outcome) -> Done | Hangup | Missed:
        """Go wherever an outcome leads, to the end."""
        while True:
            match outcome:
                case Forward(target, by):
                    outcome = await self._run(call, Entry(target, by))
                case GoTo():
                    outcome = await self._go_to(call, outcome)
                case Announced():
                    outcome = self._announced(call)
                case _:
                    return outcome

    def _announced(self, call: Call) -> Forward | Done:
        here = self.trail[-1].target if self.trail else None
        before = next((e.target for e in reversed(self.trail) if e.target != here), None)
        branch = call.snapshot.get(before, Branch)
        if branch is not None and branch.takes_back:
            return Forward(branch.ref, "repeat")
        call.fact(Served(account=call.snapshot.account.id, call=call.id, at=call.now, how="announcement"))
        return Done()

    def hop(self, call: Call) -> bool:
        """Count one more; False when the call is sent about without end and must be ended."""
        self.hops += 1
        self.entries += 1
        if self.hops <= HOP_LIMIT and self.entries <= MOST_ENTRIES:
            return True
        call.note(Step("hop_limit", {"limit": HOP_LIMIT}))
        return False

    def serves(self, target: Target) -> bool:
        return target.kind in self.actions

    async def _go_to(self, call: Call, wish: GoTo) -> Outcome:
        if wish.waits is None:
            outcome = await self._reach(call, wish)
        else:
            call.attend(wish.waits)
            try:
                outcome = await self.follow(call, await self._reach(call, wish))
            except Recalled:
                return await taken_back(call, self, wish.waits, wish.group)
        return await come_back(call, self, wish) if wish.reason == "transfer" and isinstance(outcome, Missed) else outcome

    async def _reach(self, call: Call, wish: GoTo) -> Outcome:
        target = call.snapshot.extension(wish.number)
        if target is not None:
            return await self._run(call, Entry(target, "transfer"))
        if self.hop(call):
            return await self.dial_number(call, wish, self)
        return Hangup(NORMAL_TEMPORARY_FAILURE)

    async def attempt(self, call: Call, entry: Entry) -> Outcome:
        """Enter a nested element; Done or Missed come back to the parent, a Forward or Hangup leaves for good (R2)."""
        here, hops = len(self.trail), self.hops
        outcome = await self._run(call, entry)
        if isinstance(outcome, Missed):
            del self.trail[here:]
            self.hops = hops
        return outcome

    async def _run(self, call: Call, entry: Entry) -> Outcome:
        self.trail.append(entry)
        if not self.hop(call):
            return Hangup(NORMAL_TEMPORARY_FAILURE)
        action = self.actions.get(entry.target.kind)
        element = call.snapshot.element(call.snapshot.owner(entry.target))
        title = element.title if element else str(entry.target)
        call.note(Step("enters", {"title": title, "kind": entry.target.kind, "by": entry.by}, entry.target))
        if action is None:
            return await self._unavailable(call, entry, "no_plugin")
        try:
            return await action.run(call, entry, self)
        except (CallGone, Recalled, WaitsForEver):
            raise
        except Exception:  # the one guard around plugin code on a call: a bug must not drop the caller (R26)
            log.exception("action %s failed", entry.target)
            return await self._unavailable(call, entry, "failed")

    async def _unavailable(self, call: Call, entry: Entry, why: str) -> Outcome:
        call.note(Step("unavailable", {"target": str(entry.target), "why": why}, entry.target))
        call.answer()
        playback = call.play(UNAVAILABLE_PHRASE)
        while not (isinstance(event := await call.next(), Played) and event.playback == playback):
            pass
        return Missed(why, NO_ANSWER)


def ending(outcome: Done | Hangup | Missed, answered: bool) -> Ending:
    """The cause that ends the caller's leg: what an unanswered caller's phone is told (R11)."""
    match outcome:
        case Done():
            return Ending(NORMAL_CLEARING)
        case Hangup(cause):
            refused = cause == NORMAL_CLEARING and not answered
            return Ending(CALL_REJECTED if refused else cause)
        case Missed(_, cause):
            return Ending(NORMAL_CLEARING if answered else cause)
