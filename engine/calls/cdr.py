# SPDX-License-Identifier: Apache-2.0
"""What a finished call amounts to: who talked, whether it was missed and why (R1). Pure; the journal writes it down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from engine.calls.call import NOBODY, Step
from engine.calls.leg import LegState
from engine.calls.live import LiveCall
from engine.facts import Fact, MissedWhy
from engine.facts.distribution import DistributionFailed, Served
from engine.facts.ended import CallEnded
from engine.snapshot import Branch, Ref, Snapshot


@dataclass(frozen=True, slots=True)
class Summary:
    """The call in one line, at its true end."""

    talked: bool
    answered_at: datetime | None
    """When somebody whom the caller wanted answered; greetings do not count."""
    missed: bool
    missed_why: MissedWhy
    failed_groups: tuple[Ref, ...]
    group: Ref | None
    user: int | None
    cause: str
    talk_seconds: int
    wait_seconds: int


def summarise(call: LiveCall, ended_at: datetime) -> Summary:
    talked = call.talk_started_at is not None
    last = call.talked_with
    ends = [s.ended_at for s in (last, call.legs.get(call.party.id)) if s is not None and s.ended_at is not None]
    talk_end = min(ends) if ends else ended_at
    failed = failed_groups(call.facts)
    # of an ordered call somebody is missed who was there: he had answered and waited
    missed = call.direction == "in" and call.party != NOBODY and not talked and not is_served(call.facts)
    why = why_missed(call.facts, left_in(call)) if missed else ""
    # of an ordered call the employee is no caller but the party served
    with_whom = last.leg.user if last is not None else None
    user = with_whom if call.direction == "in" else call.caller.user or call.party.user or (with_whom if call.ordered is not None else None)
    first = call.legs.get(call.id) or call.legs.get(call.party.id)
    return Summary(
        talked,
        call.talk_started_at,
        missed,
        why,
        failed,
        (last.group if last is not None else None) or (failed[-1] if failed else None),
        user,
        _cause(first, last),
        max(0, round((talk_end - call.talk_started_at).total_seconds())) if call.talk_started_at else 0,
        max(0, round(((call.talk_started_at or ended_at) - call.started_at).total_seconds())),
    )


def _cause(first: LegState | None, last: LegState | None) -> str:
    """The caller's own cause; when the other side hung up first, that is the same word."""
    return (first.cause if first is not None else "") or (last.cause if last is not None else "")


def failed_groups(facts: Sequence[Fact]) -> tuple[Ref, ...]:
    """Groups in which distribution failed, in order, each once."""
    return tuple(dict.fromkeys(f.group for f in facts if isinstance(f, DistributionFailed)))


def is_served(facts: Sequence[Fact]) -> bool:
    """Whether the call reached its purpose without a talk.

    A hang-up by rule or key does not excuse a group that failed before, nor does a phrase, unless nobody was to be rung (an announcer).
    """
    failed = {f.why for f in facts if isinstance(f, DistributionFailed)}
    allowed = {"hangup_by_rule": not failed, "announcement": failed <= {"empty"}}
    return any(isinstance(f, Served) and allowed.get(f.how, True) for f in facts)


def why_missed(facts: Sequence[Fact], left: MissedWhy) -> MissedWhy:
    """The tag of a missed call; `left` as `left_in` says, for one that no group has failed."""
    tags = [f.missed_as for f in facts if f.missed_as]
    if tags:
        return tags[-1]
    whys = [f.why for f in facts if isinstance(f, DistributionFailed)]
    if whys:
        if all(w in ("closed", "inactive") for w in whys):
            return "closed"
        return "left" if whys[-1] == "left" else "no_answer"
    return left


class Traced(Protocol):
    """A call that is over or nearly so, live or rehearsed."""

    @property
    def snapshot(self) -> Snapshot: ...
    @property
    def steps(self) -> Sequence[tuple[object, Step]]: ...


def left_in(call: Traced) -> MissedWhy:
    """What it means that the caller hung up where he was; "closed" when that was out of hours or inactive and did not let him in."""
    last = next((s for _, s in reversed(call.steps) if s.what in ("enters", "closed") and s.target), None)
    if last is not None and last.what == "closed":
        return "closed"
    branch = call.snapshot.get(last.target, Branch) if last is not None else None
    return branch.left_as if branch is not None else "left"


def ended_fact(call: LiveCall, summary: Summary, ended_at: datetime) -> CallEnded:
    """The fact that the call is over."""
    return CallEnded(
        account=call.snapshot.account.id,
        call=call.id,
        at=ended_at,
        direction=call.direction,
        caller_number=call.caller.number,
        caller_name=call.caller.name,
        dialled=call.caller.dialled,
        started_at=call.started_at,
        answered_at=summary.answered_at,
        ended_at=ended_at,
        talked=summary.talked,
        missed=summary.missed,
        missed_why=summary.missed_why,
        failed_groups=summary.failed_groups,
        cause=summary.cause,
        recording=call.recordings[0].path if call.recordings else None,
    )
