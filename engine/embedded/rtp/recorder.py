# SPDX-License-Identifier: Apache-2.0
"""Recording of a stream to WAV: Stream hands over encoded packets, time is the pacing clock, a thread writes the file."""

import asyncio
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum, auto
from itertools import count
from typing import BinaryIO, Literal

from .g711 import SAMPLE_RATE, Law, decode, interleave, mix, transcode
from .packet import ahead
from .wav import HEADER_BYTES, PCM, WavError, pcm16_header, read_format

log = logging.getLogger(__name__)

Mode = Literal["stereo", "turned", "mono"]
Side = Literal["both", "read", "write"]

_FLUSH_SAMPLES = SAMPLE_RATE
_FLUSH_PHASES = 50
"""Recordings that began together write in 50 different frames of the second."""
_MIX_SAMPLES = SAMPLE_RATE // 4
"""Mixing is the one slow conversion; done four times a second it takes 0.1 ms."""
_REORDER_SAMPLES = SAMPLE_RATE // 2
"""What is younger than 500 ms stays in memory, so that a late packet finds its place. A later one begins a new line of
timestamps: its sender has paused without counting the time."""
_TOLERANCE_SAMPLES = 80
_WINDOW_PACKETS = 25


_phase = count()


class RecordReason(Enum):
    STOPPED = auto()
    LIMIT = auto()
    SILENCE = auto()
    CLOSED = auto()
    """The stream was closed while it recorded."""
    FAILED = auto()
    """The file could not be written."""


@dataclass(frozen=True, slots=True)
class RecordEnd:
    path: str
    ms: int
    reason: RecordReason


class Track:
    """One channel: encoded samples placed by RTP timestamp, with the pacing clock as the judge.

    A packet can be late but never early; so the smallest lateness over half a second says where the timestamps lie on
    the clock. Gaps are silence, duplicates fall on themselves, late packets into their place."""

    __slots__ = ("_buffer", "_late", "_law", "_packets", "_position", "_ssrc", "_start", "_timestamp")

    def __init__(self, law: Law, clock: int) -> None:
        self._law = law
        self._start = clock
        self._buffer = bytearray()
        self._ssrc: int | None = None
        self._timestamp = 0
        self._position = 0
        self._late = 0
        self._packets = 0

    def put(self, clock: int, ssrc: int, timestamp: int, payload: bytes) -> None:
        if ssrc != self._ssrc:
            self._ssrc = ssrc
            self._anchor(clock, timestamp)
        position = self._position + ahead(timestamp, self._timestamp)
        late = clock - position
        if not -_TOLERANCE_SAMPLES <= late < _REORDER_SAMPLES:
            self._anchor(clock, timestamp)
            position, late = clock, 0
        self._timestamp, self._position = timestamp, position
        self._late = min(self._late, late) if self._packets else late
        self._packets += 1
        if self._packets == _WINDOW_PACKETS:
            if self._late > _TOLERANCE_SAMPLES:
                self._position += self._late
            self._packets = 0
        self._write(position - self._start, payload)

    def _anchor(self, clock: int, timestamp: int) -> None:
        self._position, self._timestamp, self._packets = clock, timestamp, 0

    def _write(self, index: int, payload: bytes) -> None:
        buffer = self._buffer
        if index < 0:
            payload, index = payload[-index:], 0
        missing = index - len(buffer)
        if missing > 0:
            buffer += self._law.silence * missing
        buffer[index : index + len(payload)] = payload

    def take(self, count: int) -> bytes:
        """Remove and return exactly the first `count` samples."""
        piece = bytes(self._buffer[:count])
        del self._buffer[:count]
        self._start += count
        return piece + self._law.silence * (count - len(piece))


class WavWriter:
    """The file of one recording, a new one or (`onward`) behind what an earlier recording of the same kind has left in it.

    All methods run in the writer thread; the first error is kept and ends the recording."""

    def __init__(self, path: str, channels: int, onward: bool = False) -> None:
        self._path = path
        self._channels = channels
        self._onward = onward
        self._file: BinaryIO | None = None
        self._bytes = 0
        self.error: OSError | None = None

    def open(self) -> None:
        try:
            if folder := os.path.dirname(self._path):
                os.makedirs(folder, exist_ok=True)
            if self._onward and os.path.exists(self._path) and os.path.getsize(self._path):
                self._file = open(self._path, "r+b", buffering=0)  # noqa: SIM115 - closed by close(), in another job
                self._bytes = self._before(self._file)
                return
            self._file = open(self._path, "wb", buffering=0)  # noqa: SIM115 - closed by close(), in another job
            self._file.write(pcm16_header(self._channels, 0))
        except (OSError, ValueError) as error:
            self._failed(error)

    def _before(self, file: BinaryIO) -> int:
        """The bytes of sound that are there. Raises ValueError for a file of another kind: it stays as it is."""
        there = read_format(file, os.path.getsize(self._path))
        if (there.encoding, there.bits, there.channels, there.rate, there.offset) != (PCM, 16, self._channels, SAMPLE_RATE, HEADER_BYTES):
            raise WavError("the file holds sound of another kind")
        return there.frames * there.frame_bytes

    def append(self, pcm: bytes) -> None:
        """The header is brought up to date each time, so that a killed process leaves a playable file."""
        if self._file is None or self.error is not None:
            return
        try:
            descriptor = self._file.fileno()
            view, offset = memoryview(pcm), HEADER_BYTES + self._bytes
            while view:
                written = os.pwrite(descriptor, view, offset)
                view, offset = view[written:], offset + written
            self._bytes += len(pcm)
            os.pwrite(descriptor, pcm16_header(self._channels, min(self._bytes, 0xFFFFFFFF - 36)), 0)
        except OSError as error:
            self._failed(error)

    def close(self) -> None:
        if self._file is not None:
            try:
                self._file.close()
            except OSError as error:
                self._failed(error)
            self._file = None

    def _failed(self, error: OSError | ValueError) -> None:
        log.error("recording %s failed: %s", self._path, error)
        self.error = error if isinstance(error, OSError) else OSError(str(error))


class Recording:
    """A running recording, returned by Stream.record.

    Stereo: left = received from the stream's peer, right = sent to it; turned: the other way about.
    Mono: their sum, or one of them by `side`.
    `done` is called once from the event loop, when the file is complete and closed."""

    def __init__(
        self,
        path: str,
        *,
        mode: Mode,
        side: Side,
        law: Law,
        clock: int,
        limit_seconds: float | None,
        silence: tuple[int, float] | None,
        append: bool,
        done: Callable[[RecordEnd], None],
        detach: Callable[["Recording"], None],
        writers: ThreadPoolExecutor,
    ) -> None:
        self.path = path
        self.law = law
        self.masked = False
        """While True the recording goes on with silence."""
        self._mode = mode
        self._side = side
        self._begun = self._flushed = self._heard_at = self._clock = clock
        self._flush_samples = _MIX_SAMPLES if mode == "mono" and side == "both" else _FLUSH_SAMPLES
        phase = next(_phase) % _FLUSH_PHASES + 1
        self._next_flush = clock + _REORDER_SAMPLES + phase * self._flush_samples // _FLUSH_PHASES
        self._left, self._right = Track(law, clock), Track(law, clock)
        self._limit = None if limit_seconds is None else max(0, int(limit_seconds * SAMPLE_RATE))
        self._threshold, self._silent_samples = (0, 0) if silence is None else (silence[0], int(silence[1] * SAMPLE_RATE))
        self._done = done
        self._detach = detach
        self._writers = writers
        self._loop = asyncio.get_running_loop()
        self._finished = False
        self._writer = WavWriter(path, 1 if mode == "mono" else 2, append)
        writers.submit(self._writer.open)

    @property
    def ms(self) -> int:
        return (self._clock - self._begun) * 1000 // SAMPLE_RATE

    def stop(self) -> None:
        self.finish(RecordReason.STOPPED)

    # called by Stream ------------------------------------------------------------------------------------------------

    def received(self, clock: int, ssrc: int, timestamp: int, payload: bytes, law: Law) -> None:
        if self._silent_samples:
            loudness = sum(map(law.magnitudes.__getitem__, payload))
            if payload and loudness >= self._threshold * len(payload):
                self._heard_at = clock
        if not self.masked and self._side != "write":
            self._left.put(clock, ssrc, timestamp, transcode(payload, law, self.law))

    def sent(self, clock: int, ssrc: int, timestamp: int, payload: bytes, law: Law) -> None:
        if not self.masked and self._side != "read":
            self._right.put(clock, ssrc, timestamp, transcode(payload, law, self.law))

    def tick(self, clock: int) -> None:
        """Every 20 ms: limit, silence, and once a second a piece for the writer."""
        self._clock = clock
        if self._writer.error is not None:
            self.finish(RecordReason.FAILED)
        elif self._limit is not None and clock - self._begun >= self._limit:
            self._clock = self._begun + self._limit
            self.finish(RecordReason.LIMIT)
        elif self._silent_samples and clock - self._heard_at >= self._silent_samples:
            self.finish(RecordReason.SILENCE)
        elif clock >= self._next_flush:
            self._next_flush += self._flush_samples
            self._flush(clock - _REORDER_SAMPLES)

    def finish(self, reason: RecordReason) -> None:
        if self._finished:
            return
        self._finished = True
        self._detach(self)
        self._flush(self._clock)
        self._writers.submit(self._close, reason)

    # ----------------------------------------------------------------------------------------------------------------

    def _flush(self, until: int) -> None:
        count = until - self._flushed
        if count <= 0:
            return
        self._flushed = until
        left, right = self._left.take(count), self._right.take(count)
        if self._mode == "stereo":
            pcm = interleave(left, right, self.law)
        elif self._mode == "turned":
            pcm = interleave(right, left, self.law)
        elif self._side == "both":
            pcm = mix(left, right, self.law)
        else:
            pcm = decode(left if self._side == "read" else right, self.law)
        self._writers.submit(self._writer.append, pcm)

    def _close(self, reason: RecordReason) -> None:
        self._writer.close()
        if self._writer.error is not None:
            reason = RecordReason.FAILED
        end = RecordEnd(self.path, self.ms, reason)
        try:
            self._loop.call_soon_threadsafe(self._done, end)
        except RuntimeError:  # the loop has been closed meanwhile; the file is complete
            log.info("recording %s ended with the process", self.path)
