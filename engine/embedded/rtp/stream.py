# SPDX-License-Identifier: Apache-2.0
"""One RTP session with one peer: plays, relays, records and hears keys; channels of the embedded switch own one each."""

import asyncio
import ipaddress
import logging
import secrets
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from .dtmf import DtmfReceiver, EventPacket, event_packets
from .g711 import FRAME_SAMPLES, Law, law_of, transcode
from .pacer import Pacer
from .packet import HEADER, MARKER, VERSION_2, ahead16, parse
from .recorder import Mode, RecordEnd, Recording, RecordReason, Side
from .sources import Source
from .tones import key_tone

log = logging.getLogger(__name__)

Address = tuple[str, int]
RELOCK_SAMPLES = 2 * 8000
"""A source that was silent this long may be replaced by another one."""
NAT_REBIND_SAMPLES = 800
"""The same SSRC from a new address is the same phone behind a NAT, once the old address has been silent for 100 ms."""
_OLD_SOURCE_SAMPLES = 8000
_MAX_GAP = 3000
"""RFC 3550 appendix A.1 MAX_DROPOUT: a larger step of the sequence number is a new start."""
_REORDER = 100
_MASK32 = 0xFFFFFFFF
_pack = HEADER.pack


class PlayEnd(Enum):
    FINISHED = auto()
    BROKEN = auto()
    """Stopped, replaced by another play, or the stream was closed."""
    MISSING = auto()


class PayloadTyped(Protocol):
    @property
    def payload_type(self) -> int: ...


@dataclass(slots=True)
class StreamStats:
    received: int = 0
    received_bytes: int = 0
    sent: int = 0
    sent_bytes: int = 0
    lost: int = 0
    """Sequence numbers that were left out, less those that came late."""
    out_of_order: int = 0
    duplicates: int = 0
    malformed: int = 0
    foreign: int = 0
    """Packets from a source other than the locked one."""
    send_errors: int = 0
    relocks: int = 0


class Playback:
    """A running play; `ms` is what has been played of it."""

    __slots__ = ("_done", "_loop", "end", "frames_played")

    def __init__(self, loop: asyncio.AbstractEventLoop, done: Callable[[PlayEnd], None]) -> None:
        self._loop = loop
        self._done = done
        self.frames_played = 0
        self.end: PlayEnd | None = None

    @property
    def ms(self) -> int:
        return 20 * self.frames_played

    def finish(self, end: PlayEnd) -> None:
        if self.end is None:
            self.end = end
            self._loop.call_soon(self._done, end)


class Stream:
    """Made by MediaEngine.open. No method raises on a closed stream; every callback comes by loop.call_soon, so never
    from inside the call that caused it, and not after close() except the ends of plays and recordings.

    Sending order of precedence: keys being sent, the current source, what the bridged stream receives. All three share
    one sequence and one timestamp line that follows the pacing clock."""

    def __init__(
        self,
        sock: socket.socket,
        *,
        pacer: Pacer,
        writers: ThreadPoolExecutor,
        parse_source: Callable[[str], Source],
        closed: Callable[["Stream"], None],
    ) -> None:
        self._socket = sock
        self._sendto = sock.sendto
        self._pacer = pacer
        self._slot = pacer.join()
        self._writers = writers
        self._parse_source = parse_source
        self._on_closed = closed
        self._loop = asyncio.get_running_loop()
        self.local_ip, self.local_port = sock.getsockname()[:2]
        self.stats = StreamStats()
        self.on_dtmf: Callable[[str, int], None] | None = None
        """digit, duration in samples; once a key press"""
        self.on_inactivity: Callable[[float], None] | None = None
        """seconds without RTP; once, again only after RTP came back. Not while receive is off."""
        self.inactivity_seconds: float | None = None
        self.closed = False

        self.law = Law.PCMA
        self.telephone_event: int | None = None
        self._send = False
        self._receive = False
        self._signalled: Address | None = None
        self._destination: Address | None = None

        self._source: Address | None = None
        self._former: Address | None = None
        self._former_until = 0
        self._remote_ssrc: int | None = None
        self._remote_sequence = 0
        self._heard_at = pacer.clock
        self._inactivity_reported = False
        self._dtmf_in = DtmfReceiver(self._digit)

        self.ssrc = secrets.randbits(32)
        self._sequence = secrets.randbits(15)
        self._timestamp_offset = secrets.randbits(32)
        self._last_timestamp = self._timestamp_offset
        self._last_clock = pacer.clock
        self._talking = False
        """The last packet sent was audio of the current source; False sets the marker on the next."""

        self._frames: Iterator[bytes] | None = None
        self._playback: Playback | None = None
        self._dtmf_out: Iterator[EventPacket] | None = None
        self._dtmf_timestamp = 0
        self._dtmf_audio: Iterator[bytes] | None = None

        self._peer: Stream | None = None
        self._pass_dtmf = True
        self._relay_ssrc: int | None = None
        self._relay_sequence_delta = 0
        self._relay_timestamp_delta = 0
        self._recordings: tuple[Recording, ...] = ()

    # ---- where to send ---------------------------------------------------------------------------------------------

    def set_remote(
        self,
        address: Address,
        codec: PayloadTyped | int,
        telephone_event: int | None,
        *,
        send: bool = True,
        receive: bool = True,
    ) -> None:
        """What the SDP says: their address, G.711 payload type, their telephone-event payload type, direction seen from
        us (hold: send=False and/or receive=False). Port 0, 0.0.0.0 or a host name mean: no address until RTP comes.

        An unchanged address keeps the learnt source (a re-INVITE from behind a NAT); a new one makes us learn anew.
        Raises ValueError when the codec is not G.711."""
        self.law = law_of(codec if isinstance(codec, int) else codec.payload_type)
        self.telephone_event = telephone_event
        if receive and not self._receive:
            self._heard_at, self._inactivity_reported = self._pacer.clock, False
        self._send, self._receive = send, receive
        signalled = _usable(address, self._socket.family)
        if signalled == self._signalled and self._source is not None:
            return
        if self._source is not None and self._source != signalled:
            self._former, self._former_until = self._source, self._pacer.clock + _OLD_SOURCE_SAMPLES
        self._signalled = self._destination = signalled
        self._source = None

    @property
    def descriptor(self) -> int:
        return self._socket.fileno()

    @property
    def remote(self) -> Address | None:
        """Where RTP goes at present."""
        return self._destination

    # ---- playing ---------------------------------------------------------------------------------------------------

    def play(self, source: Source | str, done: Callable[[PlayEnd], None]) -> Playback:
        """Play from the next 20 ms step on; a running play ends with BROKEN. While nothing may be sent (hold, no address)
        the time of the source runs all the same."""
        self._end_play(PlayEnd.BROKEN)
        playback = Playback(self._loop, done)
        if self.closed:
            playback.finish(PlayEnd.BROKEN)
            return playback
        frames = (self._parse_source(source) if isinstance(source, str) else source).frames(self.law)
        if frames is None:
            playback.finish(PlayEnd.MISSING)
            return playback
        self._frames, self._playback, self._talking = frames, playback, False
        self._follow_clock()
        self._wake()
        return playback

    def stop(self) -> None:
        """End the current play with BROKEN, if there is one."""
        self._end_play(PlayEnd.BROKEN)

    @property
    def playing(self) -> bool:
        return self._frames is not None

    def _end_play(self, end: PlayEnd) -> None:
        playback, self._playback, self._frames, self._talking = self._playback, None, None, False
        if playback is not None:
            playback.finish(end)

    # ---- keys ------------------------------------------------------------------------------------------------------

    def send_dtmf(self, digits: str, duration_ms: int = 100, gap_ms: int = 60) -> None:
        """Queue keys (RFC 4733; as audible tones when the peer takes no telephone-event). `w`/`W` pause 0.5/1 s."""
        if self.closed:
            return
        if self._dtmf_out is None:
            self._follow_clock()
        self._dtmf_out = _chain(self._dtmf_out, event_packets(digits, duration_ms, gap_ms))
        self._wake()

    def _digit(self, digit: str, duration: int) -> None:
        if self.on_dtmf is not None:
            self._loop.call_soon(self.on_dtmf, digit, duration)

    # ---- bridge ----------------------------------------------------------------------------------------------------

    def bridge(self, other: "Stream", *, pass_dtmf: bool = True) -> None:
        """Relay between the two, both ways. Either may be bridged already; that bridge ends. A source playing on one of
        them is heard there instead of the peer until it ends."""
        self.unbridge()
        other.unbridge()
        if self.closed or other.closed or other is self:
            return
        for one, peer in ((self, other), (other, self)):
            one._peer, one._pass_dtmf, one._relay_ssrc = peer, pass_dtmf, None

    def unbridge(self) -> None:
        other, self._peer = self._peer, None
        if other is not None:
            other._peer = None

    @property
    def bridged_to(self) -> "Stream | None":
        return self._peer

    # ---- recording -------------------------------------------------------------------------------------------------

    def record(
        self,
        path: str,
        *,
        mode: Mode = "stereo",
        side: Side = "both",
        limit_s: float | None = None,
        silence: tuple[int, float] | None = None,
        done: Callable[[RecordEnd], None],
    ) -> Recording:
        """Record to a WAV file; folders are made. Several recordings may run. `side` "read" takes only what the peer says
        (voicemail). `silence` = (mean absolute sample value below which a packet counts as silent, seconds of it in a row
        that end the recording); no packets count as silent."""
        recording = Recording(
            path, mode=mode, side=side, law=self.law, clock=self._pacer.clock, limit_seconds=limit_s, silence=silence,
            done=done, detach=self._detach, writers=self._writers,
        )  # fmt: skip
        if self.closed:
            recording.finish(RecordReason.CLOSED)
            return recording
        self._recordings += (recording,)
        self._wake()
        return recording

    def _detach(self, recording: Recording) -> None:
        self._recordings = tuple(other for other in self._recordings if other is not recording)

    # ---- end -------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """End play, bridge and recordings, free the port. Harmless when repeated."""
        if self.closed:
            return
        self.closed = True
        self._dtmf_in.flush()
        self._end_play(PlayEnd.BROKEN)
        self._dtmf_out = None
        self.unbridge()
        for recording in self._recordings:
            recording.finish(RecordReason.CLOSED)
        self._pacer.rest(self, self._slot)
        self._pacer.leave(self._slot)
        self._on_closed(self)
        self._socket.close()

    # ---- the 20 ms step --------------------------------------------------------------------------------------------

    def _wake(self) -> None:
        self._pacer.wake(self, self._slot)

    def tick(self, clock: int) -> None:
        """Called by the pacer while there is something to do in time."""
        if self._dtmf_out is not None:
            self._send_event(clock)
        elif self._frames is not None:
            payload = next(self._frames, None)
            if payload is None:
                self._end_play(PlayEnd.FINISHED)
            else:
                self._playback.frames_played += 1  # type: ignore[union-attr]  # set together with _frames
                self._send_audio(payload, clock)
        if self._recordings:
            for recording in self._recordings:
                recording.tick(clock)
        if self._dtmf_in.active:
            self._dtmf_in.tick(clock)
        elif self._frames is None and self._dtmf_out is None and not self._recordings:
            self._pacer.rest(self, self._slot)

    def _send_audio(self, payload: bytes, clock: int) -> None:
        timestamp = (self._timestamp_offset + clock) & _MASK32
        sequence = self._sequence = (self._sequence + 1) & 0xFFFF
        self._last_timestamp, self._last_clock = timestamp, clock
        payload_type = self.law.payload_type
        if not self._talking:
            self._talking = True
            payload_type |= MARKER
        if self._send and self._destination is not None:
            self._put(_pack(VERSION_2, payload_type, sequence, timestamp, self.ssrc) + payload)
            for recording in self._recordings:
                recording.sent(clock, self.ssrc, timestamp, payload, self.law)

    def _put(self, datagram: bytes) -> None:
        try:
            self._sendto(datagram, self._destination)  # type: ignore[arg-type]  # callers checked it
        except OSError as error:
            if not self.stats.send_errors:
                log.warning("RTP to %s cannot be sent: %s", self._destination, error)
            self.stats.send_errors += 1
            return
        self.stats.sent += 1
        self.stats.sent_bytes += len(datagram)

    def _send_event(self, clock: int) -> None:
        assert self._dtmf_out is not None
        packet = next(self._dtmf_out, None)
        if packet is None:
            self._dtmf_out, self._talking = None, False
            return
        if packet.payload is None:
            self._talking = False
            return
        if packet.first:
            self._dtmf_timestamp = (self._timestamp_offset + clock) & _MASK32
        self._last_timestamp, self._last_clock = (self._timestamp_offset + clock) & _MASK32, clock
        if self.telephone_event is None:
            self._send_audible(packet, clock)
            return
        sequence = self._sequence = (self._sequence + 1) & 0xFFFF
        self._talking = False
        if self._send and self._destination is not None:
            second = self.telephone_event | (MARKER if packet.first else 0)
            self._put(_pack(VERSION_2, second, sequence, self._dtmf_timestamp, self.ssrc) + packet.payload)

    def _send_audible(self, packet: EventPacket, clock: int) -> None:
        if packet.first:
            # one piece of 100 ms after the other; a key is never longer than event_packets makes it
            self._dtmf_audio = _frames_of(key_tone(packet.digit, 10_000).pieces(self.law))
        if self._dtmf_audio is not None:
            self._send_audio(next(self._dtmf_audio, self.law.silence * FRAME_SAMPLES), clock)

    def _follow_clock(self) -> None:
        """Let our timestamps go on from the last one sent (which may have been a relayed one) with the pacing clock."""
        clock = self._pacer.clock
        self._timestamp_offset = (self._last_timestamp + (clock - self._last_clock) - clock) & _MASK32
        self._relay_ssrc = None

    # ---- receiving -------------------------------------------------------------------------------------------------

    def datagram(self, data: bytes, address: Address, clock: int) -> None:
        """One datagram from the socket, whatever it holds."""
        packet = parse(data)
        if packet is None or self.closed:
            self.stats.malformed += 1
            return
        marker, payload_type, sequence, timestamp, ssrc, payload = packet
        address = address[:2]
        if address != self._source and not self._accept(address, ssrc, sequence, clock):
            self.stats.foreign += 1
            return
        stats = self.stats
        stats.received += 1
        stats.received_bytes += len(data)
        self._heard_at = clock
        self._inactivity_reported = False
        if ssrc == self._remote_ssrc:
            step = (sequence - self._remote_sequence) & 0xFFFF
            if step == 1:
                self._remote_sequence = sequence
            elif step == 0:
                stats.duplicates += 1
                return
            elif step < _MAX_GAP:
                stats.lost += step - 1
                self._remote_sequence = sequence
            elif step >= 0x10000 - _REORDER:
                stats.out_of_order += 1
                stats.lost -= stats.lost > 0
            else:
                self._remote_sequence = sequence
        else:
            self._remote_ssrc, self._remote_sequence = ssrc, sequence
        if payload_type == 8 or payload_type == 0:
            if not self._receive:
                return
            law = Law.PCMA if payload_type else Law.PCMU
            if self._recordings:
                for recording in self._recordings:
                    recording.received(clock, ssrc, timestamp, payload, law)
            if self._peer is not None:
                self._peer._relay(law, marker, sequence, timestamp, ssrc, payload, clock)
        elif payload_type == self.telephone_event:
            self._dtmf_in.packet(marker, timestamp, ssrc, payload, clock)
            if self._dtmf_in.active:
                self._wake()
            if self._peer is not None:
                self._peer._relay(None if self._pass_dtmf else _SWALLOW, marker, sequence, timestamp, ssrc, payload, clock)
        elif self._peer is not None:
            self._peer._relay(_SWALLOW, marker, sequence, timestamp, ssrc, payload, clock)

    def _accept(self, address: Address, ssrc: int, sequence: int, clock: int) -> bool:
        """Whether the source may become ours: the first one; the one the SDP names; after silence of the locked one."""
        if self._source is not None and address != self._signalled:
            silent = clock - self._heard_at
            rebound = ssrc == self._remote_ssrc and 0 < ahead16(sequence, self._remote_sequence) < _MAX_GAP
            if silent < (NAT_REBIND_SAMPLES if rebound else RELOCK_SAMPLES):
                return False
        if address == self._former and clock < self._former_until:
            return False
        if self._source is not None:
            self.stats.relocks += 1
        if address != self._signalled:
            log.info("RTP of port %d comes from %s:%d, signalled was %s", self.local_port, *address, self._signalled)
        self._source = self._destination = address
        return True

    def _relay(
        self, kind: "Law | str | None", marker: int, sequence: int, timestamp: int, ssrc: int, payload: bytes, clock: int
    ) -> None:
        """Send on what the bridged stream received: a Law for audio, None for a telephone event. Its losses and its order
        stay visible in our numbers; its pauses in our timestamps."""
        if self._frames is not None or self._dtmf_out is not None:
            self._relay_ssrc = None
            return
        if ssrc != self._relay_ssrc:
            self._start_relay(sequence, timestamp, ssrc, clock)
            marker = MARKER
        out = (sequence + self._relay_sequence_delta) & 0xFFFF
        step = ahead16(out, self._sequence)
        if not -_REORDER <= step < _MAX_GAP:
            self._start_relay(sequence, timestamp, ssrc, clock)
            marker, step = MARKER, 1
            out = (sequence + self._relay_sequence_delta) & 0xFFFF
        if kind is _SWALLOW or (kind is None and self.telephone_event is None):
            self._relay_sequence_delta -= step == 1
            return
        timestamp = (timestamp + self._relay_timestamp_delta) & _MASK32
        if step > 0:
            self._sequence, self._last_timestamp, self._last_clock = out, timestamp, clock
        if not self._send or self._destination is None:
            return
        if isinstance(kind, Law):
            payload_type = self.law.payload_type
            if kind is not self.law:
                payload = transcode(payload, kind, self.law)
            for recording in self._recordings:
                recording.sent(clock, self.ssrc, timestamp, payload, self.law)
        else:
            assert self.telephone_event is not None
            payload_type = self.telephone_event
        self._put(_pack(VERSION_2, payload_type | marker, out, timestamp, self.ssrc) + payload)

    def _start_relay(self, sequence: int, timestamp: int, ssrc: int, clock: int) -> None:
        self._relay_ssrc = ssrc
        self._talking = False
        self._relay_sequence_delta = self._sequence + 1 - sequence
        since = max(clock - self._last_clock, FRAME_SAMPLES)
        self._relay_timestamp_delta = self._last_timestamp + since - timestamp

    def check_inactivity(self, clock: int) -> None:
        """Called by the engine about once a second."""
        limit = self.inactivity_seconds
        if limit is None or not self._receive or self._inactivity_reported:
            return
        silent = (clock - self._heard_at) / 8000
        if silent >= limit and self.on_inactivity is not None:
            self._inactivity_reported = True
            self._loop.call_soon(self.on_inactivity, silent)


_SWALLOW = "swallow"


def _chain(first: Iterator[EventPacket] | None, second: Iterator[EventPacket]) -> Iterator[EventPacket]:
    if first is not None:
        yield from first
    yield from second


def _frames_of(pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        for start in range(0, len(piece), FRAME_SAMPLES):
            yield piece[start : start + FRAME_SAMPLES]


def _usable(address: Address, family: int) -> Address | None:
    """None unless it is a numeric address of the socket's family that can be sent to; a name would block on DNS."""
    host, port = address
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return None
    if ip.is_unspecified or not 0 < port < 65536 or (ip.version == 6) != (family == socket.AF_INET6):
        return None
    return str(ip), port
