# SPDX-License-Identifier: Apache-2.0
"""The course of a rehearsed call: whom it serves, and what happens to it. Its clock jumps to whatever is next; it suspends before each
jump, and for nothing else, so that whoever drives it may let others go first.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime

from engine.calls.call import (
    NOBODY,
    Answered,
    Caller,
    Ended,
    Event,
    Faxed,
    Held,
    Key,
    Leg,
    MessageOver,
    Played,
    Ringing,
    Step,
    TimeUp,
    TransferAsked,
)
from engine.calls.recall import Recall
from engine.errors import CallGone, GoesRound, WaitsForEver
from engine.facts import Fact
from engine.rehearsal.caller import ScriptedCaller, done_by
from engine.rehearsal.leavings import Leavings
from engine.rehearsal.phones import ScriptedPhones
from engine.rehearsal.script import Script
from engine.rehearsal.talks import ScriptedTalks
from engine.rehearsal.timetable import AnswersLate, Timetable
from engine.snapshot import Snapshot


class _Turn:
    """The one thing a rehearsed call suspends for. A bare yield, so that a running event loop may drive it as well."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class Course:
    """`steps` is the step list: (seconds from the start, step)."""

    def __init__(
        self, snapshot: Snapshot, caller: Caller, script: Script, at: datetime, *, contact: int | None = None, ordered: bool = False,
        id: str = "",
    ) -> None:
        """`contact`: whose phone calls. `ordered`: nobody has dialled the call. `id`: tells it and its legs from others of one world."""
        self.id = id or "rehearsal"
        self.snapshot = snapshot
        self.caller = caller
        self.party = NOBODY if ordered else Leg(self.id, caller.number or "", user=caller.user, contact=contact, external=caller.external)
        self.answered = False
        self.steps: list[tuple[float, Step]] = []
        self.facts: list[Fact] = []
        self.awaits = 0
        self.suspended = False
        """By its own `next`; whoever drives it resets this."""
        self._script = script
        self._times = Timetable(at, id)
        self._caller = ScriptedCaller(script, self._times)
        self._phones = ScriptedPhones(caller, script, self._times, self.note)
        self._talks = ScriptedTalks(script, self._times)
        self._leavings = Leavings(script, self._times, self.note)
        self._recall = Recall(lambda: self.snapshot.codes.feature_codes(), self.serve)
        self._until: datetime | None = None
        self._over: set[str] = set()
        """Legs and playbacks of which nothing more is heard."""
        self._gone = False
        self._served: set[str] = set()
        """Legs that were served."""
        self._outliving: tuple[Leg, ...] = ()
        if script.unanswered_limit is not None:
            self._times.after(script.unanswered_limit, AnswersLate())

    # -- what is known of it -----------------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        return self._times.now

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return self._times.elapsed

    @property
    def due(self) -> datetime | None:
        """While it is suspended: the moment at which it goes on; None: nothing can happen any more."""
        moments = [moment for moment in (self._times.due, self._until) if moment is not None]
        return max(self.now, min(moments)) if moments else None

    @property
    def talked(self) -> bool:
        return self._talks.talked

    @property
    def listened(self) -> bool:
        """Keys have counted somewhere."""
        return self._caller.listened

    @property
    def unused_keys(self) -> str:
        return self._caller.unused_keys

    @property
    def leaked(self) -> list[Leg]:
        """Legs still ringing; a bridged one ends with the party by itself."""
        return [leg for leg in self._phones.open.values() if leg.id not in self._talks.joined]

    # -- the one await -------------------------------------------------------------------------------------------------------

    async def next(self, until: datetime | None = None, *, keys: bool = False) -> Event:
        self.awaits += 1
        if self._gone:
            raise CallGone
        if self.awaits == self._script.gone_at_await:
            return self._leaves()
        self._spend()
        if keys:
            self._caller.type(self.party, answered=self.answered)
        self._until = until
        while True:
            self.suspended = True
            await _Turn()
            due = self._times.due
            if due is None or (until is not None and due > until):
                break
            event = self._happens()
            if event is not None:
                return event
        if until is None:
            raise WaitsForEver(f"{self.id}: nothing can happen any more")
        self._times.now = max(self.now, until)
        return TimeUp()

    def _happens(self) -> Event | None:
        """The next thing happens; None when the scenario hears nothing of it. Raises CallGone."""
        event = self._times.pop()
        if isinstance(event, AnswersLate):
            self._answer_late()
            return None
        event = done_by(self.party, event)
        if isinstance(event, Ended) and event.leg == self.party and self.party not in self._outliving:
            self.note(Step("caller_left"))
            return self._leaves()
        if isinstance(event, Key) and event.leg == self.party:
            self._caller.has_typed()
        if not self._heard(event):
            return None
        if isinstance(event, Ended):
            self._close(event.leg)
        if self._recall.takes(event, self.now):
            return None
        return self._leavings.over(event) if isinstance(event, MessageOver | Faxed) else event

    def _heard(self, event: Event) -> bool:
        match event:
            case Played(playback):
                return playback.id not in self._over
            case MessageOver() | Faxed():
                return self._leavings.awaited(event)
            case Key(leg) if leg == self.party:
                return self.answered  # an unanswered caller's keys give no event
            case Answered(leg) | Ended(leg) | Ringing(leg) | Key(leg) | Held(leg) | TransferAsked(leg):
                return leg.id not in self._over
            case _:
                return True

    def _spend(self) -> None:
        budget = self._script.budget
        if self.awaits > budget.awaits or len(self.steps) > budget.steps or self.elapsed > budget.seconds:
            raise GoesRound(f"{self.id}: goes round in a circle")

    def _leaves(self) -> MessageOver | Faxed:
        """What was said or sent comes first. Raises CallGone when that was nothing."""
        self._gone = True
        left = self._leavings.broken_off()
        if left is None:
            raise CallGone
        return left

    def _close(self, leg: Leg) -> None:
        self._over.add(leg.id)
        self._phones.close(leg)

    # -- what it does --------------------------------------------------------------------------------------------------------------

    def answer(self) -> None:
        if not self.answered:
            self.answered = True
            self.note(Step("answer"))

    def _answer_late(self) -> None:
        if not self.answered:
            self.note(Step("answered_to_hold_the_line"))
            self.answer()

    def serve(self, leg: Leg) -> None:
        if self.party.id in self._served:
            self._phones.open[self.party.id] = self.party  # he waits for a talk now
        self.party, self.answered = leg, True
        self._served.add(leg.id)
        self._phones.open.pop(leg.id, None)

    def note(self, step: Step) -> None:
        self.steps.append((round(self.elapsed, 3), step))

    def fact(self, fact: Fact) -> None:
        self.facts.append(fact)
