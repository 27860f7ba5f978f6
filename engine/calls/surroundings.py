# SPDX-License-Identifier: Apache-2.0
"""What a live call asks of the node it lives on."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from engine.calls.call import Callee, Leg, Presence, Step
from engine.calls.leg import LegState
from engine.calls.trunks import Route
from engine.esl.switch import Switch
from engine.facts import Fact
from engine.snapshot import Contact, Ref

if TYPE_CHECKING:
    from engine.calls.live import LiveCall


class Crossings(Protocol):
    """Implemented by engine.calls.crossings.Crossings."""

    def adopt(self, call: LiveCall, leg_uuid: str) -> LegState | None:
        """A leg of another call that the switch has joined to this one."""
    def after_consultation(self, call: LiveCall, by: Leg, number: str, then: Callable[[], None]) -> None:
        """Run `then` when the call that `by` has made to `number` is over; now, when there is none."""
    def pick_up(self, picker: LiveCall, groups: Collection[Ref]) -> bool:
        """Join the picker's party with the caller who has waited longest of those that ring in these groups; False: there is none."""


class Surroundings(Protocol):
    """Implemented by engine.calls.node.Node."""

    @property
    def switch(self) -> Switch: ...
    @property
    def crossings(self) -> Crossings: ...
    @property
    def early_media(self) -> bool: ...
    @property
    def takes_faxes(self) -> bool: ...
    def path_on_switch(self, sound_or_file: str) -> str: ...
    def routes(self, call: LiveCall, callee: Callee, caller_id: str | None, without: Collection[int] = ()) -> tuple[Route, ...]:
        """At least one; several when several phones share a login. `without`: trunks not to be tried."""
    def presence(self, call: LiveCall, contact: Contact) -> Presence: ...
    def mark_served(self, call: LiveCall, leg: Leg) -> None:
        """Write on the leg's channel that it is the served party: it parks after each bridge."""
    def enrol(self, call: LiveCall, state: LegState) -> None:
        """A leg belongs to this call from now on (again, when it moves between calls)."""
    def left(self, call: LiveCall, state: LegState) -> None:
        """A leg has ended."""
    def changed(self, call: LiveCall) -> None:
        """Something a live view or the journal should know."""
    def journal_step(self, call: LiveCall, at: datetime, step: Step) -> None: ...
    def journal_fact(self, call: LiveCall, fact: Fact) -> None: ...
    def journal_leg(self, call: LiveCall, state: LegState) -> None: ...
    def guard(self, call: LiveCall, armed: bool) -> None:
        """Arm or disarm the dead-man timer of the served party."""
