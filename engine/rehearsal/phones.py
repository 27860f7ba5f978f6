# SPDX-License-Identifier: Apache-2.0
"""Whoever is dialled in a rehearsal: by which line, whether he can be reached, what he does when his phone rings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from engine.calls.call import Answered, Callee, Caller, Ended, Leg, Presence, Ringing, Step
from engine.calls.causes import GATEWAY_DOWN, NO_ANSWER, OUTGOING_CALL_BARRED, USER_NOT_REGISTERED
from engine.calls.trunks import line_for, number_of
from engine.gates import DialQuestion
from engine.numbering import is_emergency
from engine.rehearsal.script import NEVER, Answer, Script
from engine.rehearsal.timetable import Timetable
from engine.snapshot import Contact, Snapshot


@dataclass(slots=True)
class _Dialled:
    """A leg by a line, and those that have failed before."""

    callee: Callee
    line: int
    failed: frozenset[int]


class ScriptedPhones:
    def __init__(self, caller: Caller, script: Script, times: Timetable, note: Callable[[Step], None]) -> None:
        self.open: dict[str, Leg] = {}
        """Legs that ring or talk, the caller's left out."""
        self.lines: dict[str, int] = {}
        """Trunk of each open leg that has one."""
        self._caller, self._script, self._times, self._note = caller, script, times, note
        self._dialled: dict[str, _Dialled] = {}
        self._rung: Counter[str] = Counter()

    def dial(self, snapshot: Snapshot, callee: Callee, failed: frozenset[int] = frozenset()) -> Leg:
        contact = callee.contact
        external = contact is None or contact.kind == "phone"
        leg = Leg(
            self._times.name("b"),
            callee.label,
            user=callee.user.id if callee.user else None,
            contact=contact.id if contact else None,
            external=external,
        )
        self.open[leg.id] = leg
        refusal = self._refusal(snapshot, leg, callee, failed)
        if refusal:
            self._times.after(0, Ended(leg, refusal))
            return leg
        after, what = self._what_it_does(callee.label)
        limit = callee.timeout.total_seconds()
        alerts = self._script.alerts
        if alerts is not None and alerts < min(after, limit):
            self._times.after(alerts, Ringing(leg))
        if after >= limit:
            self._times.after(limit, Ended(leg, NO_ANSWER))
        else:
            self._times.after(after, Answered(leg) if what == "answer" else Ended(leg, what))
        return leg

    def dial_instead(self, snapshot: Snapshot, leg: Leg) -> Leg | None:
        """As engine.calls.Call has it."""
        dialled = self._dialled.pop(leg.id, None)
        if dialled is None or dialled.line not in self._script.down:
            return None
        failed = dialled.failed | {dialled.line}
        found = line_for(snapshot, dialled.callee, self._caller, self._dialled_did, self._in_use, failed)
        if isinstance(found, str):
            return None
        line = snapshot.trunks.get(dialled.line)
        self._note(Step("line_failed", {"who": leg.label, "line": line.title if line else "", "cause": GATEWAY_DOWN}))
        return self.dial(snapshot, dialled.callee, failed)

    def close(self, leg: Leg) -> None:
        self.open.pop(leg.id, None)
        self.lines.pop(leg.id, None)

    def presence(self, contact: Contact) -> Presence:
        registered = contact.kind == "phone" or contact.label not in self._script.absent
        return Presence(registered, self._script.busy.get(contact.label, 0))

    def _refusal(self, snapshot: Snapshot, leg: Leg, callee: Callee, failed: frozenset[int]) -> str:
        """The hangup cause of a leg that can't be placed; a line that takes it is taken."""
        if not leg.external:
            return USER_NOT_REGISTERED if callee.label in self._script.absent else ""
        found = line_for(snapshot, callee, self._caller, self._dialled_did, self._in_use, failed)
        if isinstance(found, str):
            return found
        trunk, _ = found
        number = number_of(callee)
        if self._script.gate is not None and not is_emergency(number):
            question = DialQuestion(snapshot.account.id, number, callee.reason, callee.user.id if callee.user else None, trunk.id)
            if (why := self._script.gate(question)) is not None:
                self._note(Step("gate_closed", {"who": callee.label, "why": why}))
                return OUTGOING_CALL_BARRED
        self.lines[leg.id] = trunk.id
        self._dialled[leg.id] = _Dialled(callee, trunk.id, failed)
        return GATEWAY_DOWN if trunk.id in self._script.down else ""

    def _in_use(self, trunk: int) -> int:
        own = sum(line == trunk for line in self.lines.values()) + (self._caller.trunk == trunk)
        return own + self._script.in_use.get(trunk, 0)

    @property
    def _dialled_did(self) -> str:
        return self._caller.dialled if self._caller.external else ""

    def _what_it_does(self, label: str) -> Answer:
        self._rung[label] += 1
        scripted = self._script.answers.get(label, self._script.others)
        if not isinstance(scripted, list):
            return scripted
        return scripted[self._rung[label] - 1] if self._rung[label] <= len(scripted) else NEVER
