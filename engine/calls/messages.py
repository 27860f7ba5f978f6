# SPDX-License-Identifier: Apache-2.0
"""What the served party says for somebody who is not there: voice messages, apart from the conversation's recording (R13)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from engine.calls.call import Leg, Message, MessageOver, Step
from engine.calls.surroundings import Surroundings


class Messages:
    """Of one call, one at a time. `emit` takes the end of one, `note` what the journal must remember of it."""

    def __init__(self, node: Surroundings, emit: Callable[[MessageOver], None], note: Callable[[Step], None]) -> None:
        self._node, self._emit, self._note = node, emit, note
        self.last: Message | None = None
        self._silence = 0.0
        """Seconds of silence that end it."""

    @property
    def running(self) -> bool:
        return self.last is not None and self.last.seconds is None

    def record(self, party: Leg, path: str, now: datetime, limit: timedelta, until_silence: timedelta) -> Message:
        # a switch left to itself would end it at “*”
        self._node.switch.setvar(party.id, "playback_terminators", "#")
        self._node.switch.record(
            party.id,
            self._node.path_on_switch(path),
            limit_seconds=max(1, round(limit.total_seconds())),
            silence_seconds=round(until_silence.total_seconds()),
        )
        self.last, self._silence = Message(path, now), until_silence.total_seconds()
        self._note(Step("message", {"path": path, "silence": self._silence}))
        return self.last

    def end(self, party: Leg, message: Message) -> None:
        if self.running and self.last == message:
            self._node.switch.break_(party.id)

    def stopped(self, file: str, seconds: float, *, by_silence: bool) -> bool:
        """The switch has ended a recording; whether it was the message."""
        if not self.running or self.last is None or not file.endswith(self.last.path):
            return False
        self._over(max(0.0, seconds - self._silence) if by_silence else seconds)
        return True

    def party_left(self, at: datetime) -> None:
        """The party is gone, and what it was saying is over, whether or not the switch has told so."""
        if self.running and self.last is not None:
            self._over(max(0.0, (at - self.last.begun_at).total_seconds()))

    def restore(self, steps: Iterable[tuple[datetime, Step]]) -> None:
        """After a restart: the newest message, from the steps."""
        for at, step in steps:
            path, seconds, silence = (step.facts.get(name) for name in ("path", "seconds", "silence"))
            if step.what == "message" and isinstance(path, str):
                self.last = Message(path, at)
                self._silence = float(silence) if isinstance(silence, int | float) else 0.0
            elif step.what == "message_over" and self.last is not None and isinstance(seconds, int | float):
                self.last = replace(self.last, seconds=float(seconds))

    def _over(self, seconds: float) -> None:
        assert self.last is not None
        self.last = replace(self.last, seconds=round(seconds, 2))
        self._note(Step("message_over", {"seconds": self.last.seconds}))
        self._emit(MessageOver(self.last))
