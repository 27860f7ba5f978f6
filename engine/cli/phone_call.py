# SPDX-License-Identifier: Apache-2.0
"""One call of the built-in phone (phone.py): sound both ways and what the SIP layer tells of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from engine.embedded.media import ChannelMedia
from engine.embedded.rtp import MediaEngine, NoPort, PlayEnd, RecordEnd
from engine.embedded.sip import sdp
from engine.embedded.sip.agent import Ended, Refer, SipCall

log = logging.getLogger(__name__)

Say = Callable[[str, str], None]
"""(what happened: registered, calling, ringing, answered, key, ended, …; more about it)"""
_INCOMPATIBLE = 88
_SAMPLES_A_MS = 8


class PhoneCall:
    """Implements engine.embedded.sip.contract.CallEvents. The file begins with the first description of sound, so
    that early media is kept too; `recorded` is set when it is complete or when there will be none."""

    def __init__(self, engine: MediaEngine, *, wav: Path, tone_hz: int, say: Say) -> None:
        """`tone_hz` 0: silent."""
        self._say, self._wav, self._tone_hz = say, wav, tone_hz
        self.audio = ChannelMedia(engine, self._heard_key, _silent)
        self.call: SipCall | None = None
        self.is_answered, self.is_ended, self.recorded = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.end: Ended | None = None
        self.keys_heard = ""
        self._recording = False

    # -- orders

    def pick_up(self, bind: str) -> None:
        """Answer an incoming call with sound on this address of ours."""
        call = self.call
        if call is None or self.is_ended.is_set():
            return
        try:
            self.audio.open(bind, bind)
            call.answer(self.audio.answer(sdp.parse_offer(call.offer)) if call.offer is not None else self.audio.offer())
        except (sdp.SdpError, NoPort, OSError) as error:
            log.warning("the call can't be answered: %s", error)
            call.reject(488)
            return
        self._begin()

    def press(self, digits: str) -> None:
        if self.audio.stream is not None:
            self._say("key", digits)
            self.audio.stream.send_dtmf(digits)

    def hang_up(self) -> None:
        if self.call is not None:
            self.call.hangup(q850=16)

    # -- what the SIP layer tells

    def ringing(self, code: int) -> None:
        self._say("ringing", "")

    def early_media(self, body: bytes) -> None:
        if self._accept(body):
            self._say("early media", "")
            self._record()

    def answered(self, body: bytes) -> None:
        if not body or self._accept(body):
            self._begin()

    def media(self, body: bytes) -> None:
        if self._accept(body):
            self._record()

    def acked(self) -> None:
        """Nothing to do: sound goes since our 200."""

    def offered(self, body: bytes | None) -> bytes:
        return self.audio.offer() if body is None else self.audio.answer(sdp.parse_offer(body))

    def info_dtmf(self, digit: str, duration_ms: int) -> None:
        self._heard_key(digit, duration_ms * _SAMPLES_A_MS)

    def refer(self, refer: Refer) -> None:
        refer.reject(603)

    def ended(self, ended: Ended) -> None:
        self.end = ended
        self._say("ended", " ".join(part for part in (str(ended.code or ""), ended.reason) if part))
        self.audio.close()
        if not self._recording:
            self.recorded.set()
        self.is_ended.set()

    # -- steps

    def _accept(self, body: bytes) -> bool:
        try:
            self.audio.accept(body)
        except sdp.SdpError as error:
            log.warning("unusable session description: %s", error)
            if self.call is not None:
                self.call.hangup(q850=_INCOMPATIBLE, reason_text="Incompatible destination")
            return False
        return True

    def _begin(self) -> None:
        self._record()
        if not self.is_answered.is_set():
            self._say("answered", "")
            self.is_answered.set()
            if self._tone_hz and self.audio.stream is not None:
                self.audio.stream.play(f"tone_stream://%(10000,0,{self._tone_hz});loops=-1", _played)

    def _record(self) -> None:
        if self.audio.stream is not None and self.audio.ready and not self._recording:
            self._recording = True
            self.audio.stream.record(str(self._wav), mode="mono", side="read", done=self._recorded)

    def _recorded(self, end: RecordEnd) -> None:
        self.recorded.set()

    def _heard_key(self, digit: str, samples: int) -> None:
        self.keys_heard += digit
        self._say("heard key", digit)


def _silent(seconds: float) -> None:
    """The other side sends no sound: what matters shows in the file."""


def _played(end: PlayEnd) -> None:
    """The tone ends with the call."""
