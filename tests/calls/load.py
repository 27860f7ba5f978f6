# SPDX-License-Identifier: Apache-2.0
"""Many talking telephones at once that measure the sound they get, independent of the product's code.

Every packet carries a stream's number, a count and when it was sent; its arrival is the kernel's time stamp. So a gap is what the
switch left out: neither a sender that was late, nor a receiver that was busy, nor the time that the kernel of a crowded machine let
the switch wait for a processor counts.
"""

from __future__ import annotations

import asyncio
import bisect
import itertools
import socket
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.calls.telephone import Line
from tests.embedded.sip.phone import parse

SO_TIMESTAMPNS = 35
_MARK = b"vats"
_SENT = struct.Struct("!4sIIq")
_streams = itertools.count(1)
PACKET_NS = 20_000_000


@dataclass(frozen=True, slots=True)
class Packet:
    stream: int
    number: int
    sent: int
    arrived: int
    """Nanoseconds of the wall clock, like `sent`."""


class RunQueue:
    """How long a process has had to wait for a processor, sampled while `watch` runs as a task."""

    def __init__(self, pid: int) -> None:
        self._path = Path(f"/proc/{pid}/schedstat")
        self._samples: list[tuple[int, int]] = []

    async def watch(self) -> None:
        while True:
            self._samples.append((time.time_ns(), int(self._path.read_text().split()[1])))
            await asyncio.sleep(0.01)

    def waited(self, since: int, until: int) -> int:
        """Nanoseconds between the samples around these two moments."""
        first = bisect.bisect_right(self._samples, since, key=lambda s: s[0]) - 1
        last = bisect.bisect_left(self._samples, until, key=lambda s: s[0])
        return self._samples[min(last, len(self._samples) - 1)][1] - self._samples[max(0, first)][1]


class LoadPhone(Line):
    """Talks from the moment it knows where to; answers BYE by itself. `got` = every packet of another LoadPhone."""

    async def open(self, host: str = "127.0.0.1") -> LoadPhone:
        await super().open(host)
        self.stream, self.count = next(_streams), 0
        self.got: list[Packet] = []
        self.over = asyncio.Event()
        self.rtp.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.rtp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        asyncio.get_running_loop().add_reader(self.rtp, self._readable)  # in place of a telephone's own ear
        return self

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if data.startswith(b"BYE"):
            self.send(self.reply(parse(data, addr), 200), addr)
            self.over.set()
            return
        super().datagram_received(data, addr)

    def _readable(self) -> None:
        while True:
            try:
                data, extra, _, _ = self.rtp.recvmsg(2048, 64)
            except BlockingIOError:
                return
            if data[12:16] != _MARK:
                continue
            stamp = next(d for level, kind, d in extra if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS)
            seconds, nanoseconds = struct.unpack("qq", stamp[:16])
            _, stream, number, sent = _SENT.unpack_from(data, 12)
            self.got.append(Packet(stream, number, sent, seconds * 1_000_000_000 + nanoseconds))
            self._news.set()

    def speak(self) -> None:
        """One packet of 20 ms."""
        if self.peer is None or self.over.is_set():
            return
        self.count += 1
        self._send(8, _SENT.pack(_MARK, self.stream, self.count, time.time_ns()).ljust(160, b"\xd5"))

    def largest_gap(self, since: int, until: int, queue: RunQueue) -> float:
        """The longest time without sound in milliseconds between two moments (wall clock, ns); sound must have come before and after."""
        first = max((i for i, p in enumerate(self.got) if p.arrived <= since), default=None)
        last = next((i for i, p in enumerate(self.got) if p.arrived >= until), None)
        assert first is not None, f"{self.user} heard nothing before"
        assert last is not None, f"{self.user} hears nothing any more"
        worst = 0
        for before, after in itertools.pairwise(self.got[first : last + 1]):
            late = max(0, after.sent - before.sent - (after.number - before.number) * PACKET_NS)
            gap = after.arrived - before.arrived - late
            if gap > worst:
                worst = max(worst, gap - queue.waited(before.arrived, after.arrived))
        return worst / 1e6

    async def hears_on(self, since: int, within: float = 10.0) -> None:
        """Wait for sound after that moment."""
        async with asyncio.timeout(within):
            while not self.got or self.got[-1].arrived < since:
                self._news.clear()
                await self._news.wait()


async def speaking(phones: Iterable[LoadPhone]) -> None:
    """All of them speak, for ever; as a task."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        for phone in list(phones):
            phone.speak()
        due += 0.02
        await asyncio.sleep(max(0, due - loop.time()))
