# SPDX-License-Identifier: Apache-2.0
"""The recording of a conversation: one stereo file from the first answer to the end, whoever is served (R13)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable
from dataclasses import replace

from engine.calls.call import Leg, Recorded, Recording, Step
from engine.calls.leg import LegState
from engine.calls.surroundings import Surroundings


class Recordings:
    """Of one call. `emit` takes the end of one on a leg, `note` what the journal must remember of it."""

    def __init__(self, node: Surroundings, emit: Callable[[Recorded], None], note: Callable[[Step], None]) -> None:
        self._node, self._emit, self._note = node, emit, note
        self.all: list[Recording] = []

    def begin(self, leg: Leg, path: str) -> Recording:
        self.all.append(recording := self._order(Recording(str(uuid.uuid4()), path, leg)))
        return recording

    def end(self, recording: Recording, leg: Leg) -> None:
        self._node.switch.record_stop(leg.id, self._node.path_on_switch(recording.path))

    def go_on(self, before: LegState | None, leg: Leg) -> None:
        """`leg` is served instead of `before`, with whose channel the recording ends: the file goes on, and nobody changes sides in it."""
        running = self.all[-1] if self.all else None
        if running is None or before is None or running.leg != before.leg:
            return
        if before.alive:  # two must not write into one file
            self.end(running, before.leg)
        self.all[-1] = self._order(replace(running, leg=leg, turned=not running.turned), onward=True)

    def _order(self, recording: Recording, *, onward: bool = False) -> Recording:
        """On its leg's channel, into a new file or `onward` behind what the file holds."""
        assert recording.leg is not None
        kind = {"RECORD_STEREO": "true", "RECORD_STEREO_SWAP": str(recording.turned).lower(), "RECORD_APPEND": str(onward).lower()}
        self._node.switch.setvar_multi(recording.leg.id, kind)
        self._node.switch.record_start(recording.leg.id, self._node.path_on_switch(recording.path))
        self._note(Step("record", {"leg": recording.leg.label, "path": recording.path, "turned": recording.turned}))
        return recording

    def stopped(self, path: str, ms: int) -> None:
        """The switch has ended one; `path` as the switch names it."""
        for recording in self.all:
            if path.endswith(recording.path):
                self._emit(Recorded(recording, ms / 1000))
                return

    def restore(self, steps: Iterable[Step], party: Leg) -> None:
        """What an earlier engine has begun."""
        for step in steps:
            if step.what == "record" and isinstance(path := step.facts.get("path"), str):
                mine = party if step.facts.get("leg") == party.label else None
                self.all = [r for r in self.all if r.path != path]  # it went on, on another leg
                self.all.append(Recording(path, path, mine, step.facts.get("turned") is True))
