# SPDX-License-Identifier: Apache-2.0
"""Legs that change calls: phones that take a place in another call, transfers with consultation, pickup."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from engine import clock
from engine.calls.call import Leg
from engine.calls.leg import LegState
from engine.calls.live import LiveCall
from engine.calls.marks import key_filter
from engine.calls.reception import Reception, Rejection
from engine.errors import SwitchError
from engine.esl.event import Event
from engine.snapshot import Ref

if TYPE_CHECKING:
    from engine.calls.node import Node

log = logging.getLogger(__name__)

LINGER_SECONDS = 10.0
"""How long a consultation may take to end once the switch has joined its parties."""


class Crossings:
    """Implements engine.calls.surroundings.Crossings. Of one node."""

    def __init__(self, node: Node, reception: Reception) -> None:
        self._node = node
        self._reception = reception

    def joined(self, call: LiveCall, event: Event) -> bool:
        """The switch has joined a leg of this call with another leg. False when that is its own matter.

        Legs of two calls become the call whose served party is one of them, or who consults there.
        """
        by_leg = self._node.by_leg
        if event.other_uuid and event.other_uuid not in by_leg:
            self.newcomer(call, event.uuid, event.other_uuid)
        other = by_leg.get(event.other_uuid)
        if other is None or other is call:
            return False
        sides = [(call, event.uuid, event.other_uuid), (other, event.other_uuid, event.uuid)]
        for owner, mine, theirs in sorted(sides, key=lambda side: (not side[0].expects(side[1]), side[0].party.id == side[1])):
            if by_leg.get(mine) is not by_leg.get(theirs):
                owner.joins.seen(mine, theirs)
        return True

    def newcomer(self, call: LiveCall, mine: str, stranger: str) -> None:
        """The switch has joined a leg of this call with one that never parked: a phone has taken a place (INVITE with Replaces)."""

        async def ask() -> None:
            try:
                dump = await self._node.switch.dump(stranger)
            except (SwitchError, TimeoutError) as error:
                log.warning("nothing is known of the channel %s: %s", stranger, error, extra={"call": call.id})
                return
            if dump is None or dump.direction != "inbound" or stranger in self._node.by_leg or call.gone:
                return
            admitted = self._reception.admit(dump)
            if isinstance(admitted, Rejection) or admitted.snapshot.account.id != call.snapshot.account.id:
                return
            state = LegState(admitted.leg, "in", "member", dump.created_at or clock.now(), number=admitted.leg.label)
            state.answered_at = dump.answered_at or clock.now()
            state.ready = True
            if filtered := key_filter(call.snapshot, admitted.leg):
                self._node.switch.setvar_multi(stranger, filtered)
            self._node.enrol(call, state)
            call.take_over(state)
            self._node.journal_leg(call, state)
            call.joins.seen(mine, stranger)

        asking = asyncio.create_task(ask(), name=f"newcomer to {call.id}")
        self._node.tasks.add(asking)
        asking.add_done_callback(self._node.tasks.discard)

    def adopt(self, call: LiveCall, leg_uuid: str) -> LegState | None:
        other = self._node.by_leg.get(leg_uuid)
        if other is None or other is call:
            return None
        if leg_uuid == other.party.id:
            self._node.guards.disarm(other)
        state = other.give_up(leg_uuid)
        if state is not None:
            self._node.left(other, state)
            self._node.enrol(call, state)
            call.take_over(state)
            self._node.journal_leg(other, other.legs[leg_uuid])
            self._node.journal_leg(call, state)
        return state

    def after_consultation(self, call: LiveCall, by: Leg, number: str, then: Callable[[], None]) -> None:
        """Run `then` when the call that `by` has made to `number` is over; now, when there is none.

        It may have been answered at this very moment: the switch, which had not joined it yet, ends it all the same.
        """
        made = (c for c in self._node.calls.values() if c is not call and c.party.contact == by.contact and c.caller.dialled == number)
        consultation = next(made, None) if by.contact else None
        if consultation is None:
            then()
            return
        over = asyncio.create_task(self._over(consultation), name=f"transfer of {call.id}")
        self._node.tasks.add(over)
        over.add_done_callback(self._node.tasks.discard)
        over.add_done_callback(lambda task: None if task.cancelled() else then())

    async def _over(self, call: LiveCall) -> None:
        try:
            async with asyncio.timeout(LINGER_SECONDS):
                await call.over.wait()
        except TimeoutError:
            log.warning("call %s should have ended with its transfer", call.id)

    def pick_up(self, picker: LiveCall, groups: Collection[Ref]) -> bool:
        """The one of this customer's calls that has waited longest; its phones are told “answered elsewhere” when the two are joined."""
        waiting = [c for c in self._node.calls.values() if c is not picker and c.snapshot.account.id == picker.snapshot.account.id]
        rings = [(c.started_at, c, leg) for c in waiting if (leg := c.rings_in(groups)) is not None]
        if not rings or picker.gone:
            return False
        _, target, leg = min(rings, key=lambda found: found[0])
        mine = picker.legs[picker.party.id]
        mine.reason, mine.group, mine.number = "member", leg.group, mine.leg.label
        expecting = target.expecting
        assert expecting is not None  # else nothing rings there
        if expecting.leg == target.party:  # else it waits while somebody consults
            self._node.guards.disarm(target)
            target.answer()
        self._node.guards.disarm(picker)
        picker.answer()
        self._node.switch.setvar(picker.party.id, "park_after_bridge", "")  # it is the served party no longer
        expecting.peer = picker.party.id  # nobody else picks this call up
        self._node.switch.bridge(expecting.uuid, picker.party.id)
        return True
