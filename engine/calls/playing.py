# SPDX-License-Identifier: Apache-2.0
"""What the served party hears: sounds an action has asked for and waits for, and the background (ringback) that gives way to them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from engine.calls.call import Leg, Playback, Played
from engine.calls.surroundings import Surroundings
from engine.esl.event import Event as SwitchEvent
from engine.snapshot import Sound

log = logging.getLogger(__name__)


class Playing:
    """The playbacks of one call. `emit` takes the end of those that were asked for by `play`."""

    def __init__(self, node: Surroundings, emit: Callable[[Played], None]) -> None:
        self._node, self._emit = node, emit
        self._playbacks: dict[str, Playback] = {}
        self._behind: dict[str, frozenset[str]] = {}
        self._background = ""
        self._looping: set[str] = set()

    @property
    def open(self) -> frozenset[str]:
        """Ids of the playbacks whose end has not been heard of."""
        return frozenset(self._playbacks)

    def play(self, party: Leg, sounds: tuple[Sound, ...], *, loop: bool) -> Playback:
        self.end_background(party)
        paths = [self._node.path_on_switch(s.path) for s in sounds]
        playback = Playback(self._node.switch.playback(party.id, *paths, loop=loop), sounds)
        self._playbacks[playback.id] = playback
        if loop:
            self._looping.add(playback.id)
        return playback

    def stop(self, party: Leg, playback: Playback) -> None:
        if self._playbacks.pop(playback.id, None) is not None:
            self._node.switch.break_(party.id)

    def background(self, party: Leg, sound: str, *, loop: bool) -> None:
        """Play `sound`, as the switch names it, until something else is played."""
        self._background = self._node.switch.playback(party.id, sound, loop=loop)
        if loop:
            self._looping.add(self._background)

    def end_background(self, party: Leg) -> None:
        if self._background:
            self._node.switch.break_(party.id)
            self._background = ""

    def take_over(self, background: str) -> None:
        """Another leg is the party from now on, and this is what it hears; "" = nothing."""
        self._background = background

    def forget_background(self) -> None:
        """It ends by itself: the party is bridged."""
        self._background = ""

    def over(self, event: SwitchEvent, call: str) -> None:
        """An application of the party's channel has ended."""
        if event.execution in self._looping:
            return  # one round of an endless sound; it is over when it is stopped
        if event.execution == self._background:
            self._background = ""
        self._finished(self._behind.pop(event.execution, ()))
        playback = self._playbacks.pop(event.execution, None)
        if playback is not None:
            missing = event.application_response.startswith("FILE NOT FOUND")
            if missing:
                log.error("the switch does not find %s", ", ".join(s.path for s in playback.sounds), extra={"call": call})
            self._emit(Played(playback, "missing" if missing else "finished"))

    def expect_end(self, party: Leg, playbacks: frozenset[str]) -> None:
        """The end of these may have escaped us: they are over when something queued behind them has run."""
        if playbacks:
            self._behind[self._node.switch.execute(party.id, "set", "vats_caught_up=true")] = playbacks

    def _finished(self, playbacks: Iterable[str]) -> None:
        for execution in playbacks:
            playback = self._playbacks.pop(execution, None)
            if playback is not None:
                self._emit(Played(playback))
