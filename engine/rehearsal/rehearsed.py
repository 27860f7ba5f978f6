# SPDX-License-Identifier: Apache-2.0
"""The Call without a switch: a heap of future events and a clock that jumps. It never really suspends."""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from engine.calls.call import (
    Answered,
    Callee,
    Caller,
    Ended,
    Event,
    FaxJob,
    Key,
    Leg,
    Message,
    MessageOver,
    Playback,
    Played,
    Presence,
    Recording,
    Ringing,
    Step,
    TimeUp,
)
from engine.calls.causes import NO_ANSWER, NORMAL_CLEARING, ORIGINATOR_CANCEL
from engine.calls.presence import is_own
from engine.errors import CallGone, WaitsForEver
from engine.facts import Fact
from engine.rehearsal.script import Answer, Script
from engine.snapshot import Contact, Snapshot, Sound

T = TypeVar("T")


NEVER: Answer = (float("inf"), "answer")
MOST_AWAITS = 10_000
"""A scenario that has waited so often goes round in a circle."""


class RehearsedCall:
    """Implements engine.calls.Call. `steps` is the step list: (seconds from the start, step)."""

    def __init__(self, snapshot: Snapshot, caller: Caller, script: Script, at: datetime, *, seed: int = 1) -> None:
        self.id = "rehearsal"
        self.snapshot = snapshot
        self.caller = caller
        self.party = Leg("a", caller.number or "", user=caller.user, external=caller.external)
        self.now = at
        self.answered = False
        self.steps: list[tuple[float, Step]] = []
        self.facts: list[Fact] = []
        self.message: Message | None = None
        self.awaits = 0
        self.open: dict[str, Leg] = {}
        """Legs that ring or talk, the caller's left out."""
        self._start, self._script, self._random = at, script, random.Random(seed)  # noqa: S311 — a shuffle, no secret
        self._heap: list[tuple[datetime, int, Event]] = []
        self._order = itertools.count()
        self._dead: set[str] = set()
        self._bridged: set[str] = set()
        self._gone = False
        self._rung: Counter[str] = Counter()
        for seconds, digit in script.keys:
            self._at(seconds, Key(self.party, digit))
        for seconds, event in script.inject:
            self._at(seconds, event)
        if script.caller_leaves is not None:
            self._at(script.caller_leaves, Ended(self.party, ORIGINATOR_CANCEL))

    def _at(self, seconds: float, event: Event) -> None:
        heapq.heappush(self._heap, (self.now + timedelta(seconds=seconds), next(self._order), event))

    def _alive(self, event: Event) -> bool:
        match event:
            case Played(playback):
                return playback.id not in self._dead
            case MessageOver(message):
                return self.message is not None and self.message.seconds is None and self.message.path == message.path
            case Key(leg) if leg == self.party:
                return self.answered  # an unanswered caller's keys give no event
            case Answered(leg) | Ended(leg) | Ringing(leg) | Key(leg):
                return leg.id not in self._dead
            case _:
                return True

    async def next(self, until: datetime | None = None) -> Event:
        self.awaits += 1
        if self._gone:
            raise CallGone
        if self.awaits == self._script.gone_at_await:
            return self._leaves()
        if self.awaits > MOST_AWAITS:
            raise WaitsForEver(f"{self.id}: goes round in a circle")
        while self._heap and (until is None or self._heap[0][0] <= until):
            self.now, _, event = heapq.heappop(self._heap)
            if isinstance(event, Ended) and event.leg == self.party:
                self.note(Step("caller_left"))
                return self._leaves()
            if not self._alive(event):
                continue
            if isinstance(event, Ended):
                self._close(event.leg)
            if isinstance(event, MessageOver):
                return self._message_over(event.message)
            return event
        if until is None:
            raise WaitsForEver(f"{self.id}: nothing can happen any more")
        self.now = max(self.now, until)
        return TimeUp()

    def _leaves(self) -> MessageOver:
        """What was said comes first. Raises CallGone when nothing was being said."""
        self._gone = True
        if self.message is None or self.message.seconds is not None:
            raise CallGone
        return self._message_over(replace(self.message, seconds=(self.now - self.message.begun_at).total_seconds()))

    def _message_over(self, message: Message) -> MessageOver:
        self.message = message
        self.note(Step("message_over", {"seconds": message.seconds}))
        return MessageOver(message)

    def _close(self, leg: Leg) -> None:
        self._dead.add(leg.id)
        self.open.pop(leg.id, None)

    @property
    def leaked(self) -> list[Leg]:
        """Legs still ringing; a bridged one ends with the party by itself."""
        return [leg for leg in self.open.values() if leg.id not in self._bridged]

    def answer(self) -> None:
        if not self.answered:
            self.answered = True
            self.note(Step("answer"))

    def ringback(self, music: Sound | None) -> None:
        self.note(Step("ringback", {"music": music.path if music else None}))

    def play(self, *sounds: Sound, loop: bool = False) -> Playback:
        playback = Playback(f"p{next(self._order)}", sounds)
        self.note(Step("play", {"sound": " + ".join(s.path for s in sounds)}))
        if not loop:
            self._at(sum(self._script.sounds.get(s.path, 3.0) for s in sounds), Played(playback))
        return playback

    def stop(self, playback: Playback) -> None:
        self._dead.add(playback.id)

    def record(self, leg: Leg, path: str) -> Recording:
        self.note(Step("record", {"leg": leg.label}))
        return Recording(f"r{next(self._order)}", path, leg)

    def end_recording(self, recording: Recording) -> None:
        """Nothing follows from it."""

    def record_message(self, path: str, *, limit: timedelta, until_silence: timedelta) -> Message:
        self.message = Message(path, self.now)
        self.note(Step("message", {"path": path}))
        most = limit.total_seconds()
        spoken = self._script.speaks_seconds
        silent = spoken + until_silence.total_seconds() if until_silence else most
        self._at(min(most, silent), MessageOver(replace(self.message, seconds=spoken if silent < most else most)))
        return self.message

    def end_message(self, message: Message) -> None:
        self._at(0, MessageOver(replace(message, seconds=(self.now - message.begun_at).total_seconds())))

    def receive_fax(self, path: str) -> FaxJob:
        return FaxJob(f"f{next(self._order)}", path)

    def dial(self, callee: Callee, *, caller_id: str | None = None) -> tuple[Leg, ...]:
        contact = callee.contact
        leg = Leg(
            f"b{next(self._order)}",
            callee.label,
            user=callee.user.id if callee.user else None,
            contact=contact.id if contact else None,
            external=contact is None or contact.kind == "phone",
        )
        self.open[leg.id] = leg
        after, what = self._what_it_does(callee.label)
        limit = callee.timeout.total_seconds()
        if after >= limit:
            self._at(limit, Ended(leg, NO_ANSWER))
        else:
            self._at(after, Answered(leg) if what == "answer" else Ended(leg, what))
        return (leg,)

    def dial_instead(self, leg: Leg) -> Leg | None:
        return None  # lines do not fail in a rehearsal

    def _what_it_does(self, label: str) -> Answer:
        self._rung[label] += 1
        scripted = self._script.answers.get(label, [])
        if not isinstance(scripted, list):
            return scripted
        return scripted[self._rung[label] - 1] if self._rung[label] <= len(scripted) else NEVER

    def release(self, leg: Leg, cause: str = NORMAL_CLEARING) -> None:
        self._close(leg)

    def bridge(self, one: Leg, other: Leg) -> None:
        self.answer()
        self._bridged.add(other.id)
        self._at(self._script.talk_seconds, Ended(other, NORMAL_CLEARING))

    def hold(self, leg: Leg, music: Sound | None) -> None:
        self.note(Step("hold", {"who": leg.label}))

    def pick_up(self, ringing_call: str) -> None:
        self.note(Step("pick_up", {"call": ringing_call}))

    def presence(self, contact: Contact) -> Presence:
        return Presence(contact.label not in self._script.absent, self._script.busy.get(contact.label, 0))

    def involved(self, contact: Contact) -> bool:
        return is_own(self.snapshot, self.caller, contact) or any(leg.contact == contact.id for leg in self.open.values())

    def shuffle(self, items: Sequence[T]) -> Sequence[T]:
        return self._random.sample(list(items), len(items))

    def note(self, step: Step) -> None:
        self.steps.append((round((self.now - self._start).total_seconds(), 3), step))

    def fact(self, fact: Fact) -> None:
        self.facts.append(fact)
