# SPDX-License-Identifier: Apache-2.0
"""What whoever is served does in a rehearsal: the keys he presses, and when he leaves."""

from __future__ import annotations

from collections import deque
from typing import Final

from engine.calls.call import Ended, Event, Key, Leg
from engine.calls.causes import ORIGINATOR_CANCEL
from engine.rehearsal.script import Script
from engine.rehearsal.timetable import Timetable

KEY_GAP: Final = 0.3
"""Seconds between the digits of one word."""

PARTY: Final = Leg("party", "")
"""In events of the script: whoever is served when they happen."""


class ScriptedCaller:
    def __init__(self, script: Script, times: Timetable) -> None:
        self.listened = False
        """Keys have counted somewhere."""
        self._times = times
        self._words = deque(script.typed)
        self._typing = 0
        """Digits of the present word that are still to come."""
        for seconds, digit in script.keys:
            times.after(seconds, Key(PARTY, digit))
        for seconds, event in script.inject:
            times.after(seconds, event)
        if script.caller_leaves is not None:
            times.after(script.caller_leaves, Ended(PARTY, ORIGINATOR_CANCEL))

    def type(self, party: Leg, *, answered: bool) -> None:
        """Keys count: the next word is begun, unless one is being typed."""
        self.listened = True
        if not self._words or self._typing or not answered:
            return
        word = self._words.popleft()
        self._typing = len(word.digits)
        for n, digit in enumerate(word.digits):
            self._times.after(word.after + n * KEY_GAP, Key(party, digit))

    def has_typed(self) -> None:
        """One of his keys was pressed."""
        if self._typing:
            self._typing -= 1

    @property
    def unused_keys(self) -> str:
        """Words that were never begun, and keys of a fixed time that the call has not lasted for, in their order."""
        late = [event.digit for event in self._times.to_come() if isinstance(event, Key) and event.leg == PARTY]
        return " ".join([*(word.digits for word in self._words), "".join(late)]).strip()


def done_by(party: Leg, event: Event) -> Event:
    """What the script says of the caller is meant of whoever is served then."""
    match event:
        case Key(leg, digit) if leg == PARTY:
            return Key(party, digit)
        case Ended(leg, cause) if leg == PARTY:
            return Ended(party, cause)
        case _:
            return event
