# SPDX-License-Identifier: Apache-2.0
"""Joins that the switch reports: of legs we bridged, and of those that phones bring together by transfers and pickups.

A phone that transfers leaves the call while the other party stays. Its end often comes before the switch tells where that
party went, so it is held back for a moment: else the scenario would take the talk for over.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from engine.calls.call import NOBODY, Ended, Joined, TransferAsked
from engine.calls.causes import BLIND_TRANSFER
from engine.calls.leg import LegState
from engine.calls.surroundings import Surroundings
from engine.esl.event import Event as SwitchEvent

if TYPE_CHECKING:
    from engine.calls.live import LiveCall

GRACE_SECONDS: Final = 3.0
"""How long a transferring phone's end is held back while the switch joins or parks the other party."""


class Joins:
    """Of one call. Events go out by `call.emit`; what was joined is noted in the legs' states."""

    def __init__(self, call: LiveCall, node: Surroundings) -> None:
        self._call, self._node = call, node
        self._known: set[tuple[str, str]] = set()
        self._partners: dict[str, str] = {}
        """Whom we have joined each one with last."""
        self._held_back: dict[str, asyncio.TimerHandle] = {}
        self._transfers: set[str] = set()

    def ordered(self, one: str, other: str) -> None:
        """We bridge these two channels: the switch's report of it is no news."""
        self._known.update({(one, other), (other, one)})
        self._partners.update({one: other, other: one})

    def dealt_with(self, transfer_source: str) -> None:
        """This note of the switch is of a transfer that was answered: a channel keeps its last one, also when it parks after a talk."""
        self._transfers.add(transfer_source)

    # -- reports of the switch ---------------------------------------------------------------------------------------------

    def seen(self, one: str, other: str) -> None:
        """The switch has joined two channels; `one` is ours."""
        call = self._call
        for uuid, peer in ((one, other), (other, one)):
            if uuid in call.legs:
                call.legs[uuid].peer = peer
        stays = next((uuid for uuid in (one, other) if self._in_consultation(uuid)), None)
        if stays is not None and (one, other) not in self._known:
            self._comes_in(stays, other if stays == one else one)
            return
        consults = next((uuid for uuid in (one, other) if call.expects(uuid) and uuid != call.party.id), None)
        if consults is not None:
            self._picked_up(call.legs[consults], other if consults == one else one)
            return
        mine = call.legs.get(call.party.id)
        if mine is not None and call.party.id not in (one, other):
            # a phone that leaves has joined the two it had called: ours is served from now on
            goes = (mine.leaving and other not in call.legs) or mine.uuid in self._held_back
            mine = call.legs.get(one) if goes else None
        if mine is None:
            return
        peer = other if one == mine.uuid else one
        if (mine.uuid, peer) in self._known:
            return
        leaving = next((s for s in call.legs.values() if (s.leaving and not s.released) or s.uuid in self._held_back), None)
        state = call.legs.get(peer) or self._node.crossings.adopt(call, peer)
        if state is None:
            return
        if mine.leg != call.party:
            leaving = mine
            self.forget(call.legs[call.party.id])
            call.serve(mine.leg)
        self._known.add((mine.uuid, peer))
        self._node.guard(call, armed=False)
        mine.peer = peer
        if leaving is not None:
            self.forget(leaving)
            leaving.leaving = False
        call.talks(state)
        call.emit(Joined(state.leg, leaving.leg if leaving else None, state.group))

    def _in_consultation(self, uuid: str) -> bool:
        moving = self._call.moving
        return moving.consults and moving.outlives(uuid) and moving.outlives(self._partners.get(uuid, ""))

    def _comes_in(self, stays: str, newcomer: str) -> None:
        """A phone has put this leg in the place of whoever talked with the one that stays, in the middle of a consultation."""
        call = self._call
        before = call.legs[self._partners[stays]]
        state = call.legs.get(newcomer) or self._node.crossings.adopt(call, newcomer)
        if state is None:
            return
        self.forget(before)
        self.ordered(stays, newcomer)
        before.peer, state.peer = "", stays
        if before.leg == call.party:
            call.serve(state.leg)
        call.emit(Joined(state.leg, before.leg, state.group))

    def _picked_up(self, consults: LegState, picker: str) -> None:
        """Somebody has picked up the ringing of a consultation."""
        call = self._call
        if (consults.uuid, picker) in self._known:
            return
        state = call.legs.get(picker) or self._node.crossings.adopt(call, picker)
        if state is None:
            return
        self.ordered(consults.uuid, picker)
        consults.peer, state.peer = picker, consults.uuid
        call.emit(Joined(state.leg, None, state.group))

    def parked_by_transfer(self, event: SwitchEvent, state: LegState) -> None:
        """A phone has sent this leg elsewhere, or has left it with nobody."""
        call = self._call
        if event.endpoint_disposition == "BLIND_TRANSFER":  # the transferring caller's own leg: nothing left for it to do
            self._node.switch.kill(state.uuid, BLIND_TRANSFER)
            return
        if event.transfer_source in self._transfers:
            return
        self.dealt_with(event.transfer_source)
        if self._in_consultation(state.uuid):
            self._node.switch.stop_timers(state.uuid)  # the dialplan has armed a timer
            self._asked(event, call.legs[self._partners[state.uuid]])
            return
        # the transferring leg may have ended before or may end after this; it is the one talked with last, and no earlier one that left
        by = next((s for s in call.legs.values() if s.leaving and not s.released), None) or call.talked_with
        if state.leg != call.party:  # the caller sent his callee on: the scenario serves the callee now
            by = call.legs[call.party.id]
            by.leaving = True
            call.serve(state.leg)
        self._asked(event, by)

    def _asked(self, event: SwitchEvent, by: LegState | None) -> None:
        call = self._call
        for other in call.legs.values():
            self.forget(other)
        self._node.guard(call, armed=True)
        asked = TransferAsked(by.leg if by else NOBODY, event.destination_number)
        if "Replaces=" in event.sip_refer_to:
            # The transferring phone's call to that number ends now. Its lines are free again before we ring there.
            self._node.crossings.after_consultation(call, asked.by, asked.number, lambda: call.emit(asked))
        else:
            call.emit(asked)

    # -- phones that leave --------------------------------------------------------------------------------------------------

    def hold_back(self, state: LegState) -> None:
        """Tell of this leg's end only when no join or transfer follows from it."""
        self._held_back[state.uuid] = asyncio.get_running_loop().call_later(GRACE_SECONDS, self._tell, state)
        if state.leg == self._call.party:  # the switch may have told of the newcomer before it told of this end
            joined = (s for s in self._call.open_legs() if s.peer in self._call.legs and self._call.legs[s.peer].alive)
            if (stays := next(joined, None)) is not None:
                self.seen(stays.uuid, stays.peer)

    def holds_back(self, state: LegState) -> bool:
        return state.uuid in self._held_back

    def forget(self, state: LegState) -> None:
        """Its end is explained, or nobody waits for it."""
        handle = self._held_back.pop(state.uuid, None)
        if handle is not None:
            handle.cancel()

    def _tell(self, state: LegState) -> None:
        self._held_back.pop(state.uuid, None)
        if state.leg == self._call.party and not self._call.moving.outlives(state.uuid):
            self._call.party_left()
        else:
            self._call.emit(Ended(state.leg, state.cause))
