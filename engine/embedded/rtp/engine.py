# SPDX-License-Identifier: Apache-2.0
"""MediaEngine, the face of the media layer: the switch process makes one, channels open their streams here."""

import asyncio
import logging
import select
import selectors
import socket
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from .g711 import Law, mix_table
from .pacer import Pacer
from .packet import MAX_DATAGRAM
from .ports import PortPool
from .sounds import DEFAULT_CACHE_BYTES, SoundCache
from .sources import Library, Source, parse_source
from .stream import Stream

log = logging.getLogger(__name__)

_BATCH = 64
_MAX_BATCHES = 16
MANY_STREAMS = 20
"""From here on sockets are asked every millisecond (one wake-up for all, 1 ms of delay at most); with fewer streams each
datagram wakes the loop. 50 packets a second a stream: 20 streams are where both need 1000 wake-ups a second."""
_INACTIVITY_CHECK_SAMPLES = 8000


class Readiness:
    """Which sockets hold datagrams: epoll where there is one (0.3 µs a socket), else the platform's selector."""

    def __init__(self) -> None:
        self._epoll = select.epoll() if hasattr(select, "epoll") else None
        self._selector = None if self._epoll is not None else selectors.DefaultSelector()

    def add(self, descriptor: int) -> None:
        if self._epoll is not None:
            self._epoll.register(descriptor, select.EPOLLIN)
        elif self._selector is not None:
            self._selector.register(descriptor, selectors.EVENT_READ)

    def remove(self, descriptor: int) -> None:
        if self._epoll is not None:
            self._epoll.unregister(descriptor)
        elif self._selector is not None:
            self._selector.unregister(descriptor)

    @property
    def descriptor(self) -> int | None:
        """Readable when any of the sockets is; None where the platform has no such thing."""
        return None if self._epoll is None else self._epoll.fileno()

    def ready(self) -> list[int]:
        if self._epoll is not None:
            return [descriptor for descriptor, _ in self._epoll.poll(0, _BATCH)]
        assert self._selector is not None
        return [key.fd for key, _ in self._selector.select(0)]

    def close(self) -> None:
        if self._epoll is not None:
            self._epoll.close()
        elif self._selector is not None:
            self._selector.close()


class MediaEngine:
    """All streams of a process on one pacer. Use from the event loop that called start()."""

    def __init__(
        self,
        *,
        ports: range | None = None,
        sounds_cache_bytes: int = DEFAULT_CACHE_BYTES,
        local_streams: Mapping[str, str] | None = None,
        sounds_dir: str = "",
    ) -> None:
        """`ports`: even ones are used; None lets the operating system choose. `local_streams`: name → directory."""
        self._ports = PortPool(ports)
        self.library = Library(SoundCache(sounds_cache_bytes), dict(local_streams or {}), sounds_dir)
        self._pacer = Pacer(self._receive)
        self._readiness = Readiness()
        self._streams: dict[int, tuple[Stream, socket.socket]] = {}
        self._writers = ThreadPoolExecutor(max_workers=1, thread_name_prefix="recordings")
        self._started = False
        for law in Law:
            mix_table(law)
        self._next_check = 0
        self._wakes_by_datagram = False
        self._loop: asyncio.AbstractEventLoop

    def start(self) -> None:
        """Call from the running event loop."""
        self._started = True
        self._loop = asyncio.get_running_loop()
        if self._streams:
            self._pacer.start()
            self._choose_wakeups()

    async def close(self) -> None:
        """Close all streams and wait until their recordings are on disk."""
        for stream, _ in list(self._streams.values()):
            stream.close()
        self._pacer.stop()
        self._started = False
        self._readiness.close()
        await asyncio.wrap_future(self._writers.submit(_nothing))
        self._writers.shutdown()

    def open(self, local_ip: str) -> Stream:
        """A stream on a free even port. Raises NoPort when there is none, OSError when the address is not ours."""
        sock = self._ports.bind(local_ip)
        stream = Stream(
            sock,
            pacer=self._pacer,
            writers=self._writers,
            parse_source=self.source,
            closed=self._forget,
        )
        self._streams[sock.fileno()] = stream, sock
        self._readiness.add(sock.fileno())
        if self._started:
            self._pacer.start()
            self._choose_wakeups()
        return stream

    def source(self, text: str) -> Source:
        """parse_source with this engine's sounds and local streams."""
        return parse_source(text, self.library)

    def poll(self) -> None:
        """Send and receive what is due now. Call it between pieces of other work that together take over 1 ms (a burst
        of SIP messages): that keeps RTP punctual. 0.1 µs when nothing is due."""
        self._pacer.poll()

    @property
    def streams(self) -> int:
        return len(self._streams)

    @property
    def skipped_ms(self) -> int:
        """Milliseconds that were left out because the process stood still for more than 100 ms."""
        return self._pacer.skipped_ticks

    def _forget(self, stream: Stream) -> None:
        descriptor = stream.descriptor
        self._readiness.remove(descriptor)
        del self._streams[descriptor]
        self._ports.release(stream.local_ip, stream.local_port)
        if self._started:
            self._choose_wakeups()
        if not self._streams:
            self._pacer.stop()

    def _choose_wakeups(self) -> None:
        many = len(self._streams) >= MANY_STREAMS
        few = 0 < len(self._streams) < MANY_STREAMS
        self._pacer.every_tick = many
        descriptor = self._readiness.descriptor
        if descriptor is None:  # no epoll here: always by the millisecond
            self._pacer.every_tick = True
        elif few and not self._wakes_by_datagram:
            self._loop.add_reader(descriptor, self._pacer.run)
        elif not few and self._wakes_by_datagram:
            self._loop.remove_reader(descriptor)
        self._wakes_by_datagram = few and descriptor is not None

    def _receive(self) -> None:
        """Take one datagram from each socket that has some, until none has or the next slot is due."""
        clock = self._pacer.clock
        streams = self._streams
        for _ in range(_MAX_BATCHES):
            ready = self._readiness.ready()
            for descriptor in ready:
                entry = streams.get(descriptor)
                if entry is None:
                    continue
                stream, sock = entry
                try:
                    data, address = sock.recvfrom(MAX_DATAGRAM)
                except OSError:  # nothing there after all, or an ICMP error of an earlier send
                    continue
                stream.datagram(data, address, clock)
            if len(ready) < _BATCH or self._pacer.due:
                break
        if clock >= self._next_check:
            self._next_check = clock + _INACTIVITY_CHECK_SAMPLES
            for stream, _ in streams.values():
                stream.check_inactivity(clock)


def _nothing() -> None:
    """The last job of the writer thread: when it is done, all before it are."""
