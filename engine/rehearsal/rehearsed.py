# SPDX-License-Identifier: Apache-2.0
"""The Call without a switch: what an action may order in a rehearsal, and what follows from it.

The world around it is told by a script, a part of it in each module: `caller`, `phones`, `talks`, `leavings`. What they foretell stands
in the `timetable`; `course` lets it happen.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from engine.calls.call import (
    Callee,
    Caller,
    Fax,
    Leg,
    LegReason,
    Message,
    Parted,
    Playback,
    Played,
    Presence,
    Recording,
    Step,
)
from engine.calls.causes import NORMAL_CLEARING
from engine.calls.leg import LegState
from engine.calls.presence import is_own
from engine.rehearsal.course import Course
from engine.rehearsal.lengths import seconds_of
from engine.rehearsal.script import Script
from engine.snapshot import Contact, Ref, Snapshot, Sound

T = TypeVar("T")


class RehearsedCall(Course):
    """Implements engine.calls.Call."""

    def __init__(
        self, snapshot: Snapshot, caller: Caller, script: Script, at: datetime, *, seed: int = 1, contact: int | None = None,
        ordered: bool = False, id: str = "",
    ) -> None:
        """As `Course`; `seed`: of what is random in a call."""
        super().__init__(snapshot, caller, script, at, contact=contact, ordered=ordered, id=id)
        self._random = random.Random(seed)  # noqa: S311 — a shuffle, no secret

    # -- the party's sound -----------------------------------------------------------------------------------------------------

    def ringback(self, music: Sound | None) -> None:
        if music is not None and not self._script.early_media:
            self.answer()
        self.note(Step("ringback", {"music": music.path if music else None}))

    def play(self, *sounds: Sound, loop: bool = False) -> Playback:
        playback = Playback(self._times.name("p"), sounds)
        self.note(Step("play", {"sound": " + ".join(s.path for s in sounds)}))
        if not loop:
            told = self._script.sounds
            seconds = sum(told[s.path] if s.path in told else seconds_of(self.snapshot, s.path) for s in sounds)
            self._times.after(seconds, Played(playback))
        return playback

    def stop(self, playback: Playback) -> None:
        self._over.add(playback.id)

    def record(self, leg: Leg, path: str) -> Recording:
        self.note(Step("record", {"leg": leg.label}))
        return Recording(self._times.name("r"), path, leg)

    def end_recording(self, recording: Recording) -> None:
        """Nothing follows from it."""

    def record_message(self, path: str, *, limit: timedelta, until_silence: timedelta) -> Message:
        self._let_go()
        return self._leavings.record_message(path, limit=limit, until_silence=until_silence)

    def end_message(self, message: Message) -> None:
        self._leavings.end_message(message)

    @property
    def message(self) -> Message | None:
        return self._leavings.message

    @property
    def takes_faxes(self) -> bool:
        return self._script.takes_faxes

    def receive_fax(self, path: str) -> Fax:
        self._let_go()
        return self._leavings.receive_fax(path)

    def end_fax(self, fax: Fax) -> None:
        self._leavings.end_fax(fax)

    @property
    def fax(self) -> Fax | None:
        return self._leavings.fax

    # -- legs --------------------------------------------------------------------------------------------------------------------

    def dial(self, callee: Callee, *, caller_id: str | None = None) -> tuple[Leg, ...]:
        return (self._phones.dial(self.snapshot, callee),)

    def dial_instead(self, leg: Leg) -> Leg | None:
        return self._phones.dial_instead(self.snapshot, leg)

    def let_hear(self, leg: Leg) -> None:
        """A rehearsal makes no sound."""

    def release(self, leg: Leg, cause: str = NORMAL_CLEARING) -> None:
        self._close(leg)

    def bridge(self, one: Leg, other: Leg) -> None:
        self._talks.joined |= {leg.id for leg in (one, other) if leg != self.party}
        if self.party not in (one, other):
            return  # somebody is consulted: nothing is known of how long that takes
        self.answer()
        self._let_go(one, other)
        self._talks.begin(other)

    def hold(self, leg: Leg, music: Sound | None) -> None:
        """Heard by nobody here."""

    def tell(self, leg: Leg, sound: Sound) -> None:
        """As above."""

    def send_keys(self, leg: Leg, digits: str) -> None:
        """As above."""

    def show(self, leg: Leg, party: Leg) -> None:
        """Seen by nobody here."""

    def part(self, one: Leg, other: Leg) -> None:
        self._times.after(0, Parted())

    def outlive(self, *legs: Leg) -> None:
        self._outliving = legs

    def attend(self, leg: Leg | None, stays: Leg | None = None) -> None:
        self._recall.begin(leg if leg is not None and leg.id not in self._over else None, stays)

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

    # -- the world ---------------------------------------------------------------------------------------------------------------

    def presence(self, contact: Contact) -> Presence:
        return self._phones.presence(contact)

    def involved(self, contact: Contact) -> bool:
        return is_own(self.snapshot, self.caller, contact) or any(leg.contact == contact.id for leg in self._phones.open.values())

    def shuffle(self, items: Sequence[T]) -> Sequence[T]:
        return self._random.sample(list(items), len(items))
