# SPDX-License-Identifier: Apache-2.0
"""What happens in the talks of a rehearsed call: what the employee does in the first one, and when each is over."""

from __future__ import annotations

from collections.abc import Sequence

from engine.calls.call import Ended, Event, Held, Key, Leg, TransferAsked
from engine.calls.causes import NORMAL_CLEARING
from engine.rehearsal.caller import KEY_GAP
from engine.rehearsal.script import Script
from engine.rehearsal.timetable import Timetable


def _does(leg: Leg, what: str) -> Sequence[Event]:
    """What an employee does in a talk, as `Script.talk` says it."""
    if what in ("hold", "resume"):
        return (Held(leg, what == "hold"),)
    if what.startswith("keys "):
        return tuple(Key(leg, digit) for digit in what.removeprefix("keys "))
    return (Ended(leg, NORMAL_CLEARING),) if what == "hangs up" else (TransferAsked(leg, what),)


class ScriptedTalks:
    def __init__(self, script: Script, times: Timetable) -> None:
        self.talked = False
        """Somebody has talked with whoever was served."""
        self.joined: set[str] = set()
        """Legs that were joined with another one, those of the parties served at that moment left out."""
        self._script, self._times = script, times
        self._talk = list(script.talk)
        self._ends: set[str] = set()
        """Legs whose end of the talk is on its way."""

    def begin(self, other: Leg) -> None:
        """Whoever is served talks with this leg."""
        self.talked = True
        talk, self._talk = self._talk, []
        for seconds, what in talk:
            for n, event in enumerate(_does(other, what)):
                self._times.after(seconds + n * KEY_GAP, event)
        if other.id not in self._ends:
            self._ends.add(other.id)
            self._times.after(self._script.talk_seconds, Ended(other, NORMAL_CLEARING))
