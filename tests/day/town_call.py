# SPDX-License-Identifier: Apache-2.0
"""A rehearsed call in a world with others: it has what an engine knows of a live one, and may be taken up by another engine."""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from engine.calls.call import NOBODY, Answered, Callee, Ended, Held, Leg, LegReason, Played, Recording, Step, TransferAsked
from engine.calls.causes import NORMAL_CLEARING, ORIGINATOR_CANCEL
from engine.calls.leg import LegState
from engine.calls.ordered import Ordered
from engine.calls.recall import Recall
from engine.calls.reception import Ending
from engine.facts import Fact
from engine.rehearsal import RehearsedCall, Script
from engine.routing.arrival import Arrival
from engine.snapshot import Ref, Snapshot

if TYPE_CHECKING:
    from tests.day.town import Town

Scenario = Coroutine[Any, Any, Ending]


class TownCall(RehearsedCall):
    """As engine.calls.live.LiveCall: the states of its legs, its recordings, whom it has talked with."""

    def __init__(self, town: Town, id: str, snapshot: Snapshot, arrival: Arrival, script: Script, ordered: Ordered | None = None) -> None:
        self.town, self.ordered, self.direction, self.started_at = town, ordered, arrival.direction, town.now
        self.legs: dict[str, LegState] = {}
        self.recordings: list[Recording] = []
        self.recorded: set[str] = set()
        """Paths of the recordings that are over."""
        self.talked_with: LegState | None = None
        self.talk_started_at: datetime | None = None
        self.taken_up = 0
        """How often by another engine."""
        self.outcome: object = None
        self.ending: Ending | None = None
        self.deaf = False
        self._unheard: set[str] = set()
        """Legs whose end no engine has heard of."""
        contact = arrival.contact.id if arrival.contact else None
        script = replace(script, busy=town.contacts, in_use=OthersLines(self), gate=town.ctx.gates.refusal)
        super().__init__(
            snapshot, arrival.caller, script, town.now, seed=town.seed, contact=contact, ordered=ordered is not None, id=id
        )
        if ordered is None:
            state = LegState(self.party, "in", "incoming", self.now, arrival.caller.trunk, number=arrival.caller.dialled)
            self.legs[state.uuid] = state
            town.takes(state)

    scenario: Scenario

    # -- what the engine knows of it ---------------------------------------------------------------------------------------

    @property
    def gone(self) -> bool:
        return self._gone

    @gone.setter
    def gone(self, gone: bool) -> None:
        self._gone = gone

    def open_legs(self) -> list[LegState]:
        return [s for s in self.legs.values() if s.alive]

    def legs_of(self, reason: LegReason) -> Sequence[LegState]:
        return [s for s in self.legs.values() if s.reason == reason]

    def rings_in(self, groups: Sequence[Ref]) -> LegState | None:
        party = self.legs.get(self.party.id)
        if self.gone or party is None or party.peer or (self._recall.leg is not None and self._recall.stays is not None):
            return None
        ringing = (s for s in self.open_legs() if s.leg.contact and s.direction == "out" and s.answered_at is None)
        return next((s for s in ringing if s.group in groups), None)

    @property
    def place(self) -> Ref | None:
        """Where it is: the element it has entered last."""
        return next((s.target for _, s in reversed(self.steps) if s.what == "enters"), None)

    @property
    def phase(self) -> str:
        """What it is about at this moment."""
        party = self.legs.get(self.party.id)
        if self._outliving or self._recall.leg is not None:
            return "transfer"
        if party is not None and party.peer:
            return "hold" if (other := self.legs.get(party.peer)) is not None and other.held else "talk"
        if (self.message is not None and self.message.seconds is None) or (self.fax is not None and self.fax.pages is None):
            return "fax" if self.fax is not None else "voicemail"
        if any(s.direction == "out" and s.answered_at is None for s in self.open_legs()):
            return "ringing"
        if any(isinstance(e, Played) and e.playback.id not in self._over for e in self._times.to_come()):
            return "prompt"
        return "menu" if (place := self.place) is not None and place.kind == "ivr.menu" else "elsewhere"

    # -- legs ----------------------------------------------------------------------------------------------------------------

    def _enlist(self, state: LegState) -> None:
        self.legs[state.uuid] = state
        self.town.takes(state)
        self.town.journal.leg(self, state)

    def dial(self, callee: Callee, *, caller_id: str | None = None) -> tuple[Leg, ...]:
        legs = super().dial(callee, caller_id=caller_id)
        for leg in legs:
            self._dialled(leg, callee.reason, callee.group, callee.number or callee.label)
        return legs

    def dial_instead(self, leg: Leg) -> Leg | None:
        further, before = super().dial_instead(leg), self.legs[leg.id]
        if further is not None:
            self._dialled(further, before.reason, before.group, before.number)
        return further

    def _dialled(self, leg: Leg, reason: LegReason, group: Ref | None, number: str) -> None:
        self._enlist(LegState(leg, "out", reason, self.now, self._phones.lines.get(leg.id), group, number))

    def _written(self, state: LegState) -> None:
        if not self.deaf:
            self.town.journal.leg(self, state)

    def leg_over(self, state: LegState, cause: str) -> None:
        if not state.alive:
            return
        state.ended_at, state.cause, state.peer = self.now, cause, ""
        for other in self.legs.values():
            other.peer = "" if other.peer == state.uuid else other.peer
        self.recorded |= {r.path for r in self.recordings if r.leg is None or r.leg == state.leg}
        self.town.frees(state)
        self._written(state)

    def _close(self, leg: Leg) -> None:
        super()._close(leg)
        if leg.id in self.legs:
            self.leg_over(self.legs[leg.id], NORMAL_CLEARING)

    def _leaves(self):  # type: ignore[no-untyped-def]
        self.leg_over(self.legs[self.party.id], ORIGINATOR_CANCEL)
        return super()._leaves()

    def _happens(self):  # type: ignore[no-untyped-def]
        event = super()._happens()
        match event:
            case Ended(leg, cause) if leg.id in self.legs:
                self.legs[leg.id].cause = cause
            case Answered(leg):
                state = self.legs[leg.id]
                state.answered_at, state.ready = self.now, True
                self._written(state)
            case Held(leg, on):
                self.legs[leg.id].held = on
            case TransferAsked(leg) if leg == self.party and (peer := self.legs[leg.id].peer):
                self.serve(self.legs[peer].leg)  # as engine.calls.joins: whom he sends on is served
        return event

    def release(self, leg: Leg, cause: str = NORMAL_CLEARING) -> None:
        if not self.deaf:
            super().release(leg, cause)

    def answer(self) -> None:
        super().answer()
        party = self.legs.get(self.party.id)
        if party is not None and party.answered_at is None:
            party.answered_at, party.ready = self.now, True
            self.town.journal.leg(self, party)

    def bridge(self, one: Leg, other: Leg) -> None:
        if one.id not in self.legs or other.id not in self.legs:
            raise AssertionError(f"{self.id}: there is no such leg")
        super().bridge(one, other)
        self.legs[one.id].peer, self.legs[other.id].peer = other.id, one.id
        if self.party in (one, other):
            self.talk_started_at = self.talk_started_at or self.now
            self.talked_with = self.legs[(other if one == self.party else one).id]

    def part(self, one: Leg, other: Leg) -> None:
        super().part(one, other)
        for leg in (one, other):
            self.legs[leg.id].peer = ""

    def serve(self, leg: Leg) -> None:
        if not self.legs[leg.id].alive:  # both have left at once
            self.gone = True
            return
        before = self.legs.get(self.party.id)
        super().serve(leg)
        self._written(self.legs[leg.id])
        running = self.recordings[-1] if self.recordings else None
        if running is not None and before is not None and running.leg == before.leg:  # as a live call does (R13)
            self.recordings[-1] = replace(running, leg=leg, turned=not running.turned)
            self.recorded.discard(running.path)
            self.note(Step("record", {"leg": leg.label, "path": running.path, "turned": not running.turned}))

    def pick_up(self, groups: Sequence[Ref]) -> bool:
        return self.town.pick_up(self, groups)

    # -- what is left of it --------------------------------------------------------------------------------------------------

    def record(self, leg: Leg, path: str) -> Recording:
        recording = Recording(self._times.name("r"), path, leg)
        self.recordings.append(recording)
        self.note(Step("record", {"leg": leg.label, "path": path}))
        return recording

    def end_recording(self, recording: Recording) -> None:
        self.recorded.add(recording.path)

    def note(self, step: Step) -> None:
        if not self.deaf:
            self.steps.append((self.now, step))  # type: ignore[arg-type]  # moments, as a live call has them
            self.town.journal.step(self, self.now, step)

    def fact(self, fact: Fact) -> None:
        super().fact(fact)
        self.town.journal.fact(self, fact)
        self.town.ctx.gates.tell(fact)

    # -- an engine dies ------------------------------------------------------------------------------------------------------

    def is_left(self) -> None:
        """Nobody decides any more: what the scenario tidies up reaches neither switch nor journal."""
        self.deaf = True
        self.scenario.close()

    def goes_on_alone(self, until: datetime) -> None:
        """People press keys, answer and hang up while no engine listens."""
        self._recall, self._until = Recall(dict, self.serve), None
        self._outliving = (self.party,)  # its end is nothing to be told of
        alive = {s.uuid for s in self.open_legs()}
        while (due := self._times.due) is not None and due <= until:
            event = self._happens()
            if isinstance(event, Ended) and event.leg == self.party:
                self.gone = True
                self._leavings.broken_off()
        self._times.now = max(self.now, until)
        self._unheard = alive - {s.uuid for s in self.open_legs()}

    def is_taken_up(self, snapshot: Snapshot) -> None:
        """By the next engine, as its journal knows it."""
        known = self.town.journal.open_call(self.id)
        assert [s.what for _, s in known.steps] == [s.what for _, s in self.steps]
        assert known.opening.party == self.party.id
        assert {u for u, s in known.legs.items() if s.alive} == {u for u, s in self.legs.items() if s.alive} | self._unheard
        self.snapshot, self.deaf, self.taken_up = snapshot, False, self.taken_up + 1
        talked_with = self.talked_with
        for uuid, state in known.legs.items():  # what is so on the switch; the journal has the rest
            before = self.legs[uuid]
            state.answered_at, state.ready, state.peer, state.held = before.answered_at, before.ready, before.peer, before.held
            state.ended_at, state.cause = before.ended_at, before.cause
            self.talked_with = state if talked_with is before else self.talked_with
            if uuid in self._unheard:
                self._written(state)
        self.legs, self.steps, self.facts = known.legs, known.steps, known.facts  # type: ignore[assignment]
        assert self.party == NOBODY or self.party == self.legs[self.party.id].leg
        self._unheard = set()
        self._over |= {e.playback.id for e in self._times.to_come() if isinstance(e, Played)}
        self._recall, self._outliving = Recall(lambda: self.snapshot.codes.feature_codes(), self.serve), ()


class OthersLines(Mapping[int, int]):
    """Channels of each line that other calls have taken: its own a call counts itself."""

    def __init__(self, call: TownCall) -> None:
        self._call = call

    def __getitem__(self, trunk: int) -> int:
        return self._call.town.lines[trunk] - sum(s.alive and s.trunk == trunk for s in self._call.legs.values())

    def __iter__(self) -> Iterator[int]:
        return iter(self._call.town.lines)

    def __len__(self) -> int:
        return len(self._call.town.lines)


def trace_of(call: TownCall) -> str:
    """For whoever has to find out what has happened."""
    return "\n".join(f"{at:%H:%M:%S} {step.what} {dict(step.facts)} {step.target or ''}" for at, step in call.steps)  # type: ignore[str-format]
