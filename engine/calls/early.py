# SPDX-License-Identifier: Apache-2.0
"""Early media: the party hears what a leg that is rung sends before it answers (an operator's announcement, his ringing).

The switch joins the two before the answer; then it answers the party itself when the leg answers, also while no engine runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.calls.call import Leg
from engine.calls.surroundings import Surroundings

if TYPE_CHECKING:
    from engine.calls.live import LiveCall


class Early:
    """Of one call."""

    def __init__(self, call: LiveCall, node: Surroundings) -> None:
        self._call, self._node = call, node
        self._heard: Leg | None = None

    def let_hear(self, leg: Leg) -> bool:
        """False: one of the two has gone."""
        call, switch = self._call, self._node.switch
        if call.gone or not call.legs[leg.id].alive:
            return False
        self._heard = leg
        if not call.answered:
            switch.pre_answer(call.party.id)
        self._node.guard(call, armed=False)  # the party is nobody's to lose: it is answered or parked by the switch
        # FreeSWITCH parks an unanswered party, whose bridge is over, by these two only; else it hangs it up with the leg's cause
        switch.setvar_multi(call.party.id, {"park_after_early_bridge": "true", "continue_on_fail": "true"})
        call.moving.bridge(call.party, leg)
        return True

    def ends(self, leg: Leg) -> bool:
        """The leg is over; whether the party has heard it, is there still, and is guarded again."""
        if self._heard != leg:
            return False
        self._heard = None
        if self._call.gone or not self._call.legs[self._call.party.id].alive:
            return False
        self._node.guard(self._call, armed=True)
        return True

    def becomes_talk(self, one: Leg, other: Leg) -> bool:
        """These two are to talk; whether the switch has joined them for the early media, or is about to."""
        heard, self._heard = self._heard, None
        return heard in (one, other)
