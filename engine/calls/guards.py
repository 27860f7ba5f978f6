# SPDX-License-Identifier: Apache-2.0
"""Dead-man timers: a claimed caller whom nobody talks with hears the “unavailable” phrase when his engine has died and none came back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from engine.calls.live import LiveCall
from engine.esl.switch import Switch

GUARD_SECONDS = 40
GUARD_EVERY_SECONDS = 15.0


class Guards:
    """The timers of one node's calls. They live in the switch; an engine that lives puts them off again and again."""

    def __init__(self, switch: Switch, calls: Mapping[str, LiveCall]) -> None:
        self._switch, self._calls = switch, calls
        self._guarded: set[str] = set()
        self._left_alone: set[str] = set()
        """Calls whose party has parked again after a talk."""

    def begin(self, call: LiveCall) -> None:
        """A caller who has just been claimed: there is no timer yet that this one would replace."""
        self._guarded.add(call.id)
        self._start_timer(call)

    def arm(self, call: LiveCall) -> None:
        if call.party.id:
            self._guarded.add(call.id)
            self._replace_timer(call)

    def disarm(self, call: LiveCall) -> None:
        """Before a bridge: the timer would tear the talk apart."""
        if not call.party.id:
            return
        self._left_alone.discard(call.id)
        if call.id in self._guarded:
            self._guarded.discard(call.id)
            if not call.gone:
                self._switch.stop_timers(call.party.id)

    def left_alone(self, call: LiveCall) -> None:
        """The party has parked again; guarded from the next round on, if the scenario has not ended by then."""
        self._left_alone.add(call.id)

    def forget(self, call: LiveCall) -> None:
        """The served party has left or is being hung up, and its timer goes with it."""
        self._left_alone.discard(call.id)
        self._guarded.discard(call.id)

    async def keep(self) -> None:
        """Put the timers off for as long as this engine lives; run as a task."""
        while True:
            await asyncio.sleep(GUARD_EVERY_SECONDS)
            self.rearm()

    def rearm(self) -> None:
        """Also those of parties who were left alone by a talk and are served again."""
        self._guarded |= self._left_alone
        self._left_alone.clear()
        for call_uuid in list(self._guarded):
            call = self._calls.get(call_uuid)
            if call is None or call.gone:
                self._guarded.discard(call_uuid)
            elif not call.bridged:
                self._replace_timer(call)

    def _replace_timer(self, call: LiveCall) -> None:
        # sched_transfer adds a task and never replaces one, so the old one goes first
        self._switch.stop_timers(call.party.id)
        self._start_timer(call)

    def _start_timer(self, call: LiveCall) -> None:
        self._switch.sched_transfer(call.party.id, GUARD_SECONDS, "unavail", "vats")
