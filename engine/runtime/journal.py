# SPDX-License-Identifier: Apache-2.0
"""Calls into the spool while they happen, and out of it after a restart; from there the writer takes them to the database."""

from __future__ import annotations

import asyncio
import logging
import wave
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from msgspec.structs import replace

from engine import clock
from engine.calls import causes
from engine.calls.call import Leg, LegReason, Recording, Step
from engine.calls.cdr import ended_fact, summarise
from engine.calls.journal import OpenCall, Opening, opening
from engine.calls.leg import LegState
from engine.calls.live import LiveCall
from engine.db import Database, is_away
from engine.facts import Fact
from engine.facts.record import CallRecordData, LegData, RecordingData, TraceStep
from engine.facts.spool import OpenCall as SpooledCall
from engine.facts.spool import Spool, held
from engine.facts.writer import FactWriter, Subscriber
from engine.settings import Settings
from engine.snapshot import Element, Ref

log = logging.getLogger(__name__)

GIVE_UP_AFTER = timedelta(days=1)
BEAT_SECONDS = 1.0


def engine_runs(settings: Settings) -> bool:
    """Whether an engine of this installation is running, in this process or another."""
    return held(settings.state / "spool")


class SpoolJournal:
    """Implements engine.calls.journal.Journal and engine.calls.resync.OpenCalls. `open` before the first call."""

    def __init__(
        self, db: Database, settings: Settings, subscribers: Sequence[Subscriber], ring: Callable[[str, int], object]
    ) -> None:
        self._folder = settings.state / "spool"
        self._media_root = settings.media_root
        self._writer = FactWriter(db, subscribers, ring)
        self._spool: Spool | None = None
        self._described: dict[str, set[str]] = {}
        """Legs of open calls, by call, whose unchanging facts have been written."""

    @property
    def spool(self) -> Spool:
        if self._spool is None:
            raise RuntimeError("the journal is not open")
        return self._spool

    def open(self) -> None:
        """Raises SettingsError when another engine has it."""
        self._spool = Spool.open(self._folder)

    def close(self) -> None:
        if self._spool is not None:
            self._spool.close()
            self._spool = None

    async def run(self) -> None:
        """Write behind for ever; as a task."""
        try:
            await self._writer.retry_rejected(self.spool)
        except Exception as error:
            if not is_away(error):  # nothing that is wrong there may hold up the journal
                log.exception("what the database has refused can't be tried again")
            else:
                log.warning("database away: what it has refused is tried again later: %s", error)
        await self._writer.run(self.spool)

    async def stay_alive(self) -> None:
        """Leave signs of life for the next engine, for ever; a task of its own, since `run` waits for an absent database."""
        while True:
            self.spool.beat()
            await asyncio.sleep(BEAT_SECONDS)

    async def drained(self) -> None:
        """Wait until everything is in the database."""
        await self._writer.drain(self.spool)

    async def retry_failed(self) -> None:
        """Give records that the database and facts that their plugins could not write another chance; a job."""
        await self._writer.retry_rejected(self.spool)
        await self._writer.retry_failed()

    # -- while a call lives ---------------------------------------------------------------------------------------------------

    def opened(self, call: LiveCall) -> None:
        self.spool.opened(call.id, call.snapshot.account.id, call.started_at, msgspec.to_builtins(opening(call)))

    def step(self, call: LiveCall, at: datetime, step: Step) -> None:
        self.spool.step(call.id, trace_step(call.started_at, at, step))

    def leg(self, call: LiveCall, state: LegState) -> None:
        described = self._described.setdefault(call.id, set())
        if state.uuid not in described:  # its first line in this call: what never changes, and the record has no column for
            described.add(state.uuid)
            self.spool.noted(call.id, {f"leg:{state.uuid}": {"external": state.leg.external, "number": state.number}})
        if state.leg == call.party:
            self.spool.noted(call.id, {"party": state.uuid})
        self.spool.leg(call.id, leg_data(state))

    def fact(self, call: LiveCall, fact: Fact) -> None:
        self.spool.fact(fact)

    def ended(self, call: LiveCall, ended_at: datetime) -> None:
        summary = summarise(call, ended_at)
        snapshot = call.snapshot
        user = snapshot.users.get(summary.user or 0)
        group: Element | None = snapshot.element(summary.group) if summary.group else None
        record = CallRecordData(
            account=snapshot.account.id,
            call_id=call.id,
            started_at=call.started_at,
            answered_at=summary.answered_at,
            ended_at=ended_at,
            direction=call.direction,
            caller_number=call.caller.number,
            caller_name=call.caller.name,
            dialled=call.caller.dialled,
            did=call.caller.dialled if call.caller.trunk is not None else None,
            user=summary.user,
            user_title=user.title if user else "",
            group=summary.group,
            group_title=group.title if group else None,
            cause=summary.cause,
            talk_seconds=summary.talk_seconds,
            wait_seconds=summary.wait_seconds,
            missed=summary.missed,
            missed_why=summary.missed_why,
            talked=summary.talked,
            trace=tuple(trace_step(call.started_at, at, step) for at, step in call.steps),
            revision=snapshot.revision,
            legs=tuple(leg_data(state, call.id) for state in call.legs.values()),
            recordings=tuple(self._recording(r, summary.user, summary.group) for r in call.recordings if summary.talked),
        )
        self.spool.ended(record, [ended_fact(call, summary, ended_at)])
        self._described.pop(call.id, None)

    def _recording(self, recording: Recording, user: int | None, group: Ref | None) -> RecordingData:
        return RecordingData(path=recording.path, seconds=seconds_of(self._media_root / recording.path), user=user, group=group)

    # -- after a restart ------------------------------------------------------------------------------------------------------

    def open_calls(self) -> Collection[str]:
        return list(self.spool.recovered)

    def open_call(self, call_id: str) -> OpenCall:
        """Raises ValueError, TypeError or msgspec.ValidationError when another version has written it."""
        return _revived(self.spool.recovered[call_id])

    def give_up(self, call_id: str, living: Collection[str]) -> bool:
        """Close a call of an earlier engine that could not be taken up for a day, as far as it is known, unless a leg still lives."""
        call = self.spool.recovered.get(call_id)
        if call is None:
            return True
        if clock.now() - call.at < GIVE_UP_AFTER or any(uuid in living for uuid in call.legs):
            return False
        log.error("the call could not be taken up for a day; it is closed as far as it is known", extra={"call": call_id})
        self.spool.ended(_as_known(call))
        return True

    def last_alive(self) -> datetime | None:
        return self.spool.last_alive


def trace_step(started_at: datetime, at: datetime, step: Step) -> TraceStep:
    milliseconds = round((at - started_at).total_seconds() * 1000)
    return TraceStep(at=milliseconds, what=step.what, facts=dict(step.facts), target=str(step.target) if step.target else None)


def leg_data(state: LegState, record: str = "") -> LegData:
    """A leg's state; in the `record` of a call that it has left, it has a name of its own."""
    leg = state.leg
    return LegData(
        uuid=f"{leg.id}/{record[:8]}" if state.moved and record else leg.id, label=leg.label, user=leg.user, contact=leg.contact,
        trunk=state.trunk, reason=state.reason, group=state.group,
        direction=state.direction, started_at=state.started_at, answered_at=state.answered_at, ended_at=state.ended_at, cause=state.cause,
    )  # fmt: skip


def seconds_of(path: Path) -> float:
    """The length of a WAV file; 0 when it is missing or unreadable (the switch may be on another machine)."""
    try:
        with wave.open(str(path), "rb") as file:
            return round(file.getnframes() / file.getframerate(), 2)
    except (OSError, EOFError, wave.Error, ZeroDivisionError):
        return 0.0


def _as_known(call: SpooledCall) -> CallRecordData:
    """The record of a call of which only the lines in the spool are left; its exact end is unknown."""
    caller = call.state.get("caller")
    known = caller if isinstance(caller, dict) else {}
    moments = [call.at, *(call.at + timedelta(milliseconds=s.at) for s in call.steps)]
    moments += [at for leg in call.legs.values() for at in (leg.started_at, leg.answered_at, leg.ended_at) if at is not None]
    last = max(moments)
    over = (replace(leg, ended_at=leg.ended_at or last, cause=leg.cause or causes.ENGINE_LOST) for leg in call.legs.values())
    return CallRecordData(
        account=call.account, call_id=call.call_id, started_at=call.at, ended_at=last, cause=causes.ENGINE_LOST,
        direction=str(call.state.get("direction", "in")), caller_number=known.get("number"), caller_name=str(known.get("name", "")),
        dialled=str(known.get("dialled", "")), trace=tuple(call.steps), legs=tuple(over),
    )  # fmt: skip


def _revived(call: SpooledCall) -> OpenCall:
    known = msgspec.convert({k: v for k, v in call.state.items() if not k.startswith("leg:")}, Opening)
    legs = {}
    for uuid, data in call.legs.items():
        more = call.state.get(f"leg:{uuid}", {})
        legs[uuid] = LegState(
            Leg(uuid, data.label, data.user, data.contact, bool(more.get("external"))),
            "in" if data.direction == "in" else "out",
            msgspec.convert(data.reason, LegReason),
            data.started_at, data.trunk, data.group, str(more.get("number", "")),
            answered_at=data.answered_at, ended_at=data.ended_at, cause=data.cause, ready=data.answered_at is not None,
        )  # fmt: skip
    steps = [
        (call.at + timedelta(milliseconds=s.at), Step(s.what, s.facts, Ref.parse(s.target) if s.target else None)) for s in call.steps
    ]
    return OpenCall(call.call_id, known, legs, steps, list(call.facts))
