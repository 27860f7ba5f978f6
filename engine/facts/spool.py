# SPDX-License-Identifier: Apache-2.0
"""The append-only journal of calls on disk: what happened is written down at once, and reaches the database when it can.

The call code appends; after a restart it finds here the calls that were open; the FactWriter reads behind and marks how far it
has got. A line is handed to the operating system before `append` returns, so kill -9 loses nothing. Calls never wait for it.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from engine import clock
from engine.errors import SettingsError
from engine.facts.fact import Fact, decode, encode
from engine.facts.record import CallRecordData, Closed, LegData, Legged, Line, Noted, Opened, Stated, Stepped, TraceStep

log = logging.getLogger(__name__)

SEGMENT_BYTES = 8 * 1024 * 1024
_READ_BYTES = 256 * 1024
_WRITTEN = (b'{"t":"fact"', b'{"t":"end"')
"""How lines begin that mean rows; the others serve only a restarted engine."""

_decoder = msgspec.json.Decoder(Line)
_encoder = msgspec.json.Encoder()


class _Rejected(msgspec.Struct):
    """A line of `rejected.jsonl`."""

    why: str
    entry: Stated | Closed


def _rejected(line: bytes) -> Stated | Closed | None:
    try:
        return msgspec.json.decode(line, type=_Rejected).entry
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


@dataclass(slots=True)
class OpenCall:
    """A call the last engine left open: everything it had written down."""

    call_id: str
    account: int
    at: datetime
    state: dict[str, Any]
    steps: list[TraceStep] = field(default_factory=list)
    legs: dict[str, LegData] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)


@dataclass(frozen=True, order=True, slots=True)
class Position:
    segment: int
    offset: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Lines that mean rows, and where reading goes on once they are written."""

    entries: tuple[Stated | Closed, ...]
    end: Position


def held(folder: Path) -> bool:
    """Whether an engine has this folder now."""
    try:
        descriptor = os.open(folder / "lock", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


class Spool:
    """One per engine; `open` refuses a second one on the same folder. All methods belong to the event loop's thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.recovered: dict[str, OpenCall] = {}
        """Calls that the last engine left open; whoever takes one up goes on appending to it, or ends it."""
        self.last_alive: datetime | None = None
        """When the last engine was known to live, to the second; None at the first start."""
        self._lock = -1
        self._file = -1
        self._segment = 0
        self._size = 0
        self._mark = Position(0, 0)
        self._first: dict[str, int] = {}
        self._seq: dict[str, int] = {}
        self._late_seq = 0
        self._unwritten: deque[bytes] = deque()
        self._torn = False
        """The first of them is written by half (the disk is full): the rest of it belongs into the same segment."""
        self._news = asyncio.Event()

    @classmethod
    def open(cls, folder: Path) -> Spool:
        """Read what the last engine left and start a new segment. Raises SettingsError when another engine has the folder."""
        spool = cls(folder)
        folder.mkdir(parents=True, exist_ok=True)
        spool.last_alive = max((datetime.fromtimestamp(path.stat().st_mtime, UTC) for path in spool._living()), default=None)
        spool._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(spool._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(spool._lock)
            raise SettingsError(f"Another engine already runs with this state folder ({folder.parent}).") from error
        spool.beat()
        spool._recover()
        spool._start_segment()
        return spool

    def beat(self) -> None:
        """Leave a sign of life for the next engine, which has to say when calls that vanished may have ended."""
        moment = clock.now().timestamp()
        os.utime(self.folder / "lock", (moment, moment))

    def close(self) -> None:
        for descriptor in (self._file, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = self._lock = -1

    # -- appending -------------------------------------------------------------------------------------------------------

    def opened(self, call_id: str, account: int, at: datetime, state: Mapping[str, Any]) -> None:
        """A call has begun. `state` is whatever a restarted engine needs to know of it (JSON)."""
        self._first[call_id] = self._segment
        self._seq.setdefault(call_id, 0)
        self._append(Opened(call_id, account, at, dict(state)))

    def noted(self, call_id: str, state: Mapping[str, Any]) -> None:
        """Some of the call's state has changed; it is merged."""
        self._append(Noted(call_id, dict(state)))

    def step(self, call_id: str, step: TraceStep) -> None:
        self._append(Stepped(call_id, step))

    def leg(self, call_id: str, leg: LegData) -> None:
        """A leg as it is now (dialled, answered, ended); the last one of a uuid counts."""
        self._append(Legged(call_id, leg))

    def fact(self, fact: Fact) -> None:
        """A fact, to be written with what it means for its plugins as soon as the database takes it."""
        self._append(self._stated(fact))

    def ended(self, record: CallRecordData, facts: Sequence[Fact] = ()) -> None:
        """The call is over: its record with every leg and the whole trace, and the facts to be written in the same transaction."""
        stated = tuple(self._stated(fact) for fact in facts)
        self._append(Closed(record.call_id, record, stated))
        self._first.pop(record.call_id, None)
        self._seq.pop(record.call_id, None)
        self.recovered.pop(record.call_id, None)

    def _stated(self, fact: Fact) -> Stated:
        if fact.call in self._seq:
            seq = self._seq[fact.call] = self._seq[fact.call] + 1
        else:
            # a fact about a call that is over or was never opened: numbered by the clock, far above any count of an open call
            seq = self._late_seq = max(self._late_seq + 1, int(clock.now().timestamp() * 1_000_000))
        return Stated(fact.call, seq, encode(fact))

    def _append(self, line: Line) -> None:
        self._unwritten.append(_encoder.encode(line) + b"\n")
        self._flush()
        self._news.set()

    def _flush(self) -> None:
        """Write what waits. A full or broken disk must not end a call: lines wait in memory, in order, and are tried with the next."""
        try:
            if self._size >= SEGMENT_BYTES and not self._torn:
                self._start_segment()
            while self._unwritten:
                data = self._unwritten[0]
                written = os.write(self._file, data)
                self._size += written
                self._torn = written < len(data)
                if self._torn:
                    self._unwritten[0] = data[written:]
                else:
                    self._unwritten.popleft()
        except OSError as error:
            if len(self._unwritten) % 1000 == 1:
                log.error("the spool can't be written (%s): %d lines wait in memory", error, len(self._unwritten))

    def _start_segment(self) -> None:
        file = os.open(self._path(self._segment + 1), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        if self._file >= 0:
            os.close(self._file)
        self._file, self._size = file, 0
        self._segment += 1

    # -- reading behind --------------------------------------------------------------------------------------------------

    @property
    def behind(self) -> bool:
        """Whether lines are waiting for the database."""
        return self._mark < Position(self._segment, self._size)

    async def news(self, seconds: float) -> None:
        """Return when a line has been appended since the last call, or when the time is up."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            pass
        self._news.clear()

    @property
    def mark(self) -> Position:
        """Everything before it is in the database."""
        return self._mark

    def read(self, limit: int = 500) -> Batch:
        """The next entries after the mark, at most `limit`; there may be none though `end` is beyond the mark."""
        entries: list[Stated | Closed] = []
        end = self._mark
        room = _READ_BYTES
        for raw, at in self._lines(self._mark):
            end = at
            room -= len(raw)
            if raw.startswith(_WRITTEN):
                line = self._decode(raw, at)
                if isinstance(line, Stated | Closed):
                    entries.append(line)
            if len(entries) >= limit or room <= 0:
                break
        return Batch(tuple(entries), end)

    def commit(self, end: Position) -> None:
        """Everything before `end` is in the database: mark it and drop the segments nobody needs any more."""
        if end == self._mark:
            return
        fresh = self.folder / ".mark"
        fresh.write_text(f"{end.segment} {end.offset}\n", "ascii")
        fresh.replace(self.folder / "mark")
        self.skip(end)

    def skip(self, end: Position) -> None:
        """Nothing before `end` meant a row: go on there; not worth a mark of its own."""
        self._mark = end
        needed = min([end.segment, *self._first.values()])
        for number in self._segments():
            if number < needed:
                self._path(number).unlink()

    def reject(self, entry: Stated | Closed, why: str) -> None:
        """Keep an entry that the database refuses in `rejected.jsonl`, so that one bad record holds up nobody; see `rejected`."""
        log.error("an entry of call %s can't be written to the database and is kept in rejected.jsonl: %s", entry.call, why)
        with self._rejects.open("ab") as file:
            file.write(_encoder.encode(_Rejected(why, entry)) + b"\n")

    def rejected(self) -> list[Stated | Closed]:
        """The entries in `rejected.jsonl`, each once; damaged lines are passed over."""
        try:
            lines = self._rejects.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        return list({(e.call, e.seq if isinstance(e, Stated) else 0): e for line in lines if (e := _rejected(line)) is not None}.values())

    def accepted(self, entries: Collection[Stated | Closed]) -> None:
        """The database has taken these of the `rejected` ones after all: they leave the file, whatever else is there stays."""
        lines = self._rejects.read_bytes().splitlines(keepends=True)
        left = [line for line in lines if (entry := _rejected(line)) is None or entry not in entries]
        if left:
            fresh = self.folder / ".rejected"
            fresh.write_bytes(b"".join(left))
            fresh.replace(self._rejects)
        else:
            self._rejects.unlink()

    @property
    def _rejects(self) -> Path:
        return self.folder / "rejected.jsonl"

    def _lines(self, start: Position) -> Iterator[tuple[bytes, Position]]:
        """Complete lines from `start` on with the position after each; an empty one at the end of a segment."""
        for number in [n for n in self._segments() if n >= start.segment]:
            offset = start.offset if number == start.segment else 0
            with self._path(number).open("rb") as file:
                file.seek(offset)
                for raw in file:
                    if not raw.endswith(b"\n"):
                        break  # being written, or cut off by a crash
                    offset += len(raw)
                    yield raw, Position(number, offset)
            if number < self._segment:
                yield b"", Position(number + 1, 0)

    def _decode(self, raw: bytes, end: Position) -> Line | None:
        try:
            line: Line = _decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            log.error("damaged line in spool segment %d before byte %d: %s", end.segment, end.offset, error)
            return None
        return line

    # -- after a restart -------------------------------------------------------------------------------------------------

    def _recover(self) -> None:
        segments = self._segments()
        self._segment = segments[-1] if segments else 0
        try:
            segment, offset = (int(word) for word in (self.folder / "mark").read_text("ascii").split())
            self._mark = Position(segment, offset)
        except (FileNotFoundError, ValueError) as error:  # empty after a power failure: what is read twice is written once
            if isinstance(error, ValueError):
                log.error("the spool's mark can't be read, it is read from its beginning: %s", error)
            self._mark = Position(segments[0] if segments else 1, 0)
        for raw, at in self._lines(Position(0, 0)):
            line = self._decode(raw, at) if raw else None
            if line is not None:
                self._replay(line, at.segment)

    def _replay(self, line: Line, segment: int) -> None:
        if isinstance(line, Opened):
            self.recovered[line.call] = OpenCall(line.call, line.account, line.at, dict(line.state))
            self._first[line.call] = segment
            self._seq[line.call] = 0
            return
        call = self.recovered.get(line.call)
        if call is None:
            return
        match line:
            case Noted():
                call.state.update(line.state)
            case Stepped():
                call.steps.append(line.step)
            case Legged():
                call.legs[line.leg.uuid] = line.leg
            case Stated():
                self._seq[line.call] = max(self._seq[line.call], line.seq)
                fact = self._fact(line)
                if fact is not None:
                    call.facts.append(fact)
            case Closed():
                del self.recovered[line.call], self._first[line.call], self._seq[line.call]

    def _fact(self, line: Stated) -> Fact | None:
        try:
            return decode(line.data)
        except msgspec.ValidationError as error:
            log.error("a fact of call %s in the spool can't be read: %s", line.call, error)
            return None

    def _living(self) -> list[Path]:
        """The files whose times tell when an engine lived."""
        return [*self.folder.glob("lock"), *self.folder.glob("calls-*.jsonl")]

    def _segments(self) -> list[int]:
        return sorted(int(path.stem.removeprefix("calls-")) for path in self.folder.glob("calls-*.jsonl"))

    def _path(self, number: int) -> Path:
        return self.folder / f"calls-{number:08}.jsonl"
