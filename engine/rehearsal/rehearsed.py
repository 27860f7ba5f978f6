# SPDX-License-Identifier: Apache-2.0
"""The Call without a switch: a heap of future events and a clock that jumps. It suspends only to let others breathe."""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter, deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypeVar

from engine.calls.call import (
    NOBODY,
    Answered,
    Callee,
    Caller,
    Ended,
    Event,
    Fax,
    Faxed,
    Held,
    Key,
    Leg,
    LegReason,
    Message,
    MessageOver,
    Parted,
    Playback,
    Played,
    Presence,
    Recording,
    Ringing,
    Step,
    TimeUp,
    TransferAsked,
)
from engine.calls.causes import (
    GATEWAY_DOWN,
    NO_ANSWER,
    NORMAL_CLEARING,
    ORIGINATOR_CANCEL,
    OUTGOING_CALL_BARRED,
    USER_NOT_REGISTERED,
)
from engine.calls.leg import LegState
from engine.calls.presence import is_own
from engine.calls.recall import Recall
from engine.calls.trunks import line_for, number_of
from engine.errors import CallGone, GoesRound, WaitsForEver
from engine.facts import Fact
from engine.gates import DialQuestion
from engine.numbering import is_emergency
from engine.rehearsal.lengths import seconds_of
from engine.rehearsal.script import NEVER, Answer, Script
from engine.snapshot import Contact, Ref, Snapshot, Sound

T = TypeVar("T")

KEY_GAP: Final = 0.3
"""Seconds between the digits of one word."""
PAGE_SECONDS: Final = 30.0
"""How long a page of a fax takes."""
AWAITS_A_BREATH: Final = 32
"""Whoever drives many rehearsals beside real calls gets a word in after so many."""

PARTY: Final = Leg("party", "")
"""In events of the script: whoever is served when they happen."""


def _does(leg: Leg, what: str) -> Sequence[Event]:
    """What an employee does in a talk, as `Script.talk` says it."""
    if what in ("hold", "resume"):
        return (Held(leg, what == "hold"),)
    if what.startswith("keys "):
        return tuple(Key(leg, digit) for digit in what.removeprefix("keys "))
    return (Ended(leg, NORMAL_CLEARING),) if what == "hangs up" else (TransferAsked(leg, what),)


class _Breath:
    """The one thing a rehearsed call suspends for. A bare yield, so that a running event loop may drive it as well."""

    def __await__(self) -> Generator[None, None, None]:
        yield


@dataclass(frozen=True, slots=True)
class _AnswersLate:
    """The moment of R11."""


@dataclass(slots=True)
class _Dialled:
    """A leg by a line, and those that have failed before."""

    callee: Callee
    line: int
    failed: frozenset[int]


class RehearsedCall:
    """Implements engine.calls.Call. `steps` is the step list: (seconds from the start, step)."""

    def __init__(
        self, snapshot: Snapshot, caller: Caller, script: Script, at: datetime, *, seed: int = 1, contact: int | None = None,
        ordered: bool = False,
    ) -> None:
        """`contact`: whose phone calls. `ordered`: nobody has dialled the call."""
        self.id = "rehearsal"
        self.snapshot = snapshot
        self.caller = caller
        self.party = NOBODY if ordered else Leg("a", caller.number or "", user=caller.user, contact=contact, external=caller.external)
        self.now = at
        self.answered = False
        self.steps: list[tuple[float, Step]] = []
        self.facts: list[Fact] = []
        self.message: Message | None = None
        self.fax: Fax | None = None
        self.awaits = 0
        self.breathes = False
        """Suspended of its own accord, to be resumed at once."""
        self.listened = False
        """Keys have counted somewhere."""
        self.talked = False
        self.open: dict[str, Leg] = {}
        """Legs that ring or talk, the caller's left out."""
        self._start, self._script, self._random = at, script, random.Random(seed)  # noqa: S311 — a shuffle, no secret
        self._heap: list[tuple[datetime, int, Event | _AnswersLate]] = []
        self._order = itertools.count()
        self._dead: set[str] = set()
        self._bridged: set[str] = set()
        self._ends: set[str] = set()
        """Legs whose end of the talk is on its way."""
        self._gone = False
        self._rung: Counter[str] = Counter()
        self._lines: dict[str, int] = {}
        """Trunk of each open leg that has one."""
        self._dialled: dict[str, _Dialled] = {}
        self._words = deque(script.typed)
        self._typing = 0
        """Digits of the present word that are still to come."""
        self._talk = list(script.talk)
        self._answering: set[str] = set()
        """Legs that were served."""
        self._outliving: tuple[Leg, ...] = ()
        self._recall = Recall(lambda: self.snapshot.codes.feature_codes(), self.serve)
        for seconds, digit in script.keys:
            self._at(seconds, Key(PARTY, digit))
        for seconds, event in script.inject:
            self._at(seconds, event)
        if script.caller_leaves is not None:
            self._at(script.caller_leaves, Ended(PARTY, ORIGINATOR_CANCEL))
        if script.unanswered_limit is not None:
            self._at(script.unanswered_limit, _AnswersLate())

    def _at(self, seconds: float, event: Event | _AnswersLate) -> None:
        heapq.heappush(self._heap, (self.now + timedelta(seconds=seconds), next(self._order), event))

    def _of_party(self, event: Event) -> Event:
        """What the script says of the caller is meant of whoever is served then."""
        match event:
            case Key(leg, digit) if leg == PARTY:
                return Key(self.party, digit)
            case Ended(leg, cause) if leg == PARTY:
                return Ended(self.party, cause)
            case _:
                return event

    def _alive(self, event: Event) -> bool:
        match event:
            case Played(playback):
                return playback.id not in self._dead
            case MessageOver(message):
                return self.message is not None and self.message.seconds is None and self.message.path == message.path
            case Faxed(fax):
                return self.fax is not None and self.fax.pages is None and self.fax.path == fax.path
            case Key(leg) if leg == self.party:
                return self.answered  # an unanswered caller's keys give no event
            case Answered(leg) | Ended(leg) | Ringing(leg) | Key(leg) | Held(leg) | TransferAsked(leg):
                return leg.id not in self._dead
            case _:
                return True

    async def next(self, until: datetime | None = None, *, keys: bool = False) -> Event:
        self.awaits += 1
        if self._gone:
            raise CallGone
        if self.awaits == self._script.gone_at_await:
            return self._leaves()
        self._spend()
        if keys:
            self._type()
        if self.awaits % AWAITS_A_BREATH == 0:
            self.breathes = True
            await _Breath()
        while self._heap and (until is None or self._heap[0][0] <= until):
            self.now, _, event = heapq.heappop(self._heap)
            if isinstance(event, _AnswersLate):
                self._answer_late()
                continue
            event = self._of_party(event)
            if isinstance(event, Ended) and event.leg == self.party and self.party not in self._outliving:
                self.note(Step("caller_left"))
                return self._leaves()
            if isinstance(event, Key) and event.leg == self.party and self._typing:
                self._typing -= 1
            if not self._alive(event):
                continue
            if isinstance(event, Ended):
                self._close(event.leg)
            if self._recall.takes(event, self.now):
                continue
            if isinstance(event, MessageOver):
                return self._message_over(event.message)
            if isinstance(event, Faxed):
                return self._fax_over(event.fax)
            return event
        if until is None:
            raise WaitsForEver(f"{self.id}: nothing can happen any more")
        self.now = max(self.now, until)
        return TimeUp()

    def _spend(self) -> None:
        budget = self._script.budget
        if self.awaits > budget.awaits or len(self.steps) > budget.steps or self.elapsed > budget.seconds:
            raise GoesRound(f"{self.id}: goes round in a circle")

    @property
    def elapsed(self) -> float:
        """Seconds since the call came in."""
        return (self.now - self._start).total_seconds()

    def _type(self) -> None:
        """Keys count: the next word is begun, unless one is being typed."""
        self.listened = True
        if not self._words or self._typing or not self.answered:
            return
        word = self._words.popleft()
        self._typing = len(word.digits)
        for n, digit in enumerate(word.digits):
            self._at(word.after + n * KEY_GAP, Key(self.party, digit))

    @property
    def unused_keys(self) -> str:
        """Words that were never begun, and keys of a fixed time that the call has not lasted for, in their order."""
        late = [(at, order, event.digit) for at, order, event in self._heap if isinstance(event, Key) and event.leg == PARTY]
        return " ".join([*(word.digits for word in self._words), "".join(digit for _, _, digit in sorted(late))]).strip()

    def _answer_late(self) -> None:
        if not self.answered:
            self.note(Step("answered_to_hold_the_line"))
            self.answer()

    def _leaves(self) -> MessageOver | Faxed:
        """What was said or sent comes first. Raises CallGone when that was nothing."""
        self._gone = True
        if self.fax is not None and self.fax.pages is None:
            return self._fax_over(replace(self.fax, pages=self._pages_so_far(self.fax)))
        if self.message is None or self.message.seconds is not None:
            raise CallGone
        return self._message_over(replace(self.message, seconds=(self.now - self.message.begun_at).total_seconds()))

    def _message_over(self, message: Message) -> MessageOver:
        self.message = message
        self.note(Step("message_over", {"seconds": message.seconds}))
        return MessageOver(message)

    def _pages_so_far(self, fax: Fax) -> int:
        return min(self._script.fax_pages, int((self.now - fax.begun_at).total_seconds() // PAGE_SECONDS))

    def _fax_over(self, fax: Fax) -> Faxed:
        self.fax = fax
        self.note(Step("fax_over", {"pages": fax.pages, "complete": fax.complete, "sender": fax.sender, "trouble": fax.trouble}))
        return Faxed(fax)

    def _close(self, leg: Leg) -> None:
        self._dead.add(leg.id)
        self.open.pop(leg.id, None)
        self._lines.pop(leg.id, None)

    @property
    def leaked(self) -> list[Leg]:
        """Legs still ringing; a bridged one ends with the party by itself."""
        return [leg for leg in self.open.values() if leg.id not in self._bridged]

    def answer(self) -> None:
        if not self.answered:
            self.answered = True
            self.note(Step("answer"))

    def ringback(self, music: Sound | None) -> None:
        if music is not None and not self._script.early_media:
            self.answer()
        self.note(Step("ringback", {"music": music.path if music else None}))

    def play(self, *sounds: Sound, loop: bool = False) -> Playback:
        playback = Playback(f"p{next(self._order)}", sounds)
        self.note(Step("play", {"sound": " + ".join(s.path for s in sounds)}))
        if not loop:
            told = self._script.sounds
            self._at(sum(told[s.path] if s.path in told else seconds_of(self.snapshot, s.path) for s in sounds), Played(playback))
        return playback

    def stop(self, playback: Playback) -> None:
        self._dead.add(playback.id)

    def record(self, leg: Leg, path: str) -> Recording:
        self.note(Step("record", {"leg": leg.label}))
        return Recording(f"r{next(self._order)}", path, leg)

    def end_recording(self, recording: Recording) -> None:
        """Nothing follows from it."""

    def record_message(self, path: str, *, limit: timedelta, until_silence: timedelta) -> Message:
        self._let_go()
        self.message = Message(path, self.now)
        self.note(Step("message", {"path": path}))
        most = limit.total_seconds()
        spoken = self._script.speaks_seconds
        silent = spoken + until_silence.total_seconds() if until_silence else most
        self._at(min(most, silent), MessageOver(replace(self.message, seconds=spoken if silent < most else most)))
        return self.message

    def end_message(self, message: Message) -> None:
        self._at(0, MessageOver(replace(message, seconds=(self.now - message.begun_at).total_seconds())))

    @property
    def takes_faxes(self) -> bool:
        return self._script.takes_faxes

    def receive_fax(self, path: str) -> Fax:
        self._let_go()
        self.fax = Fax(path, self.now)
        self.note(Step("fax", {"path": path}))
        pages = self._script.fax_pages
        self._at((pages or 1) * PAGE_SECONDS, Faxed(replace(self.fax, pages=pages, complete=pages > 0)))
        return self.fax

    def end_fax(self, fax: Fax) -> None:
        self._at(0, Faxed(replace(fax, pages=self._pages_so_far(fax))))

    def dial(self, callee: Callee, *, caller_id: str | None = None) -> tuple[Leg, ...]:
        return (self._dial(callee, frozenset()),)

    def _dial(self, callee: Callee, failed: frozenset[int]) -> Leg:
        contact = callee.contact
        external = contact is None or contact.kind == "phone"
        leg = Leg(
            f"b{next(self._order)}",
            callee.label,
            user=callee.user.id if callee.user else None,
            contact=contact.id if contact else None,
            external=external,
        )
        self.open[leg.id] = leg
        refusal = self._refusal(leg, callee, failed)
        if refusal:
            self._at(0, Ended(leg, refusal))
            return leg
        after, what = self._what_it_does(callee.label)
        limit = callee.timeout.total_seconds()
        alerts = self._script.alerts
        if alerts is not None and alerts < min(after, limit):
            self._at(alerts, Ringing(leg))
        if after >= limit:
            self._at(limit, Ended(leg, NO_ANSWER))
        else:
            self._at(after, Answered(leg) if what == "answer" else Ended(leg, what))
        return leg

    def _refusal(self, leg: Leg, callee: Callee, failed: frozenset[int]) -> str:
        """The hangup cause of a leg that can't be placed; a line that takes it is taken."""
        if not leg.external:
            return USER_NOT_REGISTERED if callee.label in self._script.absent else ""
        found = line_for(self.snapshot, callee, self.caller, self._dialled_did, self._in_use, failed)
        if isinstance(found, str):
            return found
        trunk, _ = found
        number = number_of(callee)
        if self._script.gate is not None and not is_emergency(number):
            question = DialQuestion(self.snapshot.account.id, number, callee.reason, callee.user.id if callee.user else None, trunk.id)
            if (why := self._script.gate(question)) is not None:
                self.note(Step("gate_closed", {"who": callee.label, "why": why}))
                return OUTGOING_CALL_BARRED
        self._lines[leg.id] = trunk.id
        self._dialled[leg.id] = _Dialled(callee, trunk.id, failed)
        return GATEWAY_DOWN if trunk.id in self._script.down else ""

    def _in_use(self, trunk: int) -> int:
        own = sum(line == trunk for line in self._lines.values()) + (self.caller.trunk == trunk)
        return own + self._script.in_use.get(trunk, 0)

    def dial_instead(self, leg: Leg) -> Leg | None:
        dialled = self._dialled.pop(leg.id, None)
        if dialled is None or dialled.line not in self._script.down:
            return None
        failed = dialled.failed | {dialled.line}
        found = line_for(self.snapshot, dialled.callee, self.caller, self._dialled_did, self._in_use, failed)
        if isinstance(found, str):
            return None
        line = self.snapshot.trunks.get(dialled.line)
        self.note(Step("line_failed", {"who": leg.label, "line": line.title if line else "", "cause": GATEWAY_DOWN}))
        return self._dial(dialled.callee, failed)

    @property
    def _dialled_did(self) -> str:
        return self.caller.dialled if self.caller.external else ""

    def _what_it_does(self, label: str) -> Answer:
        self._rung[label] += 1
        scripted = self._script.answers.get(label, self._script.others)
        if not isinstance(scripted, list):
            return scripted
        return scripted[self._rung[label] - 1] if self._rung[label] <= len(scripted) else NEVER

    def release(self, leg: Leg, cause: str = NORMAL_CLEARING) -> None:
        self._close(leg)

    def bridge(self, one: Leg, other: Leg) -> None:
        self._bridged |= {leg.id for leg in (one, other) if leg != self.party}
        if self.party not in (one, other):
            return  # somebody is consulted: nothing is known of how long that takes
        self.answer()
        self.talked = True
        self._let_go(one, other)
        talk, self._talk = self._talk, []
        for seconds, what in talk:
            for n, event in enumerate(_does(other, what)):
                self._at(seconds + n * KEY_GAP, event)
        if other.id not in self._ends:
            self._ends.add(other.id)
            self._at(self._script.talk_seconds, Ended(other, NORMAL_CLEARING))

    def hold(self, leg: Leg, music: Sound | None) -> None:
        """Heard by nobody here."""

    def tell(self, leg: Leg, sound: Sound) -> None:
        """As above."""

    def send_keys(self, leg: Leg, digits: str) -> None:
        """As above."""

    def show(self, leg: Leg, party: Leg) -> None:
        """Seen by nobody here."""

    def part(self, one: Leg, other: Leg) -> None:
        self._at(0, Parted())

    def outlive(self, *legs: Leg) -> None:
        self._outliving = legs

    def attend(self, leg: Leg | None, stays: Leg | None = None) -> None:
        self._recall.begin(leg if leg is not None and leg.id not in self._dead else None, stays)

    def _let_go(self, *talk: Leg) -> None:
        listened = self._recall.end()
        if listened is not None and listened not in talk:
            self.release(listened)

    @property
    def attending(self) -> Leg | None:
        return self._recall.leg

    def pick_up(self, groups: Sequence[Ref]) -> bool:
        return False

    def legs_of(self, reason: LegReason) -> Sequence[LegState]:
        return ()

    def serve(self, leg: Leg) -> None:
        if self.party.id in self._answering:
            self.open[self.party.id] = self.party  # he waits for a talk now
        self.party, self.answered = leg, True
        self._answering.add(leg.id)
        self.open.pop(leg.id, None)

    def presence(self, contact: Contact) -> Presence:
        registered = contact.kind == "phone" or contact.label not in self._script.absent
        return Presence(registered, self._script.busy.get(contact.label, 0))

    def involved(self, contact: Contact) -> bool:
        return is_own(self.snapshot, self.caller, contact) or any(leg.contact == contact.id for leg in self.open.values())

    def shuffle(self, items: Sequence[T]) -> Sequence[T]:
        return self._random.sample(list(items), len(items))

    def note(self, step: Step) -> None:
        self.steps.append((round(self.elapsed, 3), step))

    def fact(self, fact: Fact) -> None:
        self.facts.append(fact)
