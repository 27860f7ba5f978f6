# SPDX-License-Identifier: Apache-2.0
"""A question to the rehearsal as people write it: keys, who answers how, who calls. Read for command line, cabinet, bot and API alike."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from engine.calls.causes import CALL_REJECTED, USER_BUSY
from engine.errors import Problem
from engine.i18n import N_
from engine.numbering import to_e164
from engine.rehearsal.script import NEVER, Answer, Script, Typed
from engine.snapshot import Snapshot, User

WITHHELD: Final = frozenset({"", "anonymous", "withheld", "скрыт"})
EVERYBODY: Final = frozenset({"all", "все"})
SOON: Final = 5.0
"""Seconds until somebody answers of whom no time is told."""
LONGEST: Final = 24 * 3600.0
MOST_KEYS: Final = 100
_BUSY_AFTER: Final = 0.2
_REJECTS_AFTER: Final = 2.0
_WORD = re.compile(r"([0-9*#]+)(?:@(\d+(?:[.]\d+)?))?")


@dataclass(frozen=True, slots=True)
class Question:
    """Who calls what, and what the world does. `to`: a number of ours, or whatever an employee dials; `caller`: an outside number,
    an extension or SIP login of an employee, or None when withheld."""

    to: str
    caller: str | None = None
    script: Script = field(default_factory=Script)


def read_caller(text: str) -> str | None:
    return None if text.strip().casefold() in WITHHELD else text.strip()


def read_moment(text: str, zone: ZoneInfo) -> datetime:
    """“2026-01-03 19:30” in the PBX's zone, also with seconds, a T between or an offset. Raises Problem "at"."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Problem("at", N_("“{text}” is no date and time, such as 2026-01-03 19:30."), text=text) from None
    if not 2000 <= moment.year <= 2200:
        raise Problem("at", N_("“{text}” is no date and time, such as 2026-01-03 19:30."), text=text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def read_keys(text: str) -> tuple[tuple[Typed, ...], tuple[tuple[float, str], ...]]:
    """“2 201”: words typed one after another, each when keys count; “2@7.5”: at that second of the call. Raises Problem "keys".

    What comes back is for `Script.typed` and `Script.keys`.
    """
    typed: list[Typed] = []
    timed: list[tuple[float, str]] = []
    for word in text.replace(",", " ").replace(";", " ").split():
        found = _WORD.fullmatch(word)
        if found is None:
            raise Problem("keys", N_("“{word}” is no row of keys: 0–9, * and #, with @ and seconds for a fixed time."), word=word)
        digits, at = found[1], found[2]
        if at is None:
            typed.append(Typed(digits))
        else:
            timed.extend((_seconds("keys", at) + n * 0.3, digit) for n, digit in enumerate(digits))
    if sum(len(t.digits) for t in typed) + len(timed) > MOST_KEYS:
        raise Problem("keys", N_("At most {count} keys."), count=MOST_KEYS)
    return tuple(typed), tuple(timed)


def read_answers(snapshot: Snapshot, text: str, script: Script) -> Script:
    """“201=busy, 202=no, 203=answer:5, all=absent” added to the script. Raises Problem "answers".

    Who: a SIP login, an internal number, a name, an outside number, or “all”. What: answer, busy, no, reject, absent (the phone is not
    registered), inuse (all its lines talk); seconds after a colon. The same person again tells what he does the next time.
    """
    for word in filter(None, (part.strip() for part in text.replace("\n", ",").replace(";", ",").split(","))):
        who, equals, what = word.partition("=")
        if not equals:
            raise Problem("answers", N_("“{word}” does not say what he does, as in 201=busy."), word=word)
        labels = () if who.strip().casefold() in EVERYBODY else labels_of(snapshot, who.strip())
        script = react(snapshot, script, labels, what.strip(), everybody=not labels)
    return script


def labels_of(snapshot: Snapshot, who: str) -> tuple[str, ...]:
    """The contacts meant by a SIP login, an outside number, an internal number or a name. Raises Problem "answers"."""
    number = to_e164(who, snapshot.account.area_code) or who
    for user, contact in snapshot.contacts.values():
        if contact.label in (who, number) and user.contacts:
            return (contact.label,)
    known = snapshot.get(snapshot.extension(who), User)
    user_named = known or next((u for u in snapshot.core.users if u.title.casefold() == who.casefold()), None)
    if user_named is not None:
        return tuple(contact.label for contact in user_named.contacts) or (who,)
    if number != who or who.startswith("+"):
        return (number,)
    raise Problem("answers", N_("Nobody here is called “{who}”."), who=who)


def react(snapshot: Snapshot, script: Script, labels: Sequence[str], what: str, *, everybody: bool = False) -> Script:
    """The script with what these contacts do when they are rung: a word of `read_answers`. Raises Problem "answers"."""
    word, _, after = what.partition(":")
    name = word.strip().casefold()
    seconds = _seconds("answers", after) if after.strip() else None
    if name in ("absent", "inuse"):
        labels = tuple(c.label for _, c in snapshot.contacts.values()) if everybody else labels
        if name == "absent":
            return replace(script, absent=frozenset(_set(script.absent)) | set(labels))
        lines = {c.label: c.lines for _, c in snapshot.contacts.values()}
        return replace(script, busy={**script.busy, **{label: lines.get(label, 1) for label in labels}})
    answer: Answer
    if name == "answer":
        answer = (SOON if seconds is None else seconds, "answer")
    elif name == "busy":
        answer = (_BUSY_AFTER if seconds is None else seconds, USER_BUSY)
    elif name == "reject":
        answer = (_REJECTS_AFTER if seconds is None else seconds, CALL_REJECTED)
    elif name == "no":
        answer = NEVER
    else:
        raise Problem("answers", N_("“{word}” is none of answer, busy, no, reject, absent, inuse."), word=word)
    if everybody:
        return replace(script, others=answer)
    answers = dict(script.answers)
    script = replace(  # whoever answers is there, whatever was said of everybody
        script, absent=frozenset(_set(script.absent)) - set(labels), busy={k: n for k, n in script.busy.items() if k not in labels}
    )
    for label in labels:
        known = answers.get(label)
        answers[label] = answer if known is None else [*(known if isinstance(known, list) else [known]), answer]
    return replace(script, answers=answers)


def _set(absent: object) -> Iterable[str]:
    return absent if isinstance(absent, frozenset) else ()


def _seconds(field_name: str, text: str) -> float:
    try:
        seconds = float(text.strip().replace(",", "."))
    except ValueError:
        raise Problem(field_name, N_("“{text}” is no number of seconds."), text=text.strip()) from None
    if not math.isfinite(seconds) or not 0 <= seconds <= LONGEST:
        raise Problem(field_name, N_("“{text}” is no number of seconds."), text=text.strip())
    return seconds
