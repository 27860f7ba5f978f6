# SPDX-License-Identifier: Apache-2.0
"""The one clock of the media layer: MediaEngine lets it call each stream every 20 ms and the receiver every millisecond."""

import asyncio
from collections.abc import Callable
from typing import Protocol

SLOTS = 20
TICK_SECONDS = 0.001
TICK_SAMPLES = 8
CATCH_UP_TICKS = 100
"""A stall of up to 100 ms is made good by sending what is late; after a longer one the missed time is left out."""


class Paced(Protocol):
    def tick(self, clock: int) -> None:
        """Called every 20 ms; `clock` is the pacing clock in samples."""


class Pacer:
    """Absolute deadlines on one asyncio timer. Streams are spread over 20 slots of 1 ms, so that a burst is 1/20 of them.

    A stream whose tick raises is taken out, so that it cannot harm the others; the error goes to the loop's handler."""

    def __init__(self, receive: Callable[[], None]) -> None:
        self._receive = receive
        self._slots: list[dict[Paced, None]] = [{} for _ in range(SLOTS)]
        self._members = [0] * SLOTS
        self._origin = 0.0
        self._tick = 0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._busy = False
        self.clock = 0
        """Samples since the start, moved in steps of 8 (1 ms)."""
        self.skipped_ticks = 0

    @property
    def running(self) -> bool:
        return self._timer is not None

    def start(self) -> None:
        """Needs the running loop; the clock goes on from where it stopped."""
        if self._timer is None:
            self._loop = asyncio.get_running_loop()
            self._origin = self._loop.time() - self._tick * TICK_SECONDS
            self._arm()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def join(self) -> int:
        """The slot for a new stream: the one with the fewest."""
        slot = self._members.index(min(self._members))
        self._members[slot] += 1
        return slot

    def leave(self, slot: int) -> None:
        self._members[slot] -= 1

    def wake(self, stream: Paced, slot: int) -> None:
        """Tick this stream from now on."""
        self._slots[slot][stream] = None

    def rest(self, stream: Paced, slot: int) -> None:
        self._slots[slot].pop(stream, None)

    def poll(self) -> None:
        """Do what is due now. For long stretches of other work on the same loop: costs 0.1 µs when nothing is due."""
        if self._loop is not None and self._timer is not None and self._loop.time() >= self._due:
            self._run()

    @property
    def due(self) -> bool:
        """Whether the next slot's time has come."""
        return self._loop is not None and self._loop.time() >= self._origin + (self._tick + 1) * TICK_SECONDS

    def _arm(self) -> None:
        assert self._loop is not None
        self._due = self._origin + (self._tick + 1) * TICK_SECONDS
        self._timer = self._loop.call_at(self._due, self._on_timer)

    def _on_timer(self) -> None:
        try:
            self._run()
        finally:
            if self._timer is not None:
                self._arm()

    def _run(self) -> None:
        if self._busy:  # poll() from inside a tick
            return
        self._busy = True
        assert self._loop is not None
        try:
            while (behind := int((self._loop.time() - self._origin) / TICK_SECONDS) - self._tick) > 0:
                if behind > CATCH_UP_TICKS:
                    left_out = (behind - 1) // SLOTS * SLOTS  # whole frames: each slot keeps its place in the frame
                    self._tick += left_out
                    self.skipped_ticks += left_out
                self._step()
            self._receive()
        finally:
            self._due = self._origin + (self._tick + 1) * TICK_SECONDS
            self._busy = False

    def _step(self) -> None:
        self._tick += 1
        clock = self.clock = self._tick * TICK_SAMPLES
        slot = self._slots[self._tick % SLOTS]
        for stream in tuple(slot):
            try:
                stream.tick(clock)
            except BaseException:
                slot.pop(stream, None)
                raise
