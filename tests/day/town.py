# SPDX-License-Identifier: Apache-2.0
"""Many rehearsed calls at once: they share a clock, phones and lines, fetch each other's callers, and outlive their engine.

What becomes of them is an engine's own doing: its front desk, its orders, its way to take up the calls of an earlier engine, its journal.
As there, a call keeps the settings that it has begun with; one that another engine takes up goes on by those of that moment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from engine.calls.call import NOBODY, Ended, Held, Joined, Step
from engine.calls.causes import ENGINE_LOST, NORMAL_CLEARING, NORMAL_TEMPORARY_FAILURE, ORIGINATOR_CANCEL
from engine.calls.leg import LegState
from engine.calls.ordered import Ordered
from engine.calls.reception import Ending
from engine.calls.taking_up import partner_of, scenario_of
from engine.errors import CallGone
from engine.rehearsal import Script
from engine.rehearsal.caller import PARTY
from engine.routing.action import Missed
from engine.routing.arrival import Arrival, begin, start_of
from engine.routing.carry_out import carry_out
from engine.routing.inbound import FrontDesk
from engine.routing.order_action import OrderAction
from engine.routing.outbound import dial_number
from engine.routing.router import Router, ending
from engine.runtime.journal import SpoolJournal
from engine.snapshot import Ref
from tests.day.town_call import Scenario, TownCall, trace_of
from tests.web.house import TestContext

PATIENCE = timedelta(minutes=10)
"""After which whoever talks or waits hangs up, when nothing else would happen in his call."""


@dataclass
class Town:
    """One account's calls; `seed` is that of their shuffles."""

    ctx: TestContext
    account: int
    journal: SpoolJournal
    now: datetime
    seed: int = 1
    calls: list[TownCall] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    contacts: Counter[str] = field(default_factory=Counter)
    """Lines that talk or ring, by the contact's label."""
    lines: Counter[int] = field(default_factory=Counter)
    """Channels in use, by trunk."""
    made: int = 0

    @property
    def desk(self) -> FrontDesk:
        registry = self.ctx.registry
        return FrontDesk(lambda: (), self.ctx.snapshot, lambda realm: self.account, registry.actions, registry.orders)

    def takes(self, state: LegState) -> None:
        if state.leg.contact is not None:
            self.contacts[state.leg.label] += 1
        if state.trunk is not None:
            self.lines[state.trunk] += 1

    def frees(self, state: LegState) -> None:
        if state.leg.contact is not None:
            self.contacts[state.leg.label] -= 1
        if state.trunk is not None:
            self.lines[state.trunk] -= 1

    # -- calls begin ---------------------------------------------------------------------------------------------------------

    def comes_in(self, arrival: Arrival, script: Script) -> TownCall:
        """A call that is let in at this moment."""
        self.made += 1
        call = TownCall(self, f"call-{self.made}", self.ctx.snapshot(self.account), arrival, script)
        return self._begin(call, self._served(call))

    async def _served(self, call: TownCall) -> Ending:
        actions = self.ctx.registry.actions()
        outcome = await begin(call, Router(actions, dial_number), start_of(call.snapshot, actions, call.caller))
        call.outcome = outcome
        return ending(outcome, call.answered)

    def is_ordered(self, id: str, order: OrderAction, ordered: Ordered, script: Script) -> TownCall:
        """An order is carried out at this moment."""
        beginning = order.begin(ordered.arguments)
        arrival = Arrival(beginning.caller, beginning.direction)
        call = TownCall(self, id, self.ctx.snapshot(self.account), arrival, script, ordered)
        return self._begin(call, carry_out(call, ordered, self.ctx.registry.actions(), self.ctx.registry.orders()))  # type: ignore[arg-type]

    def _begin(self, call: TownCall, scenario: Scenario) -> TownCall:
        call.scenario = scenario
        self.calls.append(call)
        self.journal.opened(call)
        for state in call.open_legs():
            self.journal.leg(call, state)
        self._advance(call)
        return call

    # -- time passes ---------------------------------------------------------------------------------------------------------

    def until(self, moment: datetime) -> None:
        """Everything that happens up to then, in its order, whichever call it happens in."""
        while self.calls:
            call = min(self.calls, key=self._due)
            if (due := self._due(call)) > moment:
                break
            self.now = due
            self._advance(call)
        self.now = moment

    def _due(self, call: TownCall) -> datetime:
        if call.due is None:
            self.seen["hung up at last"] += 1
            call._times.after(PATIENCE.total_seconds(), Ended(PARTY, ORIGINATOR_CANCEL))
        assert call.due is not None
        return max(call.due, self.now)

    def _advance(self, call: TownCall) -> None:
        try:
            call.suspended = False
            call.scenario.send(None)
            assert call.suspended, f"{call.id}: an action awaited something that is not Call.next"
        except StopIteration as finished:
            self._finish(call, finished.value)
        except CallGone:
            self._finish(call, Ending())

    def _finish(self, call: TownCall, end: Ending) -> None:
        """As engine.calls.node ends a call. What still rings then was forgotten by its scenario, unless it was an earlier engine's."""
        self.calls.remove(call)
        call.ending = end
        ringing = [s.leg.label for s in call.open_legs() if s.leg != call.party and s.answered_at is None]
        assert not ringing or call.taken_up, (call.id, ringing, trace_of(call))
        for state in call.open_legs():
            call.leg_over(state, (end.cause if state.leg == call.party else None) or NORMAL_CLEARING)
        assert not {r.path for r in call.recordings} - call.recorded, (call.id, call.recordings, trace_of(call))
        self.journal.ended(call, call.now)
        self._judge(call, end)

    def _judge(self, call: TownCall, end: Ending) -> None:
        whats = Counter(step.what for _, step in call.steps)
        trace = trace_of(call)
        assert not whats["unavailable"], (call.id, trace)  # an action failed, or there is none
        assert end.cause not in (NORMAL_TEMPORARY_FAILURE, ENGINE_LOST) or whats["hop_limit"], (call.id, end, trace)
        assert call.outcome != Missed("gone"), (call.id, trace)  # by its own settings nothing points at nothing
        last = call.steps[-1][1]
        gone = last.what == "enters" and last.facts["title"] == str(last.target) and call.direction == "in"
        assert not gone, (call.id, "sent away from where there is nothing any more", trace)
        assert call.message is None or call.message.seconds is not None, (call.id, trace)
        assert call.fax is None or call.fax.pages is not None, (call.id, trace)
        kept = {getattr(fact, "path", None) for fact in call.facts}
        for left in (call.message, call.fax):
            assert left is None or left.path in kept, (call.id, "nobody knows of what the caller has left", trace)
        self.seen["ended"] += 1

    # -- calls meet ----------------------------------------------------------------------------------------------------------

    def pick_up(self, picker: TownCall, groups: Sequence[Ref]) -> bool:
        rings = [(c.started_at, c.id, c, s) for c in self.calls if c is not picker and (s := c.rings_in(groups)) is not None]
        if not rings or picker.gone:
            return False
        _, _, call, rung = min(rings)
        mine = picker.legs[picker.party.id]
        moved = replace(mine, reason="member", group=rung.group, peer=call.party.id, answered_at=self.now, ready=True)
        mine.moved = True
        call._phones.open[moved.uuid] = moved.leg
        call._enlist(moved)
        call.legs[call.party.id].peer = moved.uuid  # nobody else fetches him
        call.answer()
        call._times.after((self.now - call.now).total_seconds(), Joined(moved.leg, group=rung.group))
        picker._times.after(0, Ended(PARTY, "ATTENDED_TRANSFER"))
        self.seen["picked up"] += 1
        return True

    # -- engines come and go ---------------------------------------------------------------------------------------------------

    def engine_dies(self) -> None:
        for call in self.calls:
            call.is_left()

    def engine_starts(self) -> None:
        """Another one takes up what it finds."""
        self.journal.close()
        self.journal.open()
        snapshot = self.ctx.snapshot(self.account)
        for call in list(self.calls):
            call.goes_on_alone(self.now)
            call.is_taken_up(snapshot)
            call.note(Step("engine_restarted"))
            party = call.legs.get(call.party.id) if call.party != NOBODY else None
            other = partner_of(call, party)  # type: ignore[arg-type]
            if other is not None and other.held:
                call._times.after(0, Held(other.leg, True))
            call.scenario = scenario_of(call, self.desk, party, other)(call)  # type: ignore[arg-type, assignment]
            self.seen["taken up"] += 1
            self._advance(call)
