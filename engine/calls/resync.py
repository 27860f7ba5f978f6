# SPDX-License-Identifier: Apache-2.0
"""After a (re)connect: what does the switch have, what do we know, and how do both become one again. Nothing is dropped, nothing twice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from engine import clock
from engine.calls import causes, leg_file
from engine.calls.call import Leg, Step
from engine.calls.journal import OpenCall
from engine.calls.leg import LegState
from engine.calls.live import LiveCall
from engine.calls.node import Node
from engine.calls.reception import Verdict
from engine.errors import SwitchError, VatsError
from engine.esl.event import Event
from engine.esl.switch import Row
from engine.snapshot import Ref, Snapshot

log = logging.getLogger(__name__)

SWEEP_EVERY_SECONDS = 30.0
AGAIN_SECONDS = 2.0
"""When a sweep was broken off, or has seen legs too young to be judged."""
NEW_LEG_SECONDS = 5.0
"""A leg younger than this may simply not be there yet; the next sweep looks again."""
LEG_FILE_DELAY_SECONDS = 0.3
"""The switch writes a leg's line a moment after the leg has left its table."""
BRIDGED_STATES = ("CS_EXCHANGE_MEDIA", "CS_SOFT_EXECUTE", "CS_HIBERNATE")


class OpenCalls(Protocol):
    """The journal's memory of calls without an end, and when the engine that wrote them was last alive."""

    def open_calls(self) -> Mapping[str, OpenCall]: ...
    def last_alive(self) -> datetime | None: ...


class Resumption(Protocol):
    """Routing, as a resumed call sees it."""

    async def resume(self, call: LiveCall, at: Ref | None, talking_with: Leg | None) -> Verdict: ...
    def left(self, call: LiveCall) -> None:
        """The caller has gone from where he was while nobody listened: state what that means (R1)."""


class Resync:
    """`legs_file` is the switch's own list of ended legs; `core_file` remembers which run of the switch we knew (its Core-UUID)."""

    def __init__(
        self,
        node: Node,
        desk: Resumption,
        journal: OpenCalls,
        snapshot: Callable[[int], Snapshot],
        legs_file: Path,
        core_file: Path,
    ) -> None:
        self._node, self._desk, self._journal = node, desk, journal
        self._snapshot, self._legs_file, self._core_file = snapshot, legs_file, core_file
        self._first = True
        self._lock = asyncio.Lock()
        self._soon = asyncio.Event()
        self._connected_at: datetime | None = None
        self._seen_at: datetime | None = None
        """Until then nothing could have escaped us."""
        self._unheard: dict[str, frozenset[str]] = {}
        """Playbacks by call whose end may have come while the connection was down."""

    # -- when ------------------------------------------------------------------------------------------------------------------

    def connected(self) -> None:
        """The connection is up (again)."""
        self._connected_at = clock.now()
        self._unheard = {} if self._first else {c.id: c.playing for c in self._node.calls.values()}
        self._soon.set()  # FreeSWITCH's table lags behind: a leg whose end was not heard may still stand in it now

    def lost(self) -> None:
        """The connection went down: what happens from now on is not heard of."""
        self._seen_at = clock.now()

    async def keep_sweeping(self) -> None:
        """Sweep now and then, in case an event was lost; runs as a task."""
        pause = SWEEP_EVERY_SECONDS
        while True:
            try:
                async with asyncio.timeout(pause):
                    await self._soon.wait()
                self._soon.clear()
                await asyncio.sleep(AGAIN_SECONDS)
            except TimeoutError:
                pass
            if self._node.switch.connected:
                await self.sweep()

    async def sweep(self) -> bool:
        """Bring both worlds together. Idempotent. False when the switch went away or did not answer: it is swept again."""
        async with self._lock:
            try:
                await self._sweep()
            except (SwitchError, TimeoutError) as error:
                log.warning("sweep broken off: %s", error)
                self._soon.set()
                return False
        return True

    async def _sweep(self) -> None:
        switch, node = self._node.switch, self._node
        asked_at = clock.now()
        node.phones.load(await switch.show_registrations())
        rows = {row["uuid"]: row for row in await switch.show_channels() if row.get("uuid")}
        core_uuid = await switch.core_uuid()
        another_switch = self._known_core() not in ("", core_uuid)
        if another_switch:
            log.warning("the switch was restarted: legs of its last run are over")
        lost_cause = causes.SWITCH_LOST if another_switch else causes.ENGINE_LOST
        gone = [
            (call, state)
            for call in list(node.calls.values())
            for state in call.open_legs()
            if state.uuid not in rows and self._may_be_judged(state, asked_at, another_switch)
        ]
        known = await self._how_they_ended([s.uuid for _, s in gone])
        for call, state in gone:
            self._close_leg(call, state, known.get(state.uuid), lost_cause, asked_at)
        if self._first:
            await self._take_over(rows, lost_cause)
        else:
            await self._catch_up(rows)
        await self._unclaimed(rows)
        self._first = False
        self._seen_at = asked_at
        self._remember_core(core_uuid)

    def _may_be_judged(self, state: LegState, asked_at: datetime, another_switch: bool) -> bool:
        if another_switch and self._connected_at is not None and state.started_at < self._connected_at:
            return True
        if (asked_at - state.started_at).total_seconds() > NEW_LEG_SECONDS:
            return True
        self._soon.set()
        return False

    def _known_core(self) -> str:
        """The Core-UUID of the switch's run that we knew last, in this life of ours or in the one before; "" at the very first start."""
        try:
            return self._core_file.read_text("ascii").strip()
        except FileNotFoundError:
            return ""

    def _remember_core(self, core_uuid: str) -> None:
        if core_uuid != self._known_core():
            self._core_file.write_text(f"{core_uuid}\n", "ascii")

    async def _how_they_ended(self, uuids: Collection[str]) -> dict[str, leg_file.EndedLeg]:
        if not uuids:
            return {}
        found = await asyncio.to_thread(leg_file.read, self._legs_file, frozenset(uuids))
        if len(found) < len(uuids):
            await asyncio.sleep(LEG_FILE_DELAY_SECONDS)
            found = await asyncio.to_thread(leg_file.read, self._legs_file, frozenset(uuids))
        return found

    def _close_leg(self, call: LiveCall, state: LegState, ended: leg_file.EndedLeg | None, lost_cause: str, now: datetime) -> None:
        """It is over: as the switch has written down, else at some time between the last we heard and now."""
        if ended is not None:
            if state.answered_at is None:
                state.answered_at = ended.answered_at
            call.leg_over(state, ended.cause, at=ended.ended_at)
            return
        alive = [state.started_at, state.answered_at, self._journal.last_alive() if self._first else self._seen_at]
        since = max(at for at in alive if at is not None)
        step = Step("leg_lost", {"who": state.leg.label, "cause": lost_cause, "since": since.isoformat(), "until": now.isoformat()})
        call.note(step)
        call.leg_over(state, lost_cause, at=since, by=now)

    # -- after a broken connection ------------------------------------------------------------------------------------------

    async def _catch_up(self, rows: Mapping[str, Row]) -> None:
        """What a lost connection has kept from us or from the switch: answers, ends of playbacks, orders."""
        unheard, self._unheard = self._unheard, {}
        for call_id, playing in unheard.items():
            call = self._node.calls.get(call_id)
            if call is None:
                continue
            for state in call.open_legs():
                parked = rows.get(state.uuid, {}).get("application") == "park"
                if state.released and state.uuid in rows:
                    self._node.switch.kill(state.uuid)
                elif state.direction == "out" and not state.ready and parked and state.leg != call.party:
                    dump = await self._node.switch.dump(state.uuid)
                    if dump is not None:
                        for name in ("CHANNEL_ANSWER", "CHANNEL_PARK"):
                            call.feed(replace(dump, name=name), state)
                elif state.leg == call.party and state.uuid in rows:
                    call.expect_end(playing)
                    if state.peer in rows and not {rows[u].get("state") for u in (state.uuid, state.peer)} & set(BRIDGED_STATES):
                        self._node.switch.bridge(state.uuid, state.peer)

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
        self._node.adopt_call(call)  # before anything is asked, so that no event is missed meanwhile
        dumps: dict[str, Event] = {}
        try:
            for state in [s for s in call.open_legs() if s.uuid in rows]:
                dump = await self._node.switch.dump(state.uuid)
                if dump is not None:
                    dumps[state.uuid] = dump
            vanished = [s.uuid for s in call.open_legs() if s.uuid in rows and s.uuid not in dumps]
            ended = {**ended, **await self._how_they_ended(vanished)}
        except (SwitchError, TimeoutError):
            self._node.disown(call)
            raise
        for state in call.open_legs():
            dump = dumps.get(state.uuid)
            if dump is None:
                self._close_leg(call, state, ended.get(state.uuid), lost_cause, now)
                continue
            row = rows[state.uuid]
            state.answered_at = state.answered_at or dump.answered_at
            state.ready = state.answered_at is not None
            state.peer = row.get("call_uuid", "") if row.get("state") in BRIDGED_STATES else ""
        call.restore_talk()
        call.note(Step("engine_restarted"))
        other = self._partner(call, party)
        if party is not None and other is None and party.uuid in rows and rows[party.uuid].get("application") not in ("", "park"):
            self._node.switch.break_(party.uuid)  # what an engine that is gone was playing
        if other is not None and rows.get(other.uuid, {}).get("callstate") == "HELD":
            call.feed(replace(dumps[other.uuid], name="CHANNEL_HOLD"), other)
        self._node.run(call, self._scenario(call, party, other))

    def _partner(self, call: LiveCall, party: LegState | None) -> LegState | None:
        """The leg that the served party talks with now."""
        if party is None or not party.alive:
            return None
        other = next((s for s in call.open_legs() if s is not party and (s.peer == party.uuid or party.peer == s.uuid)), None)
        if other is None:
            party.peer = ""
        else:
            party.peer, other.peer = other.uuid, party.uuid
        return other

    def _scenario(
        self, call: LiveCall, party: LegState | None, other: LegState | None
    ) -> Callable[[LiveCall], Awaitable[Verdict]]:
        async def over(call: LiveCall) -> Verdict:
            return Verdict(causes.NORMAL_CLEARING)

        if party is None or not party.alive:
            call.gone = True
            self._desk.left(call)
            return over
        for state in call.open_legs():
            if state not in (party, other):  # it rang for a distribution that is gone; the caller begins anew at his place
                self._node.switch.kill(state.uuid, causes.ORIGINATOR_CANCEL)
                state.released = True
                call.leg_over(state, causes.ORIGINATOR_CANCEL)  # at once: his line is free to be rung again
        if other is None and (ended := talk_ended(call)) is not None:
            call.note(Step("talk_over", {"who": ended.leg.label, "cause": ended.cause}))
            return over
        at = next((s.target for _, s in reversed(call.steps) if s.what == "enters"), None)
        return lambda call: self._desk.resume(call, at, other.leg if other is not None else None)

    async def _unclaimed(self, rows: Mapping[str, Row]) -> None:
        """Callers who parked while nobody listened, or whom an engine had claimed when it died."""
        for uuid, row in rows.items():
            if row.get("direction") != "inbound" or row.get("application") != "park" or self._node.call_of(uuid):
                continue
            dump = await self._node.switch.dump(uuid)
            if dump is not None and not dump.vats_call and not self._node.call_of(uuid):
                self._node.on_parked(dump, abandoned=self._first)


def talk_ended(call: LiveCall) -> LegState | None:
    """With whom the caller talked when the last engine died, if that party has gone since: nothing is left to do for the caller."""
    telling = ("talk", "talk_over", "transfer_asked", "hold_expired", "enters")
    last = next((s.what for _, s in reversed(call.steps) if s.what in telling), "")
    with_whom = call.talked_with
    return with_whom if last == "talk" and with_whom is not None and not with_whom.alive else None
