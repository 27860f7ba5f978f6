# SPDX-License-Identifier: Apache-2.0
"""The media side of one channel: session descriptions in and out, the RTP stream behind them, hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from engine.embedded.player import Player
from engine.embedded.rtp import MediaEngine, Stream
from engine.embedded.sip import sdp
from engine.embedded.sip.sdp import Codec, Direction, MediaDescription

CODECS = (Codec.PCMA, Codec.PCMU)


class ChannelMedia:
    """Opened at the first description we send. `local` is the address to listen on and the one to show."""

    def __init__(self, engine: MediaEngine, on_dtmf: Callable[[str, int], None], on_inactivity: Callable[[float], None]) -> None:
        self._engine = engine
        self._on_dtmf = on_dtmf
        self._on_inactivity = on_inactivity
        self._session = sdp.Session()
        self._shown = ""
        self._event_type = sdp.OUR_TELEPHONE_EVENT
        """Our telephone-event payload type: once described, it means nothing else in this session (RFC 3264 §8.3.2)."""
        self.stream: Stream | None = None
        self.player: Player | None = None
        self.remote: MediaDescription | None = None
        self.description = b""
        """The last one we sent."""
        self.holding = False
        """They have put us on hold."""
        self.held_by_us = False

    def open(self, bind: str, shown: str) -> Stream:
        """Take a port. Raises rtp.NoPort, OSError."""
        if self.stream is None:
            self._shown = shown
            self.stream = self._engine.open(bind)
            self.stream.on_dtmf = self._on_dtmf
            self.stream.on_inactivity = self._on_inactivity
            self.player = Player(self.stream)
        return self.stream

    @property
    def ready(self) -> bool:
        return self.remote is not None and self.stream is not None

    @property
    def shown(self) -> str:
        return self._shown

    def offer(self) -> bytes:
        """Our offer, also for a re-INVITE; the stream must be open."""
        assert self.stream is not None
        codecs = CODECS if self.remote is None else (self.remote.codec, *(c for c in CODECS if c is not self.remote.codec))
        self.description = sdp.offer(self._shown, self.stream.local_port, codecs, self._wanted(), self._session, self._event_type)
        return self.description

    def answer(self, offer: sdp.Offer) -> bytes:
        """Our answer to their offer. Raises sdp.NoCommonCodec."""
        assert self.stream is not None
        if self.remote is not None and offer.disabled:
            self.description = sdp.decline(offer, self._shown, self._session)
            self._apply(replace(self.remote, port=0, direction=Direction.INACTIVE))
            return self.description
        wanted = self._wanted()
        if offer.telephone_event is not None:
            self._event_type = offer.telephone_event
        self.description, theirs = sdp.answer(offer, self._shown, self.stream.local_port, CODECS, wanted, self._session)
        self._apply(theirs)
        return self.description

    def accept(self, body: bytes) -> None:
        """Their answer to our offer. Raises sdp.SdpError."""
        self._apply(sdp.parse_answer(body, CODECS))

    def _wanted(self) -> Direction:
        return Direction.SENDONLY if self.held_by_us else Direction.SENDRECV

    def _apply(self, theirs: MediaDescription) -> None:
        assert self.stream is not None
        self.remote = theirs
        self.holding = theirs.port != 0 and (not theirs.direction.receives or theirs.address == "0.0.0.0")
        self.stream.set_remote(
            (theirs.address, theirs.port),
            theirs.codec,
            theirs.telephone_event,
            heard_event=self._event_type,
            send=theirs.direction.receives and theirs.port != 0,
            receive=theirs.direction.sends and theirs.port != 0,
        )

    def close(self) -> None:
        """Give the port back; nothing is reported any more."""
        if self.stream is not None:
            self.stream.close()
        self._on_dtmf, self._on_inactivity = _no_key, _no_silence


def _no_key(digit: str, samples: int) -> None:
    """After the end; the channel's own method would keep it in a circle until the garbage collector comes."""


def _no_silence(seconds: float) -> None:
    """As above."""
