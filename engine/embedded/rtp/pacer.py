# SPDX-License-Identifier: Apache-2.0
"""The one clock of the media layer: MediaEngine lets it call each stream every 20 ms and the receiver every millisecond."""

import asyncio
import time
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

    Between slots that have something to do it sleeps, unless `every_tick` is set: then it wakes each millisecond, which
    serves many sockets in one go. A stream whose tick raises is taken out, so that it cannot harm the others; the error
    goes to the loop's exception handler."""

    def __init__(self, receive: Callable[[], None]) -> None:
        self._receive = receive
        self._slots: list[dict[Paced, None]] = [{} for _ in range(SLOTS)]
        self._members = [0] * SLOTS
        self._origin = 0.0
        self._tick = 0
        self._target = 0
        """The tick that the timer is set to."""
        self._timer: asyncio.TimerHandle | None = None
        self._time: Callable[[], float] = time.monotonic
        self._loop: asyncio.AbstractEventLoop | None = None
        self._busy = False
        self.every_tick = False
        self.clock = 0
        """Samples since the start, moved in steps of 8 (1 ms); up to 20 ms behind while nothing is to be done."""
        self.skipped_ticks = 0

    def start(self) -> None:
        """Needs the running loop; the clock goes on from where it stopped."""
        if self._timer is None:
            self._loop = asyncio.get_running_loop()
            self._time = self._loop.time
            self._origin = self._time() - self._tick * TICK_SECONDS
            self._arm()

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def now(self) -> int:
        """The clock to the millisecond, without doing what is due."""
        return self._elapsed() * TICK_SAMPLES if self._timer is not None else self.clock

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
        if self._timer is not None and not self._busy and self._next_of(slot) < self._target:
            self._timer.cancel()
            self._arm()

    def rest(self, stream: Paced, slot: int) -> None:
        self._slots[slot].pop(stream, None)

    @property
    def due(self) -> bool:
        """Whether the next millisecond has come."""
        return self._elapsed() > self._tick

    def poll(self) -> None:
        """Do what is due now. For long stretches of other work on the same loop: costs 0.2 µs when nothing is due."""
        if self._timer is not None and self._elapsed() > self._tick:
            self.run()

    def run(self) -> None:
        """Tick the slots whose time has come, then receive."""
        if self._busy:  # poll() from inside a tick
            return
        self._busy = True
        try:
            for _ in range(SLOTS):  # then let the loop do other work too, however late we are
                behind = self._elapsed() - self._tick
                if behind <= 0:
                    break
                if behind > CATCH_UP_TICKS:
                    self._tick += behind - 1
                    self.skipped_ticks += behind - 1
                self.step()
            self._receive()
        finally:
            self._busy = False

    def _elapsed(self) -> int:
        return int((self._time() - self._origin) / TICK_SECONDS + 1e-6)

    def _next_of(self, slot: int) -> int:
        return self._tick + 1 + (slot - self._tick - 1) % SLOTS

    def _arm(self) -> None:
        assert self._loop is not None
        tick = self._tick + 1
        if not self.every_tick:
            tick = min((self._next_of(slot) for slot in range(SLOTS) if self._slots[slot]), default=self._tick + SLOTS)
        self._target = tick
        self._timer = self._loop.call_at(self._origin + tick * TICK_SECONDS, self._on_timer)

    def _on_timer(self) -> None:
        try:
            self.run()
        finally:
            if self._timer is not None:
                self._arm()

    def step(self) -> None:
        """One millisecond: tick the slot that is next."""
        self._tick += 1
        clock = self.clock = self._tick * TICK_SAMPLES
        slot = self._slots[self._tick % SLOTS]
        if not slot:
            return
        for stream in tuple(slot):
            try:
                stream.tick(clock)
            except BaseException:
                slot.pop(stream, None)
                raise
