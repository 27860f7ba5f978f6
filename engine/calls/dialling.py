# SPDX-License-Identifier: Apache-2.0
"""The legs a call rings: who is dialled by which line, the next line when one fails (R16), and how long each rings (R10)."""

from __future__ import annotations

import asyncio
import math
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.calls.call import NOBODY, Callee, Leg, Step
from engine.calls.causes import LINE_CAUSES, LINE_REFUSALS, NO_ANSWER
from engine.calls.leg import LegState
from engine.calls.marks import marks
from engine.calls.surroundings import Surroundings
from engine.calls.trunks import Route

if TYPE_CHECKING:
    from engine.calls.live import LiveCall


@dataclass(frozen=True, slots=True)
class _Dialled:
    """A leg by a line: what it takes to try the next one, and which have failed before."""

    callee: Callee
    caller_id: str | None
    failed: frozenset[int]


class Dialling:
    """Of one call."""

    def __init__(self, call: LiveCall, node: Surroundings) -> None:
        self._call, self._node = call, node
        self._by_line: dict[str, _Dialled] = {}
        self._ring_ends: dict[str, asyncio.TimerHandle] = {}

    def dial(self, callee: Callee, caller_id: str | None) -> tuple[Leg, ...]:
        return tuple(self._dial(callee, route, caller_id) for route in self._node.routes(self._call, callee, caller_id))

    def dial_instead(self, leg: Leg) -> Leg | None:
        call = self._call
        state, dialled = call.legs.get(leg.id), self._by_line.pop(leg.id, None)
        if state is None or state.trunk is None or dialled is None or state.alerting or state.answered_at is not None:
            return None
        if state.cause not in LINE_CAUSES and state.refused_with not in LINE_REFUSALS:
            return None
        failed = dialled.failed | {state.trunk}
        (route,) = self._node.routes(call, dialled.callee, dialled.caller_id, failed)
        if route.refusal:
            return None
        line = call.snapshot.trunks.get(state.trunk)
        call.note(Step("line_failed", {"who": leg.label, "line": line.title if line else "", "cause": state.cause}))
        return self._dial(dialled.callee, route, dialled.caller_id, failed)

    def rings_no_more(self, state: LegState) -> None:
        """The leg was answered, or is over."""
        timer = self._ring_ends.pop(state.uuid, None)
        if timer is not None:
            timer.cancel()

    def _dial(self, callee: Callee, route: Route, caller_id: str | None, failed: frozenset[int] = frozenset()) -> Leg:
        call, contact, loop = self._call, callee.contact, asyncio.get_running_loop()
        external = contact is None or contact.kind == "phone"
        leg = Leg(str(uuid.uuid4()), callee.label, callee.user.id if callee.user else None, contact.id if contact else None, external)
        state = LegState(leg, "out", callee.reason, call.now, route.trunk, callee.group, callee.number or callee.label)
        if route.trunk is not None:
            self._by_line[leg.id] = _Dialled(callee, caller_id, failed)
        call.enlist(state)
        if route.refusal:
            loop.call_soon(call.leg_over, state, route.refusal)
            return leg
        seconds = callee.timeout.total_seconds()
        values = {
            **marks(self._node, call, leg, "b"),
            "vats_contact": str(leg.contact or 0),
            "origination_caller_id_number": route.caller_number,
            "origination_caller_id_name": route.caller_name or route.caller_number,
            "ignore_early_media": str(not callee.heard_early).lower(),
            "originate_timeout": str(math.ceil(seconds) + 1),
            "force_transfer_context": "from-phone",
        }
        if call.party != NOBODY:  # whoever answers first is served where he is parked, for as long as others ring
            # nobody takes over an answered B when the engine dies before the bridge: it ends by itself
            values["park_timeout"] = f"10:{NO_ANSWER}"
        self._node.switch.originate(leg.id, route.dial_string, values)
        # by our own clock: FreeSWITCH rings up to a second less than it is told, and is told more, for when no engine runs
        self._ring_ends[leg.id] = loop.call_later(seconds, self._rung_out, state)
        return leg

    def _rung_out(self, state: LegState) -> None:
        if state.alive and not state.released:
            self._node.switch.kill(state.uuid, NO_ANSWER)
