# SPDX-License-Identifier: Apache-2.0
"""Telephone events (RFC 4733): DtmfReceiver finds the pressed keys in packets, `event_packets` lays out those to send."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .g711 import FRAME_SAMPLES
from .packet import ahead

DIGITS = "0123456789*#ABCD"
"""Event codes 0…15; 16 is the hook flash of RFC 2833 and is no digit."""
LOST_END_SAMPLES = 960
"""A key with no packet for 120 ms has been released, even if all its end packets were lost."""
_STALE_SAMPLES = 80_000
_SEGMENT_FULL = 0xFF00
_END = 0x80
_VOLUME = 10
END_PACKETS = 3

_EVENT = struct.Struct("!BBH")


class DtmfReceiver:
    """Calls `report(digit, duration in samples)` exactly once a key press: at its end packet, else when the next press
    begins, else when nothing came for 120 ms."""

    __slots__ = ("_duration", "_event", "_last_reported", "_seen_at", "_ssrc", "_timestamp", "active", "report")

    def __init__(self, report: Callable[[str, int], None]) -> None:
        self.report = report
        self.active = False
        self._event = 0
        self._timestamp = 0
        self._duration = 0
        self._seen_at = 0
        self._ssrc: int | None = None
        self._last_reported: int | None = None

    def packet(self, marker: int, timestamp: int, ssrc: int, payload: bytes, clock: int) -> None:
        """One telephone-event packet; `clock` is the pacing clock in samples. Malformed ones are ignored."""
        if len(payload) < 4 or payload[0] > 15:
            return
        event, flags, duration = _EVENT.unpack_from(payload)
        if ssrc != self._ssrc:
            self.flush()
            self._ssrc, self._last_reported = ssrc, None
        reported = self._last_reported
        if reported is not None and -_STALE_SAMPLES < ahead(timestamp, reported) <= 0:
            return  # a repeated or overtaken packet of a key that was reported
        if self.active and timestamp != self._timestamp:
            gone = ahead(timestamp, self._timestamp)
            if -_STALE_SAMPLES < gone < 0:
                return
            if event == self._event and not marker and self._duration >= _SEGMENT_FULL and gone == self._duration:
                self._timestamp, self._duration = timestamp, 0  # next segment of a very long press (2.5.1.3)
            else:
                self.flush()
        if not self.active:
            self.active, self._event, self._timestamp, self._duration = True, event, timestamp, 0
        self._seen_at = clock
        self._duration = max(self._duration, duration)
        if flags & _END:
            self.flush()

    def tick(self, clock: int) -> None:
        if self.active and clock - self._seen_at >= LOST_END_SAMPLES:
            self.flush()

    def flush(self) -> None:
        """Report the key that is being pressed, if any, as released."""
        if self.active:
            self.active = False
            self._last_reported = self._timestamp
            self.report(DIGITS[self._event], self._duration)


@dataclass(frozen=True, slots=True)
class EventPacket:
    """What is sent in one 20 ms step. `payload` None is a pause; `first` starts a digit (marker, new timestamp)."""

    payload: bytes | None
    first: bool = False
    digit: str = ""


_PAUSE = EventPacket(None)


def event_packets(digits: str, duration_ms: int, gap_ms: int) -> Iterator[EventPacket]:
    """Steps of 20 ms that send the digits: growing durations, three end packets, a gap. `w` and `W` pause 0.5 and 1 s;
    other characters are skipped. At least two packets a digit, at most 8 s."""
    steps = max(2, min(round(duration_ms / 20), 400))
    gap = max(1, round(gap_ms / 20))
    for digit in digits.replace("W", "ww").replace("a", "A").replace("b", "B").replace("c", "C").replace("d", "D"):
        if digit == "w":
            yield from (_PAUSE for _ in range(25))
            continue
        event = DIGITS.find(digit)
        if event < 0:
            continue
        for step in range(1, steps):
            yield EventPacket(_EVENT.pack(event, _VOLUME, step * FRAME_SAMPLES), step == 1, digit)
        for _ in range(END_PACKETS):
            yield EventPacket(_EVENT.pack(event, _END | _VOLUME, steps * FRAME_SAMPLES), False, digit)
        yield from (_PAUSE for _ in range(max(1, gap - END_PACKETS + 1)))
