# SPDX-License-Identifier: Apache-2.0
"""Ring plans as pure data, and the one loop that executes them, with the caller's keys live when wanted (IVR-5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, TypeAlias

from engine.calls.call import Answered, Call, Callee, EarlyMedia, Ended, Joined, Leg, Ringing, Step, TimeUp
from engine.calls.causes import LOSE_RACE, NO_ANSWER, ORIGINATOR_CANCEL
from engine.calls.keys import Chosen, KeyReader, listen
from engine.snapshot import Ref

Together: TypeAlias = tuple[Callee, ...]
"""Contacts of one user that ring together (equal contact priority, R10)."""
Track: TypeAlias = tuple[Together, ...]
"""One user: his steps, one after another, at his own pace (R9)."""
Wave: TypeAlias = tuple[Track, ...]
"""Users rung together."""
Plan: TypeAlias = tuple[Wave, ...]

Method: TypeAlias = Literal["SEQUENTIAL", "BY_USER", "ALL_AT_ONCE", "RANDOM", "NONE"]
"""The manual's five methods (2.1.1.3): Последовательный с первого, Одновременный по пользователям,
Одновременный (полный), Случайный, Нет обзвона."""


@dataclass(frozen=True, slots=True)
class Member:
    """A user as a distribution sees him: his priority and his contacts in (priority, callee) pairs."""

    priority: int
    callees: tuple[tuple[int, Callee], ...]


def _track(member: Member) -> Track:
    levels = sorted({priority for priority, _ in member.callees})
    return tuple(tuple(c for p, c in member.callees if p == level) for level in levels)


def plan(method: Method, members: Sequence[Member], order: Sequence[Member] = ()) -> Plan:
    """The plan of one attempt; `order` is the random order of the same members for RANDOM."""
    rung = [m for m in members if m.callees]
    match method:
        case "SEQUENTIAL":
            return tuple(tuple(_track(m) for m in rung if m.priority == p) for p in sorted({m.priority for m in rung}))
        case "BY_USER":
            return (tuple(_track(m) for m in rung),) if rung else ()
        case "ALL_AT_ONCE":
            return (tuple(((callee,),) for m in rung for _, callee in m.callees),) if rung else ()
        case "RANDOM":
            return tuple((_track(m),) for m in order if m.callees)
        case "NONE":
            return ()


@dataclass(frozen=True, slots=True)
class Won:
    """Somebody answered: his leg, and whom it was dialled to (None when the call was picked up)."""

    leg: Leg
    callee: Callee | None = None
    picked_up_in: Ref | None = None

    @property
    def group(self) -> Ref | None:
        """The one he was rung for, or, when he has picked the call up, somebody else was."""
        return self.callee.group if self.callee is not None else self.picked_up_in


@dataclass(frozen=True, slots=True)
class NoOne:
    """Nobody answered; `reasons` = contact label → hangup cause or why it was not rung."""

    reasons: Mapping[str, str]

    @property
    def all_busy(self) -> bool:
        return bool(self.reasons) and all(r in ("USER_BUSY", "lines_busy") for r in self.reasons.values())


@dataclass(slots=True, eq=False)
class _Run:
    track: Track
    at: int = -1
    ringing: set[_Attempt] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class _Attempt:
    """One callee being rung: all phones of his login at once."""

    run: _Run
    callee: Callee
    legs: set[Leg]
    heard: bool = False
    """One of his phones is known to ring."""
    cause: str = ""

    def over(self, leg: Leg, cause: str) -> bool:
        """Whether this was his last phone; he “did not answer” when one of them rang in vain, whatever the others said."""
        self.legs.discard(leg)
        if self.cause != NO_ANSWER:
            self.cause = cause
        return not self.legs


async def ring(
    call: Call, waves: Plan, keys: KeyReader | None = None, *, fit_only: bool = True, within: timedelta | None = None
) -> Won | Chosen | NoOne:
    """Ring the plan until somebody answers, the caller chooses a key, or the plan is exhausted; losers are told why.

    `fit_only`: skip contacts that can't be rung now (busy lines, out of hours, …), and say so. `within`: for all of it together.
    """
    why: dict[str, str] = {}
    live: dict[Leg, _Attempt] = {}
    until = call.now + within if within is not None else None
    waiting = dict.fromkeys(callee.label for wave in waves for track in wave for together in track for callee in together)
    """Whose turn has not come."""
    over = "left"
    """Why it will not come any more."""

    def advance(run: _Run) -> None:
        while not run.ringing and run.at + 1 < len(run.track):
            run.at += 1
            for callee in run.track[run.at]:
                waiting.pop(callee.label, None)
                if fit_only and (refusal := _unfit(call, callee)):
                    why[callee.label] = refusal["why"]
                    call.note(Step("skipped", {"who": callee.label, **refusal}))
                    continue
                legs = call.dial(callee)
                attempt = _Attempt(run, callee, set(legs))
                call.note(Step("rings", {"who": callee.label, "seconds": callee.timeout.total_seconds()}))
                run.ringing.add(attempt)
                live.update(dict.fromkeys(legs, attempt))

    won: _Attempt | None = None
    told = ORIGINATOR_CANCEL  # those who still ring: their phones show a missed call
    try:
        for wave in waves:
            for track in wave:
                advance(_Run(track))
            while live:
                event = await listen(call, keys, until)
                match event:
                    case Chosen():
                        over = "chosen"
                        return event
                    case Ringing(leg) if leg in live and not live[leg].heard:
                        live[leg].heard = True
                        call.note(Step("phone_rings", {"who": leg.label}))
                    case EarlyMedia(leg) if leg in live and len(live) == 1:
                        call.note(Step("early_media", {"who": leg.label}))
                        call.let_hear(leg)
                    case Answered(leg) if leg in live:
                        won, told, over = live.pop(leg), LOSE_RACE, "answered_first"
                        call.note(Step("answered", {"who": leg.label}))
                        return Won(leg, won.callee)
                    case TimeUp() if until is not None and call.now >= until:
                        over = "time_over"
                        return NoOne(why | {attempt.callee.label: NO_ANSWER for attempt in live.values()})
                    case Joined(leg, None, group):
                        told, over = LOSE_RACE, "answered_first"
                        call.note(Step("picked_up", {"who": leg.label}))
                        return Won(leg, None, group)
                    case Ended(leg, why_it_ended) if leg in live:
                        attempt = live.pop(leg)
                        further = call.dial_instead(leg)
                        if further is not None:
                            attempt.legs = attempt.legs - {leg} | {further}
                            live[further] = attempt
                        elif attempt.over(leg, why_it_ended):
                            attempt.run.ringing.discard(attempt)
                            why[leg.label] = attempt.cause
                            call.note(Step("no", {"who": leg.label, "cause": attempt.cause}))
                            advance(attempt.run)
        return NoOne(why)
    finally:  # also on CallGone: orders never wait, so this is safe
        for attempt in dict.fromkeys(live.values()):
            if attempt is not won:
                call.note(Step("cancelled", {"who": attempt.callee.label, "why": LOSE_RACE if over == "answered_first" else over}))
        if waiting:
            call.note(Step("not_reached", {"whom": ", ".join(waiting), "why": over}))
        for leg in live:
            call.release(leg, told)


def _unfit(call: Call, callee: Callee) -> Mapping[str, str] | None:
    """Why a contact is not rung now, as facts of the step “skipped”, or None."""
    contact = callee.contact
    if contact is None:
        return None
    if not contact.active:
        return {"why": "inactive"}
    if not call.snapshot.has_phone(contact):
        return {"why": "no_account"}
    if call.involved(contact):
        return {"why": "already_in_call"}
    hours = call.snapshot.verdict(contact.schedule, call.now, call.caller.number)
    if not hours.holds:
        return hours.told
    seen = call.presence(contact)
    if not seen.registered:
        return {"why": "not_registered"}
    if seen.busy_lines >= contact.lines:
        return {"why": "lines_busy"}
    return None
