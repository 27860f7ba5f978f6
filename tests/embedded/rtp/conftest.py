# SPDX-License-Identifier: Apache-2.0
"""A running media engine, a bench whose clock the test turns, and telephones made of a raw UDP socket."""

import asyncio
import socket
import struct
import wave
from array import array
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from engine.embedded.rtp import Law, MediaEngine, Stream, parse_source
from engine.embedded.rtp.pacer import SLOTS, Pacer
from engine.embedded.rtp.ports import PortPool

TIMEOUT = 5.0
EVENT = 101


class Rtp(NamedTuple):
    marker: bool
    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    at: float = 0.0


def rtp(
    sequence: int, timestamp: int, payload: bytes = b"\xd5" * 160, *, pt: int = 8, ssrc: int = 0x1234, marker: bool = False
) -> bytes:
    header = struct.pack("!BBHII", 0x80, pt | marker << 7, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
    return header + payload


def event(digit: int, duration: int, *, end: bool = False) -> bytes:
    return struct.pack("!BBH", digit, 0x80 * end + 10, duration)


def read_rtp(data: bytes, at: float = 0.0) -> Rtp:
    first, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", data)
    assert first == 0x80
    return Rtp(bool(second & 0x80), second & 0x7F, sequence, timestamp, ssrc, data[12:], at)


class Phone:
    """A UDP socket that keeps what it hears and counts what it says."""

    def __init__(self, ip: str = "127.0.0.1", *, ssrc: int = 0x1234) -> None:
        self.socket = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((ip, 0))
        self.socket.setblocking(False)
        self.address: tuple[str, int] = self.socket.getsockname()[:2]
        self.ssrc = ssrc
        self.sequence = 100
        self.timestamp = 5000
        self.heard: list[Rtp] = []

    def say(self, stream: Stream, payload: bytes = b"\xd5" * 160, *, pt: int = 8, marker: bool = False) -> None:
        self.send(stream, rtp(self.sequence, self.timestamp, payload, pt=pt, ssrc=self.ssrc, marker=marker))
        self.sequence += 1
        self.timestamp += 160

    def send(self, stream: Stream, data: bytes) -> None:
        self.socket.sendto(data, (stream.local_ip, stream.local_port))

    def press(self, stream: Stream, digit: int, *, packets: int = 3, ends: int = 3, timestamp: int | None = None) -> None:
        """A key as phones send it: growing durations, then end packets."""
        start = self.timestamp if timestamp is None else timestamp
        for index in range(packets + ends):
            ended = index >= packets
            body = event(digit, 160 * min(index + 1, packets + 1), end=ended)
            self.send(stream, rtp(self.sequence, start, body, pt=EVENT, ssrc=self.ssrc, marker=index == 0))
            self.sequence += 1
        self.timestamp = start + 160 * (packets + ends)

    def drain(self) -> list[Rtp]:
        """Everything that has arrived so far."""
        while True:
            try:
                self.heard.append(read_rtp(self.socket.recv(2048)))
            except BlockingIOError:
                return self.heard

    async def hears(self, enough: Callable[[list[Rtp]], bool]) -> list[Rtp]:
        """Wait until what was heard is enough."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(TIMEOUT):
            while not enough(self.heard):
                data = await loop.sock_recv(self.socket, 2048)
                self.heard.append(read_rtp(data, loop.time()))
        return self.heard

    def close(self) -> None:
        self.socket.close()


class Bench:
    """Streams on a pacer that moves only when the test says so; datagrams are handed over directly."""

    def __init__(self) -> None:
        self.pacer = Pacer(lambda: None)
        self.writers = ThreadPoolExecutor(max_workers=1)
        self.streams: list[Stream] = []
        self._ports = PortPool(None)

    def stream(self, phone: Phone | None = None, *, law: Law = Law.PCMA, event_type: int | None = EVENT) -> Stream:
        stream = Stream(
            self._ports.bind("127.0.0.1"),
            pacer=self.pacer,
            writers=self.writers,
            parse_source=parse_source,
            closed=lambda stream: None,
        )
        if phone is not None:
            stream.set_remote(phone.address, law, event_type)
        self.streams.append(stream)
        return stream

    def advance(self, ms: int) -> None:
        for _ in range(ms):
            self.pacer.step()

    def frame(self) -> None:
        self.advance(SLOTS)

    def deliver(self, stream: Stream, data: bytes, source: tuple[str, int]) -> None:
        stream.datagram(data, source, self.pacer.clock)

    async def close(self) -> None:
        for stream in self.streams:
            stream.close()
        await asyncio.wrap_future(self.writers.submit(int))
        self.writers.shutdown()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    await bench.close()


@pytest.fixture
async def media() -> AsyncIterator[MediaEngine]:
    engine = MediaEngine()
    engine.start()
    yield engine
    await engine.close()


@pytest.fixture
def phone() -> Iterator[Phone]:
    phone = Phone()
    yield phone
    phone.close()


@pytest.fixture
def other_phone() -> Iterator[Phone]:
    phone = Phone(ssrc=0x9876)
    yield phone
    phone.close()


def write_wav(path: Path, samples: "array[int] | list[int]", *, rate: int = 8000, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(array("h", samples).tobytes())
    return path


def read_wav(path: Path) -> list["array[int]"]:
    """The channels."""
    with wave.open(str(path), "rb") as file:
        assert file.getframerate() == 8000
        assert file.getsampwidth() == 2
        samples = array("h", file.readframes(file.getnframes()))
        return [samples[channel :: file.getnchannels()] for channel in range(file.getnchannels())]
