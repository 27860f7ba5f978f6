# SPDX-License-Identifier: Apache-2.0
"""After a (re)connect: what does the switch have, what do we know, and how do both become one again. Nothing is dropped, nothing twice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol

from msgspec.structs import replace

from engine import clock
from engine.calls import causes, leg_file
from engine.calls.call import Step
from engine.calls.journal import OpenCall
from engine.calls.last_steps import on_the_way
from engine.calls.leg import LegState
from engine.calls.live import LiveCall
from engine.calls.node import Node
from engine.calls.taking_up import Resumption, partner_of, scenario_of, transfer_of
from engine.calls.unheard import (
    BRIDGED_STATES,
    Taken,
    catch_up,
    hear_of_fax,
    hear_of_message,
    rejoin,
    sent_on,
)
from engine.errors import SwitchError
from engine.esl.event import Event
from engine.esl.switch import Row
from engine.snapshot import Snapshot

log = logging.getLogger(__name__)

SWEEP_EVERY_SECONDS = 30.0
RETRY_SECONDS = 0.5
"""When a sweep was broken off."""
AGAIN_SECONDS = 2.0
"""When a sweep has seen legs too young to be judged."""
NEW_LEG_SECONDS = 5.0
"""A leg younger than this may simply not be there yet; the next sweep looks again."""
LEG_FILE_DELAY_SECONDS = 0.3
"""The switch writes a leg's line a moment after the leg has left its table."""


class OpenCalls(Protocol):
    """The journal's memory of calls without an end, and when the engine that wrote them was last alive."""

    def open_calls(self) -> Collection[str]: ...
    def open_call(self, call_id: str) -> OpenCall:
        """Raises whatever is wrong with what was written."""
    def give_up(self, call_id: str, living: Collection[str]) -> bool:
        """Close a call that nobody can take up, if it is old and none of its legs is among the `living` ones."""
    def last_alive(self) -> datetime | None: ...


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
        self._left: set[str] | None = None
        """Calls of the last engine that were not taken up yet; None = not asked."""
        self._complained: set[str] = set()
        self._core = ""
        self._lock = asyncio.Lock()
        self._wake = asyncio.Event()
        self._due = 0.0
        self._again = False
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
        self._again = True
        self._sweep_in(0.0)

    def lost(self) -> None:
        """The connection went down: what happens from now on is not heard of."""
        self._seen_at = clock.now()

    @property
    def core_uuid(self) -> str:
        """Which run of the switch was swept last; "" before the first sweep."""
        return self._core

    async def keep_sweeping(self, swept: Callable[[], Awaitable[None]]) -> None:
        """Sweep after each (re)connect, and now and then in case an event was lost; runs as a task.

        `swept` follows each sweep; it may raise SwitchError.
        """
        loop = asyncio.get_running_loop()
        while True:
            while (left := self._due - loop.time()) > 0:
                self._wake.clear()
                try:
                    async with asyncio.timeout(left):
                        await self._wake.wait()
                except TimeoutError:
                    break
            self._due = loop.time() + SWEEP_EVERY_SECONDS
            if not self._node.switch.connected or not await self.sweep():
                continue
            if self._again:  # FreeSWITCH's table lags behind: a leg whose end was not heard may still have stood in it
                self._again = False
                self._sweep_in(AGAIN_SECONDS)
            try:
                await swept()
            except SwitchError as error:
                log.warning("what follows a sweep was broken off: %s", error)
                self._sweep_in(RETRY_SECONDS)

    def _sweep_in(self, seconds: float) -> None:
        self._due = min(self._due, asyncio.get_running_loop().time() + seconds)
        self._wake.set()

    async def sweep(self) -> bool:
        """Bring both worlds together. Idempotent. False when the switch went away or did not answer: it is swept again."""
        async with self._lock:
            try:
                await self._sweep()
            except (SwitchError, TimeoutError) as error:
                log.warning("sweep broken off: %s", error)
                self._sweep_in(RETRY_SECONDS)
                return False
            except Exception:
                self._sweep_in(RETRY_SECONDS)
                raise
        return True

    async def _sweep(self) -> None:
        switch, node = self._node.switch, self._node
        asked_at = clock.now()
        node.phones.load(await switch.show_registrations())
        node.phones.gateways = await switch.gateway_states()
        rows = {row["uuid"]: row for row in await switch.show_channels() if row.get("uuid")}
        core_uuid = await switch.core_uuid()
        another_switch = self._known_core() not in ("", core_uuid)
        if another_switch:
            level = logging.WARNING if node.calls or self._journal.open_calls() else logging.INFO  # nobody was on a call: no harm done
            log.log(level, "the switch was restarted: legs of its last run are over")
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
        await self._take_over(rows, lost_cause)
        if not self._first:
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
        self._sweep_in(AGAIN_SECONDS)
        return False

    def _known_core(self) -> str:
        """The Core-UUID of the switch's run that we knew last, in this life of ours or in the one before; "" at the very first start."""
        if self._core:
            return self._core
        try:
            return self._core_file.read_text("ascii").strip()
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            log.error("%s can't be read: %s", self._core_file, error)
            return ""

    def _remember_core(self, core_uuid: str) -> None:
        known, self._core = self._known_core(), core_uuid
        if core_uuid == known:
            return
        try:
            self._core_file.write_text(f"{core_uuid}\n", "ascii")
        except OSError as error:  # a full disk: calls are served all the same
            log.error("%s can't be written: %s", self._core_file, error)

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
            if state.leg == call.party and ended.fax_pages is not None:
                call.faxes.over(ended.fax_pages, ended.fax_complete)
            call.leg_over(state, ended.cause, at=ended.ended_at)
            return
        alive = [state.started_at, state.answered_at, self._journal.last_alive() if self._first else self._seen_at]
        since = max(at for at in alive if at is not None)
        step = Step("leg_lost", {"who": state.leg.label, "cause": lost_cause, "since": since.isoformat(), "until": now.isoformat()})
        call.note(step)
        call.leg_over(state, lost_cause, at=since, by=now)

    # -- after a broken connection ------------------------------------------------------------------------------------------

    async def _catch_up(self, rows: Mapping[str, Row]) -> None:
        """The channels are asked themselves: FreeSWITCH's table lags behind, and what happened just before the reconnect would be lost."""
        unheard, self._unheard = self._unheard, {}
        for call_id, playing in unheard.items():
            call = self._node.calls.get(call_id)
            if call is not None:
                catch_up(self._node, call, playing, await self._dumps(s.uuid for s in call.open_legs() if s.uuid in rows))

    async def _dumps(self, uuids: Iterable[str]) -> dict[str, Event]:
        """These channels as they are now; one that has gone is left out."""
        asked = list(uuids)
        found = await asyncio.gather(*map(self._node.switch.dump, asked))
        return {uuid: dump for uuid, dump in zip(asked, found, strict=True) if dump is not None}

    # -- after a restart of the engine --------------------------------------------------------------------------------------

    async def _take_over(self, rows: Mapping[str, Row], lost_cause: str) -> None:
        """Every call in the journal goes on or is closed. One that can't be taken up holds up no other; the next sweep tries again."""
        if self._left is None:
            self._left = set(self._journal.open_calls())
        known = {c.id: c for call_id in sorted(self._left) if (c := self._readable(call_id)) is not None}
        legs = [u for c in known.values() for u, s in c.legs.items() if s.alive and u not in rows]
        ended = await self._how_they_ended(legs)
        taken: dict[str, Taken] = {}
        try:
            for call_id in sorted(known.keys() - self._node.calls.keys()):
                try:
                    snapshot = self._snapshot(known[call_id].opening.account)
                    taken[call_id] = await self._take_up(known[call_id], snapshot, rows, ended, lost_cause)
                except (SwitchError, TimeoutError):
                    raise
                except Exception as error:  # noqa: BLE001 — one call's trouble is not that of the others
                    self._complain(call_id, error)
            rejoin(self._node, taken.values())
        except BaseException:
            for one in taken.values():
                self._node.disown(one.call)
            raise
        for call_id, one in taken.items():
            try:
                self._go_on(one.call, rows, one.dumps)
            except Exception as error:  # noqa: BLE001 — as above
                self._complain(call_id, error)
                self._node.disown(one.call)
        for call_id in sorted(self._left):
            if call_id in self._node.calls or self._journal.give_up(call_id, rows.keys()):
                self._left.discard(call_id)

    def _readable(self, call_id: str) -> OpenCall | None:
        try:
            return self._journal.open_call(call_id)
        except Exception as error:  # noqa: BLE001 — written by another version, or damaged
            self._complain(call_id, error)
            return None

    def _complain(self, call_id: str, error: Exception) -> None:
        if call_id not in self._complained:
            self._complained.add(call_id)
            log.error("the call can't be taken up yet: %s", error, exc_info=error, extra={"call": call_id})

    async def _take_up(
        self, known: OpenCall, snapshot: Snapshot, rows: Mapping[str, Row], ended: Mapping[str, leg_file.EndedLeg], lost_cause: str
    ) -> Taken:
        """The call as it is now, not yet served."""
        now = clock.now()
        party = known.legs.get(known.opening.party)
        call = LiveCall(self._node, snapshot, known.opening.caller, party, started_at=known.opening.started_at, id=known.id)
        call.id = known.id
        call.direction, call.ordered = known.opening.direction, known.opening.ordered
        call.legs, call.steps, call.facts = known.legs, known.steps, known.facts
        call.messages.restore(call.steps)
        call.faxes.restore(call.steps)
        self._node.adopt_call(call)  # before anything is asked, so that no event is missed meanwhile
        try:
            dumps = await self._dumps(s.uuid for s in call.open_legs() if s.uuid in rows)
            vanished = [s.uuid for s in call.open_legs() if s.uuid in rows and s.uuid not in dumps]
            ended = {**ended, **await self._how_they_ended(vanished)}
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
        except BaseException:
            self._node.disown(call)
            raise
        return Taken(call, dumps)

    def _go_on(self, call: LiveCall, rows: Mapping[str, Row], dumps: Mapping[str, Event]) -> None:
        call.note(Step("engine_restarted"))
        party = call.legs.get(call.party.id)
        sent = sent_on(call, dumps)
        if sent is not None:
            call.joins.dealt_with(dumps[sent[0].uuid].transfer_source)
            self._node.run(call, transfer_of(call, self._desk, *sent))
            return
        other = partner_of(call, party)
        if party is not None and party.uuid in dumps:
            hear_of_message(call, dumps[party.uuid])
            hear_of_fax(call, dumps[party.uuid])
        plays = party is not None and party.uuid in rows and rows[party.uuid].get("application") not in ("", "park")
        if party is not None and other is None and plays and not call.messages.running and not call.faxes.running:
            self._node.switch.break_(party.uuid)  # what an engine that is gone was playing
        if other is not None and rows.get(other.uuid, {}).get("callstate") == "HELD":
            call.feed(replace(dumps[other.uuid], name="CHANNEL_HOLD"), other)
        if on_the_way(call) is not None:
            for state in call.open_legs():  # whoever a phone has transferred meanwhile has a timer, which would tear the next talk apart
                self._node.switch.stop_timers(state.uuid)
        self._node.run(call, scenario_of(call, self._desk, party, other))

    async def _unclaimed(self, rows: Mapping[str, Row]) -> None:
        """Callers who parked while nobody listened, or whom an engine had claimed when it died."""
        for uuid, row in rows.items():
            if row.get("direction") != "inbound" or row.get("application") != "park" or self._node.call_of(uuid):
                continue
            dump = await self._node.switch.dump(uuid)
            if dump is not None and dump.answer_state != "hangup" and not dump.vats_call and not self._node.call_of(uuid):
                # no other engine serves this node, so whoever deleted his timer does not serve him: an engine that died, or this
                # one, when the connection broke before the switch's answer to the claim
                self._node.on_parked(dump, abandoned=True)
