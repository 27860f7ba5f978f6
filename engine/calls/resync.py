# SPDX-License-Identifier: Apache-2.0
"""After a (re)connect: what does the switch have, what do we know, and how do both become one again. Nothing is dropped, nothing twice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol

from engine import clock
from engine.calls import causes, leg_file
from engine.calls.call import Leg, Step
from engine.calls.journal import OpenCall
from engine.calls.leg import LegState
from engine.calls.live import LiveCall
from engine.calls.node import Node, Verdict
from engine.errors import SwitchError, VatsError
from engine.esl.event import Event
from engine.esl.switch import Row
from engine.snapshot import Ref, Snapshot

log = logging.getLogger(__name__)

SWEEP_EVERY_SECONDS = 30.0
NEW_LEG_SECONDS = 5.0
"""A leg younger than this may simply not be there yet; the next sweep looks again."""


class OpenCalls(Protocol):
    """The journal's memory of calls without an end, and when the engine that wrote them was last alive."""

    def open_calls(self) -> Mapping[str, OpenCall]: ...
    def last_alive(self) -> datetime | None: ...


class Resumption(Protocol):
    """Routing, as a resumed call sees it."""

    async def resume(self, call: LiveCall, at: Ref | None, talking_with: Leg | None) -> Verdict: ...


class Resync:
    def __init__(
        self, node: Node, desk: Resumption, journal: OpenCalls, snapshot: Callable[[int], Snapshot], legs_file: Path
    ) -> None:
        self._node, self._desk, self._journal = node, desk, journal
        self._snapshot, self._legs_file = snapshot, legs_file
        self._core_uuid = ""
        self._first = True
        self._lock = asyncio.Lock()
        self.swept = asyncio.Event()

    async def keep_sweeping(self) -> None:
        """Sweep now and then, in case an event was lost; runs as a task."""
        while True:
            await asyncio.sleep(SWEEP_EVERY_SECONDS)
            if self._node.switch.connected:
                await self.sweep()

    async def sweep(self) -> None:
        """Bring both worlds together. Idempotent; a switch that goes away meanwhile is swept after its return."""
        async with self._lock:
            try:
                await self._sweep()
            except (SwitchError, TimeoutError) as error:
                log.warning("sweep broken off: %s", error)
                return
        self.swept.set()

    async def _sweep(self) -> None:
        switch, node = self._node.switch, self._node
        asked_at = clock.now()
        node.load_registrations([*await switch.show_registrations()])
        rows = {row["uuid"]: row for row in await switch.show_channels() if row.get("uuid")}
        another_switch = await self._is_another_switch()
        lost_cause = causes.SWITCH_LOST if another_switch else causes.ENGINE_LOST
        missing = [
            (call, state)
            for call in list(node.calls.values())
            for state in call.open_legs()
            if state.uuid not in rows and (asked_at - state.started_at).total_seconds() > (0 if another_switch else NEW_LEG_SECONDS)
        ]
        known = await self._how_they_ended([s.uuid for _, s in missing])
        for call, state in missing:
            self._close_leg(call, state, known.get(state.uuid), lost_cause, asked_at)
        if self._first:
            await self._take_over(rows, lost_cause)
            self._first = False
        await self._unclaimed(rows)

    async def _is_another_switch(self) -> bool:
        """Whether the switch has been restarted since we last looked (another Core-UUID)."""
        core_uuid = (await self._node.switch.ask("global_getvar core_uuid")).strip()
        before, self._core_uuid = self._core_uuid or core_uuid, core_uuid
        return core_uuid != before

    async def _how_they_ended(self, uuids: list[str]) -> dict[str, leg_file.EndedLeg]:
        return await asyncio.to_thread(leg_file.read, self._legs_file, frozenset(uuids)) if uuids else {}

    def _close_leg(
        self, call: LiveCall, state: LegState, ended: leg_file.EndedLeg | None, lost_cause: str, now: datetime
    ) -> None:
        if ended is not None:
            if state.answered_at is None:
                state.answered_at = ended.answered_at
            call.leg_over(state, ended.cause, at=ended.ended_at)
            return
        since = self._journal.last_alive() or state.started_at
        call.note(Step("leg_lost", {"who": state.leg.label, "cause": lost_cause}))
        call.leg_over(state, lost_cause, at=since, by=now)

    # -- after a restart of the engine --------------------------------------------------------------------------------------

    async def _take_over(self, rows: Mapping[str, Row], lost_cause: str) -> None:
        """Every call in the journal goes on or is closed."""
        open_calls = self._journal.open_calls()
        legs = [u for c in open_calls.values() for u, s in c.legs.items() if s.alive and u not in rows]
        ended = await self._how_they_ended(legs)
        for open_call in open_calls.values():
            if open_call.id in self._node.calls:
                continue
            try:
                snapshot = self._snapshot(open_call.opening.account)
            except VatsError as error:
                log.error("call %s can't be taken up: %s", open_call.id, error)
                continue
            await self._take_up(open_call, snapshot, rows, ended, lost_cause)

    async def _take_up(
        self, known: OpenCall, snapshot: Snapshot, rows: Mapping[str, Row], ended: Mapping[str, leg_file.EndedLeg], lost_cause: str
    ) -> None:
        now = clock.now()
        party = known.legs.get(known.opening.party)
        call = LiveCall(self._node, snapshot, known.opening.caller, party, started_at=known.opening.started_at, id=known.id)
        call.id = known.id
        call.direction = known.opening.direction
        call.legs, call.steps, call.facts = known.legs, known.steps, known.facts
        self._node.adopt_call(call)
        dumps: dict[str, Event] = {}
        for state in [s for s in known.legs.values() if s.alive]:
            if state.uuid in rows and (dump := await self._node.switch.dump(state.uuid)) is not None:
                dumps[state.uuid] = dump
                state.answered_at = state.answered_at or dump.answered_at
                state.ready = state.answered_at is not None
                state.peer = rows[state.uuid].get("call_uuid", "") if rows[state.uuid].get("state") in BRIDGED_STATES else ""
            else:
                self._close_leg(call, state, ended.get(state.uuid), lost_cause, now)
        call.restore_talk()
        call.note(Step("engine_restarted"))
        at = dumps[party.uuid].vats_at if party is not None and party.uuid in dumps else ""
        self._node.run(call, self._scenario(call, party, at))

    def _scenario(self, call: LiveCall, party: LegState | None, at: str) -> Callable[[LiveCall], Awaitable[Verdict]]:
        async def gone(call: LiveCall) -> Verdict:
            return Verdict()

        if party is None or not party.alive:
            call.gone = True
            return gone
        other = next((s for s in call.open_legs() if s is not party and (s.peer == party.uuid or party.peer == s.uuid)), None)
        if other is not None:
            party.peer, other.peer = other.uuid, party.uuid
        for state in call.open_legs():
            if state not in (party, other):  # it rang for a distribution that is gone; the caller begins anew at his place
                self._node.switch.kill(state.uuid, causes.ORIGINATOR_CANCEL)
                state.released = True
        target = Ref.parse(at) if ":" in at else None
        return lambda call: self._desk.resume(call, target, other.leg if other is not None else None)

    async def _unclaimed(self, rows: Mapping[str, Row]) -> None:
        """Callers who parked while nobody listened."""
        for uuid, row in rows.items():
            if row.get("direction") != "inbound" or row.get("application") != "park" or self._node.call_of(uuid):
                continue
            dump = await self._node.switch.dump(uuid)
            if dump is not None and not dump.vats_call:
                self._node.on_parked(dump)


BRIDGED_STATES = ("CS_EXCHANGE_MEDIA", "CS_SOFT_EXECUTE", "CS_HIBERNATE")
