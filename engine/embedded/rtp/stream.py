# SPDX-License-Identifier: Apache-2.0
"""One RTP session with one peer: plays, relays, records and hears keys; channels of the embedded switch own one each."""

import asyncio
import logging
import secrets
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum, auto
from functools import partial
from itertools import chain
from typing import Protocol

from .dtmf import DtmfReceiver, EventPacket, event_packets
from .g711 import FRAME_SAMPLES, SAMPLE_RATE, Law, law_of, transcode
from .latch import MAX_DROPOUT, Address, Latch
from .pacer import Pacer
from .packet import HEADER, MARKER, VERSION_2, ahead16, parse
from .playback import Playback, PlayEnd
from .recorder import Mode, RecordEnd, Recording, RecordReason, Side
from .sources import Source, cut
from .tones import key_tone

log = logging.getLogger(__name__)

_REORDER = 100
_MASK32 = 0xFFFFFFFF
_pack = HEADER.pack


class PayloadTyped(Protocol):
    @property
    def payload_type(self) -> int: ...


class _Kind(Enum):
    """What is relayed beside audio (which is a Law)."""

    EVENT = auto()
    KEPT_BACK = auto()
    """Not passed on: keys when the bridge keeps them, comfort noise, unknown payload types."""


@dataclass(frozen=True, slots=True)
class StreamStats:
    """What a stream has done so far."""

    received: int
    sent: int
    lost: int
    """Sequence numbers that were left out, less those that came late."""
    out_of_order: int
    duplicates: int
    malformed: int
    foreign: int
    """Packets from a source other than the locked one."""
    source_changes: int
    send_errors: int


class Stream:
    """Made by MediaEngine.open. No method raises on a closed stream; every callback comes by loop.call_soon, so never
    from inside the call that caused it, and not after close() except the ends of plays and recordings.

    Who is heard by the peer: keys being sent, else the current source, else what the bridged stream receives. All three
    share one sequence and one line of timestamps that follows the pacing clock."""

    # with slots a packet costs 1 µs less: there are more attributes than Python shares keys for
    __slots__ = (
        "_closed_hook",
        "_dtmf_audio",
        "_dtmf_in",
        "_dtmf_out",
        "_dtmf_timestamp",
        "_duplicates",
        "_foreign",
        "_heard_at",
        "_inactivity_reported",
        "_last_clock",
        "_latch",
        "_loop",
        "_lost",
        "_malformed",
        "_marker",
        "_out_of_order",
        "_pacer",
        "_parse_source",
        "_pass_dtmf",
        "_payload_type",
        "_peer",
        "_playback",
        "_receive",
        "_received",
        "_recordings",
        "_relay_sequence_delta",
        "_relay_ssrc",
        "_relay_timestamp_delta",
        "_remote_sequence",
        "_remote_ssrc",
        "_send",
        "_send_errors",
        "_sendto",
        "_sent",
        "_sequence",
        "_slot",
        "_socket",
        "_timestamp_offset",
        "_watched_from",
        "_writers",
        "closed",
        "heard_event",
        "inactivity_seconds",
        "law",
        "local_ip",
        "local_port",
        "on_dtmf",
        "on_inactivity",
        "ssrc",
        "telephone_event",
    )  # fmt: skip

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
        self._closed_hook = closed
        self._loop = asyncio.get_running_loop()
        name = sock.getsockname()
        self.local_ip: str = name[0]
        self.local_port: int = name[1]
        self.closed = False
        self.on_dtmf: Callable[[str, int], None] | None = None
        """digit, duration in samples; once a key press"""
        self.on_inactivity: Callable[[float], None] | None = None
        """seconds without RTP; once, again only after RTP came back. Not while receive is off."""
        self.inactivity_seconds: float | None = None

        self.law = Law.PCMA
        self._payload_type = self.law.payload_type
        self.telephone_event: int | None = None
        self.heard_event: int | None = None
        self._send = False
        self._receive = False

        self._latch = Latch(sock.family)
        self._remote_ssrc: int | None = None
        self._remote_sequence = 0
        self._heard_at = self._watched_from = pacer.clock
        self._inactivity_reported = False
        self._dtmf_in = DtmfReceiver(self._digit)
        self._received = self._lost = self._out_of_order = self._duplicates = self._malformed = self._foreign = 0

        self.ssrc = secrets.randbits(32)
        self._sequence = secrets.randbits(15)
        self._timestamp_offset = secrets.randbits(31)
        """The timestamp sent at pacing clock c is c plus this; relaying moves it to where the other's timestamps lead."""
        self._last_clock = pacer.clock - FRAME_SAMPLES
        self._marker = MARKER
        self._sent = self._send_errors = 0
        self._playback: Playback | None = None
        self._dtmf_out: Iterator[EventPacket] | None = None
        self._dtmf_timestamp = 0
        self._dtmf_audio: Iterator[bytes] = iter(())

        self._peer: Stream | None = None
        self._pass_dtmf = True
        self._relay_ssrc: int | None = None
        self._relay_sequence_delta = 0
        self._relay_timestamp_delta = 0
        self._recordings: tuple[Recording, ...] = ()

    @property
    def stats(self) -> StreamStats:
        return StreamStats(
            self._received, self._sent, self._lost, self._out_of_order, self._duplicates, self._malformed, self._foreign,
            self._latch.changes, self._send_errors,
        )  # fmt: skip

    @property
    def descriptor(self) -> int:
        return self._socket.fileno()

    # ---- where to send ---------------------------------------------------------------------------------------------

    def set_remote(
        self,
        address: Address,
        codec: PayloadTyped | int,
        telephone_event: int | None,
        *,
        heard_event: int | None = None,
        send: bool = True,
        receive: bool = True,
    ) -> None:
        """What the SDP says: their address, G.711 payload type, their telephone-event payload type, direction seen from
        us (hold: send=False and/or receive=False). Port 0, 0.0.0.0 or a host name mean: no address until RTP comes.

        `heard_event` is our own telephone-event payload type: each side sends with the number that the other one has
        described (RFC 3264 §6.1). Theirs is taken from them, too: some phones send with what they want to receive.

        An unchanged address keeps the learnt source (a re-INVITE from behind a NAT); a new one makes us learn anew.
        A play that runs goes on in the new codec. Raises ValueError when the codec is not G.711."""
        law = law_of(codec if isinstance(codec, int) else codec.payload_type)
        if law is not self.law and self._playback is not None:
            self._playback.source = map(partial(transcode, source=self.law, target=law), self._playback.source)
        self.law = law
        self._payload_type = self.law.payload_type
        self.telephone_event, self.heard_event = telephone_event, heard_event
        if receive and not self._receive:
            self._heard_at, self._inactivity_reported = self._pacer.clock, False
        self._send, self._receive = send, receive
        self._latch.signal(address, self._pacer.clock)

    @property
    def remote(self) -> Address | None:
        """Where RTP goes at present."""
        return self._latch.destination

    # ---- playing ---------------------------------------------------------------------------------------------------

    def play(self, source: Source | str, done: Callable[[PlayEnd], None]) -> Playback:
        """Play from the next 20 ms step on; a running play ends with BROKEN. While nothing may be sent (hold, no address)
        the time of the source runs all the same."""
        self._end_play(PlayEnd.BROKEN)
        frames = None if self.closed else self._resolve(source).frames(self.law)
        playback = Playback(self._loop, done, iter(()) if frames is None else frames)
        if frames is None:
            playback.finish(PlayEnd.BROKEN if self.closed else PlayEnd.MISSING)
            return playback
        self._playback = playback
        self._leave_relay()
        self._pacer.wake(self, self._slot)
        return playback

    def stop(self) -> None:
        """End the current play with BROKEN, if there is one."""
        self._end_play(PlayEnd.BROKEN)

    @property
    def playing(self) -> bool:
        return self._playback is not None

    def _resolve(self, source: Source | str) -> Source:
        return self._parse_source(source) if isinstance(source, str) else source

    def _end_play(self, end: PlayEnd) -> None:
        playback, self._playback, self._marker = self._playback, None, MARKER
        if playback is not None:
            playback.finish(end)

    # ---- keys ------------------------------------------------------------------------------------------------------

    def send_dtmf(self, digits: str, duration_ms: int = 100, gap_ms: int = 60) -> None:
        """Queue keys (RFC 4733; as audible tones when the peer takes no telephone-event). `w`/`W` pause 0.5/1 s. A play
        waits meanwhile, a bridged peer is not heard."""
        if self.closed:
            return
        packets = event_packets(digits, duration_ms, gap_ms)
        if self._dtmf_out is None:
            self._leave_relay()
            self._dtmf_out = packets
        else:
            self._dtmf_out = chain(self._dtmf_out, packets)
        self._pacer.wake(self, self._slot)

    def _digit(self, digit: str, duration: int) -> None:
        self._loop.call_soon(self._tell_digit, digit, duration)

    def _tell_digit(self, digit: str, duration: int) -> None:
        if self.on_dtmf is not None:
            self.on_dtmf(digit, duration)

    # ---- bridge ----------------------------------------------------------------------------------------------------

    def bridge(self, other: "Stream", *, pass_dtmf: bool = True, pass_others: bool | None = None) -> None:
        """Relay between the two, both ways. Either may be bridged already; that bridge ends. A source playing on one of
        them is heard there instead of the peer until it ends. `pass_dtmf`: whether the other hears our peer's keys, and
        his are passed here (`pass_others` when that is another matter)."""
        self.unbridge()
        other.unbridge()
        if self.closed or other.closed or other is self:
            return
        others = pass_dtmf if pass_others is None else pass_others
        for one, peer, passes in ((self, other, pass_dtmf), (other, self, others)):
            one._peer, one._pass_dtmf, one._relay_ssrc = peer, passes, None

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
        append: bool = False,
        done: Callable[[RecordEnd], None],
    ) -> Recording:
        """Record to a WAV file, with `append` behind the sound that it holds; folders are made. Several recordings may run.

        `side` "read" takes only what the peer says (voicemail). `silence` = (mean absolute sample value below which a packet counts as
        silent, seconds of it in a row that end the recording); no packets count as silent."""
        recording = Recording(
            path, mode=mode, side=side, law=self.law, clock=self._pacer.now(), limit_seconds=limit_s, silence=silence,
            append=append, done=done, detach=self._detach, writers=self._writers,
        )  # fmt: skip
        if self.closed:
            recording.finish(RecordReason.CLOSED)
            return recording
        self._recordings += (recording,)
        self._pacer.wake(self, self._slot)
        return recording

    def _detach(self, recording: Recording) -> None:
        self._recordings = tuple(other for other in self._recordings if other is not recording)

    # ---- end -------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """End play, bridge and recordings, free the port. Harmless when repeated."""
        if self.closed:
            return
        self.closed = True
        self.on_dtmf = self.on_inactivity = None
        self._dtmf_in.report = _unheard
        self._end_play(PlayEnd.BROKEN)
        self._dtmf_out = None
        self.unbridge()
        for recording in self._recordings:
            recording.finish(RecordReason.CLOSED)
        self._pacer.rest(self, self._slot)
        self._pacer.leave(self._slot)
        self._closed_hook(self)
        self._socket.close()

    # ---- sending: the 20 ms step -----------------------------------------------------------------------------------

    def tick(self, clock: int) -> None:
        """Called by the pacer while there is something to do in time."""
        playback = self._playback
        if self._dtmf_out is not None:
            self._send_event(clock)
        elif playback is not None:
            payload = next(playback.source, None)
            if payload is None:
                self._end_play(PlayEnd.FINISHED)
            else:
                playback.frames += 1
                self._send_audio(payload, clock)
        if self._recordings:
            for recording in self._recordings:
                recording.tick(clock)
        if self._dtmf_in.active:
            self._dtmf_in.tick(clock)
        elif self._playback is None and self._dtmf_out is None and not self._recordings:
            self._pacer.rest(self, self._slot)

    def _send_audio(self, payload: bytes, clock: int) -> None:
        destination = self._latch.destination
        if destination is None or not self._send:
            return
        self._sequence = sequence = (self._sequence + 1) & 0xFFFF
        self._last_clock = clock
        timestamp = (self._timestamp_offset + clock) & _MASK32
        second = self._payload_type | self._marker
        self._marker = 0
        try:
            self._sendto(_pack(VERSION_2, second, sequence, timestamp, self.ssrc) + payload, destination)
            self._sent += 1
        except OSError as error:
            self._send_failed(error)
        if self._recordings:
            for recording in self._recordings:
                recording.sent(clock, self.ssrc, timestamp, payload, self.law)

    def _send_failed(self, error: OSError) -> None:
        """Counted, told once: an unreachable network would fill the log 50 times a second."""
        if not self._send_errors:
            log.warning("RTP from port %d to %s cannot be sent: %s", self.local_port, self.remote, error)
        self._send_errors += 1

    def _send_event(self, clock: int) -> None:
        assert self._dtmf_out is not None
        packet = next(self._dtmf_out, None)
        if packet is None or packet.payload is None:
            self._marker = MARKER
            if packet is None:
                self._dtmf_out = None
            return
        if packet.first:
            self._dtmf_timestamp = (self._timestamp_offset + clock) & _MASK32
            if self.telephone_event is None:
                self._dtmf_audio = cut(key_tone(packet.digit, 10_000).pieces(self.law), self.law)
        if self.telephone_event is None:
            self._send_audio(next(self._dtmf_audio, self.law.silence * FRAME_SAMPLES), clock)
            return
        destination = self._latch.destination
        if destination is None or not self._send:
            return
        self._sequence = sequence = (self._sequence + 1) & 0xFFFF
        self._last_clock = clock
        second = self.telephone_event | (MARKER if packet.first else 0)
        try:
            datagram = _pack(VERSION_2, second, sequence, self._dtmf_timestamp, self.ssrc) + packet.payload
            self._sendto(datagram, destination)
            self._sent += 1
        except OSError as error:
            self._send_failed(error)

    def _leave_relay(self) -> None:
        """Own sound begins: never before the end of the last packet sent, and a later relay makes a new start."""
        self._relay_ssrc = None
        self._marker = MARKER
        if self._pacer.clock - self._last_clock < FRAME_SAMPLES:
            self._timestamp_offset += FRAME_SAMPLES

    # ---- receiving -------------------------------------------------------------------------------------------------

    def datagram(self, data: bytes, address: Address, clock: int) -> None:
        """One datagram from the socket, whatever it holds."""
        packet = parse(data)
        if packet is None or self.closed:
            self._malformed += 1
            return
        marker, payload_type, sequence, timestamp, ssrc, payload = packet
        address = address[:2]  # IPv6 has four parts
        if address != self._latch.source and not self._accept(address, ssrc, sequence, clock):
            self._foreign += 1
            return
        self._received += 1
        self._heard_at = clock
        if ssrc == self._remote_ssrc:
            step = (sequence - self._remote_sequence) & 0xFFFF
            if step == 1:
                self._remote_sequence = sequence
            elif not self._out_of_step(step, sequence):
                return
        else:
            self._remote_ssrc, self._remote_sequence = ssrc, sequence
        kind: Law | _Kind
        if payload_type == 8 or payload_type == 0:
            if not self._receive:
                return
            kind = Law.PCMA if payload_type else Law.PCMU
            if self._recordings:
                for recording in self._recordings:
                    recording.received(clock, ssrc, timestamp, payload, kind)
        elif payload_type == self.heard_event or payload_type == self.telephone_event:
            self._dtmf_in.packet(marker, timestamp, ssrc, payload, clock)
            if self._dtmf_in.active:
                self._pacer.wake(self, self._slot)
            kind = _Kind.EVENT if self._pass_dtmf else _Kind.KEPT_BACK
        else:
            kind = _Kind.KEPT_BACK
        if self._peer is not None:
            self._peer._relay(kind, marker, sequence, timestamp, ssrc, payload, clock)

    def _out_of_step(self, step: int, sequence: int) -> bool:
        """Count a packet that is not the next one; False when it is to be dropped."""
        if step == 0:
            self._duplicates += 1
            return False
        if step < MAX_DROPOUT:
            self._lost += step - 1
        elif step >= 0x10000 - _REORDER:
            self._out_of_order += 1
            self._lost -= self._lost > 0
            return True
        self._remote_sequence = sequence
        return True

    def _accept(self, address: Address, ssrc: int, sequence: int, clock: int) -> bool:
        accepted = self._latch.accept(
            address,
            silent=clock - self._heard_at,
            same_ssrc=ssrc == self._remote_ssrc,
            sequence=sequence,
            last_sequence=self._remote_sequence,
            clock=clock,
        )
        if accepted and address != self._latch.signalled:
            log.info("RTP of port %d comes from %s, signalled was %s", self.local_port, address, self._latch.signalled)
        return accepted

    def _relay(
        self, kind: Law | _Kind, marker: int, sequence: int, timestamp: int, ssrc: int, payload: bytes, clock: int
    ) -> None:
        """Send on what the bridged stream received. Its losses and its order stay visible in our sequence numbers, its
        pauses in our timestamps; what is kept back leaves no hole."""
        if self._playback is not None or self._dtmf_out is not None:
            return
        if ssrc != self._relay_ssrc:
            self._start_relay(sequence, timestamp, ssrc, clock)
            marker = MARKER
        out = (sequence + self._relay_sequence_delta) & 0xFFFF
        step = ahead16(out, self._sequence)
        if not -_REORDER <= step < MAX_DROPOUT:
            self._start_relay(sequence, timestamp, ssrc, clock)
            marker, step = MARKER, 1
            out = (sequence + self._relay_sequence_delta) & 0xFFFF
        if kind is _Kind.KEPT_BACK or (kind is _Kind.EVENT and self.telephone_event is None):
            self._relay_sequence_delta -= step == 1
            return
        timestamp = (timestamp + self._relay_timestamp_delta) & _MASK32
        if step > 0:
            self._sequence, self._last_clock = out, clock
            self._timestamp_offset = timestamp - clock
        destination = self._latch.destination
        if destination is None or not self._send:
            return
        if isinstance(kind, Law):
            second = self._payload_type | marker
            if kind is not self.law:
                payload = transcode(payload, kind, self.law)
            if self._recordings:
                for recording in self._recordings:
                    recording.sent(clock, self.ssrc, timestamp, payload, self.law)
        else:
            second = (self.telephone_event or 0) | marker
        try:
            self._sendto(_pack(VERSION_2, second, out, timestamp, self.ssrc) + payload, destination)
            self._sent += 1
        except OSError as error:
            self._send_failed(error)

    def _start_relay(self, sequence: int, timestamp: int, ssrc: int, clock: int) -> None:
        self._relay_ssrc = ssrc
        self._relay_sequence_delta = self._sequence + 1 - sequence
        after_the_last = max(clock, self._last_clock + FRAME_SAMPLES)
        self._relay_timestamp_delta = self._timestamp_offset + after_the_last - timestamp

    def watch(self, seconds: float | None) -> None:
        """From now on tell of so long a silence; None: of none."""
        self.inactivity_seconds = seconds
        self._watched_from, self._inactivity_reported = self._pacer.clock, False

    def check_inactivity(self, clock: int) -> None:
        """Called by the engine about once a second."""
        limit = self.inactivity_seconds
        if limit is None or not self._receive or self.on_inactivity is None:
            return
        silent = (clock - max(self._heard_at, self._watched_from)) / SAMPLE_RATE
        if silent < limit:
            self._inactivity_reported = False
        elif not self._inactivity_reported:
            self._inactivity_reported = True
            self._loop.call_soon(self.on_inactivity, silent)


def _unheard(digit: str, duration: int) -> None:
    """Instead of a closed stream's own method: that would be a circle, kept until the garbage collector comes."""
