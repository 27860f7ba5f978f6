# SPDX-License-Identifier: Apache-2.0
"""Parties that the scenario moves about (transfers by code, consultations): parted, held, joined anew, spared when others go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from engine.calls.call import Leg, Parted
from engine.calls.parting import Parting
from engine.calls.playing import Playing
from engine.calls.surroundings import Surroundings
from engine.snapshot import Sound

if TYPE_CHECKING:
    from engine.calls.live import LiveCall

SWITCH_MUSIC: Final = "local_stream://moh"
"""The switch's own music on hold."""


class Moving:
    """Of one call."""

    def __init__(self, call: LiveCall, node: Surroundings, playing: Playing) -> None:
        self._call, self._node, self._playing = call, node, playing
        self._parting = Parting(lambda leg: leg not in call.legs or call.legs[leg].alive, lambda: call.emit(Parted()))
        self._outliving: tuple[Leg, ...] = ()
        self._music: dict[str, str] = {}
        """The playback that each leg on hold hears, as far as it is not the party's."""
        self._parted: set[str] = set()
        """Callers whom an order of ours has taken to another context than the one they came by."""

    # -- out of their talk, and into another one ---------------------------------------------------------------------------

    def part(self, one: Leg, other: Leg) -> None:
        states = [s for leg in (one, other) if (s := self._call.legs.get(leg.id)) is not None]
        self._parting.begin([s.uuid for s in states if s.alive])
        for state in states:
            state.peer = ""
            if state.uuid in self._parted and state.alive:
                self._node.switch.setvar(state.uuid, "force_transfer_context", "")  # his timer means the context it names
            elif state.direction == "in":
                self._parted.add(state.uuid)
        self._node.switch.part(one.id)
        if self._call.party in (one, other):
            self._node.guard(self._call, armed=True)

    def is_free(self, leg_uuid: str) -> None:
        """The leg has parked, or is over."""
        self._parting.is_free(leg_uuid)

    def bridge(self, one: Leg, other: Leg) -> None:
        """Have the switch join them as soon as both are free."""
        self._call.joins.ordered(one.id, other.id)
        self._parting.when_parked({one.id, other.id}, lambda: self._node.switch.bridge(one.id, other.id))

    def restore_context(self, leg: Leg) -> None:
        """Before a talk: a phone that transfers a caller whom we have parted means numbers that phones dial."""
        if leg.id in self._parted:
            self._node.switch.setvar(leg.id, "force_transfer_context", "from-phone")

    # -- what they hear meanwhile --------------------------------------------------------------------------------------------

    def hold(self, leg: Leg, music: Sound | None) -> None:
        own = self._call.snapshot.sound(self._call.snapshot.account.hold_music)
        chosen = music or own
        path = self._node.path_on_switch(chosen.path) if chosen else SWITCH_MUSIC
        self._parting.when_parked({leg.id}, lambda: self._plays(leg, path))

    def _plays(self, leg: Leg, path: str) -> None:
        if leg == self._call.party:  # perhaps since a moment ago
            self._playing.background(leg, path, loop=True)
        else:
            self._music[leg.id] = self._node.switch.playback(leg.id, path, loop=True)

    def tell(self, leg: Leg, sound: Sound) -> None:
        self._parting.when_parked({leg.id}, lambda: self._node.switch.broadcast(leg.id, self._node.path_on_switch(sound.path)))

    def off_hold(self, leg: Leg) -> str:
        """Its music is no longer this room's; the id of the playback, "" when it hears none."""
        return self._music.pop(leg.id, "")

    # -- who stays when others go --------------------------------------------------------------------------------------------

    def outlive(self, *legs: Leg) -> None:
        call = self._call
        before, self._outliving = self._outliving, legs
        for leg in {*before, *legs}:
            if leg != call.party and call.legs[leg.id].alive and (leg in legs) != (leg in before):
                self._node.switch.setvar(leg.id, "park_after_bridge", "true" if leg in legs else "")
        served = call.legs.get(call.party.id)
        lifted = served is not None and served.leg in before and served.leg not in legs
        if served is not None and lifted and not served.alive and not call.joins.holds_back(served):
            call.party_left()  # while it was no reason to go: who lets it be one again has not heard of it

    def outlives(self, leg_uuid: str) -> bool:
        return any(leg.id == leg_uuid for leg in self._outliving)

    @property
    def consults(self) -> bool:
        """Two talk while a third waits for one of them."""
        return len(self._outliving) > 1
