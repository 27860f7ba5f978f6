# SPDX-License-Identifier: Apache-2.0
"""The account's last real calls, to be called again: who called what and when, what he pressed, who answered and who did not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from engine.db import models
from engine.facts import MissedWhy
from engine.rehearsal.script import NEVER, Answer, Script, Typed

MOST_CALLS: Final = 1000
WORD_GAP: Final = 2.5
"""Seconds between two keys that belong to one extension."""
_PAGE: Final = 50
_LEFT: Final[frozenset[MissedWhy]] = frozenset({"left", "menu"})


@dataclass(frozen=True, slots=True)
class PastCall:
    """`id`: its record. `dialled`: the number of ours, in E.164."""

    id: int
    at: datetime
    caller: str | None
    dialled: str
    script: Script = field(default_factory=Script)


async def last_calls(account_id: int, limit: int = MOST_CALLS) -> list[PastCall]:
    """The newest calls from outside first, read in pages, so that nobody else waits for long."""
    found: list[PastCall] = []
    calls = models.CallRecord.of(account_id).filter(direction="in", did__not_isnull=True).order_by("-started_at", "-id")
    while len(found) < limit:
        rows = await calls.offset(len(found)).limit(min(_PAGE, limit - len(found)))
        found.extend(past_call(row) for row in rows)
        if len(rows) < _PAGE:
            break
    return found


def past_call(row: models.CallRecord) -> PastCall:
    """What a record tells of how people behaved."""
    trace = [step for step in row.trace or () if isinstance(step, Mapping)]
    leaves = (row.ended_at - row.started_at) if not row.talked and row.missed_why in _LEFT else None
    talk = float(max(1, row.talk_seconds)) if row.talked else 30.0
    return PastCall(row.id, row.started_at, row.caller_number, row.did or "", script_of(trace, leaves, talk))


def script_of(trace: Iterable[Mapping[str, Any]], leaves: timedelta | None = None, talk: float = 30.0) -> Script:
    """The script of a record's trace. People whom it does not name do not answer."""
    answers: dict[str, list[Answer]] = {}
    rung: dict[str, float] = {}
    absent: set[str] = set()
    busy: dict[str, int] = {}
    words: list[Typed] = []
    counted_from, last_key = 0.0, -WORD_GAP * 2
    for step in trace:
        at = float(step.get("at") or 0) / 1000
        facts = step.get("facts") or {}
        who = str(facts.get("who", ""))
        match step.get("what"):
            case "enters":
                counted_from, last_key = at, -WORD_GAP * 2
            case "key":
                digit = str(facts.get("digit", ""))
                if words and at - last_key <= WORD_GAP:
                    words[-1] = Typed(words[-1].digits + digit, words[-1].after)
                else:
                    words.append(Typed(digit, max(0.0, at - max(counted_from, last_key))))
                last_key = at
            case "rings":
                rung[who] = at
                answers.setdefault(who, []).append(NEVER)
            case "answered" if who in rung:
                answers[who][-1] = (max(0.0, at - rung[who]), "answer")
            case "no" if who in rung:
                answers[who][-1] = (max(0.0, at - rung[who]), str(facts.get("cause", "")))
            case "skipped":
                if facts.get("why") == "not_registered":
                    absent.add(who)
                elif facts.get("why") == "lines_busy":
                    busy[who] = 1_000
            case _:
                pass
    return Script(
        answers={label: list(what) for label, what in answers.items()},
        typed=tuple(words),
        absent=frozenset(absent),
        busy=busy,
        caller_leaves=leaves.total_seconds() if leaves is not None else None,
        talk_seconds=talk,
    )
