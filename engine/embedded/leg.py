# SPDX-License-Identifier: Apache-2.0
"""Between a channel and its SIP call: orders of the channel become SIP, what the SIP layer tells becomes channel states."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from engine.embedded import causes, hold
from engine.embedded.rtp import NoPort
from engine.embedded.sip import sdp

if TYPE_CHECKING:
    from engine.embedded.channel import Channel
    from engine.embedded.sip.call import SipCall
    from engine.embedded.sip.contract import Ended, HeaderPairs
    from engine.embedded.sip.transfer import Refer

log = logging.getLogger(__name__)


class Leg:
    """Implements the SIP layer's CallEvents for both directions."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.call: SipCall | None = None
        self.offer: sdp.Offer | None = None
        """Of an inbound call; None: the INVITE had none."""
        self.over = False
        self.transferring = False
        """A REFER of this party is being carried out."""

    @property
    def disposition(self) -> str:
        """sip_hangup_disposition when we end the call in its present state."""
        if self.channel.answered:
            return "send_bye"
        return "send_refuse" if self.channel.direction == "inbound" else "send_cancel"

    # -- orders ------------------------------------------------------------------------------------------------------

    def ring(self) -> None:
        if self.call is not None:
            self.call.ring()

    def progress(self) -> bool:
        """183 with our description. An offerless INVITE can only ring."""
        if self.call is None or self.over:
            return False
        if self.offer is None:
            self.call.ring()
            return False
        if not self._describe():
            return False
        self.call.progress(self.channel.media.description)
        return True

    def answer(self) -> bool:
        """200 with our description."""
        if self.call is None or self.over or not self._describe():
            return False
        self.call.answer(self.channel.media.description)
        return True

    def _describe(self) -> bool:
        channel, call = self.channel, self.call
        assert call is not None
        media = channel.media
        if media.description:
            return True
        try:
            media.open(*channel.switch.addresses_of(call))
            if self.offer is None:
                media.offer()
            else:
                media.answer(self.offer)
        except (NoPort, OSError) as error:
            log.error("%s: no port for sound: %s", channel.name, error)
            channel.hangup("NORMAL_CIRCUIT_CONGESTION")
            return False
        except sdp.SdpError as error:
            log.info("%s: %s", channel.name, error)
            channel.hangup("INCOMPATIBLE_DESTINATION")
            return False
        channel.switch.media_variables(channel)
        return True

    def end(self, cause: str) -> None:
        """Hang up with this cause, in whatever state the SIP call is."""
        if self.over or self.call is None:
            return
        self.over = True
        channel = self.channel
        number = causes.q850(cause)
        if channel.answered or channel.direction == "outbound":
            elsewhere = 200 if cause in ("LOSE_RACE", "PICKED_OFF") and not channel.answered else None
            self.call.hangup(q850=number, reason_text=cause, sip_reason=elsewhere)
            return
        status = causes.sip_status(cause)
        last = channel.get("last_bridge_proto_specific_hangup_cause") or ""
        if last.startswith("sip:") and last[4:].isdigit() and 400 <= int(last[4:]) < 700:
            status = int(last[4:])
        self.refuse(status, reason_header=f'Q.850;cause={number};text="{cause}"')

    def refuse(self, status: int, reason: str = "", reason_header: str = "") -> None:
        """A final answer to an unanswered inbound call."""
        self.over = True
        headers: HeaderPairs = (("Reason", reason_header),) if reason_header else ()
        if self.call is not None:
            self.call.reject(status, reason, headers)
        self.channel.set("proto_specific_hangup_cause", f"sip:{status}")
        self.channel.set("sip_term_status", str(status))

    def reinvite(self) -> None:
        """Offer anew what the channel's media wants now (our own hold)."""
        if self.call is not None and not self.over and self.channel.answered:
            self.call.reinvite(self.channel.media.offer())

    # -- CallEvents --------------------------------------------------------------------------------------------------

    def ringing(self, code: int) -> None:
        self.channel.mark_ringing()

    def early_media(self, sdp: bytes) -> None:
        if self._accept(sdp):
            self.channel.mark_early()

    def answered(self, sdp: bytes) -> None:
        if (not sdp and self.channel.media.ready) or self._accept(sdp):
            self._answered()

    def _answered(self) -> None:
        self.channel.set("endpoint_disposition", "ANSWER")
        self.channel.mark_answered()

    def _accept(self, body: bytes) -> bool:
        channel = self.channel
        try:
            channel.media.accept(body)
        except sdp.SdpError as error:
            log.warning("%s: their description can't be used: %s", channel.name, error)
            channel.hangup("INCOMPATIBLE_DESTINATION")
            return False
        channel.switch.media_variables(channel)
        return True

    def media(self, sdp: bytes) -> None:
        if self._accept(sdp):
            hold.check(self.channel)

    def offered(self, sdp: bytes | None) -> bytes:
        media = self.channel.media
        if media.stream is None:
            # an UPDATE before we had anything to say: our first description answers it
            assert self.call is not None
            media.open(*self.channel.switch.addresses_of(self.call))
        if sdp is None:
            return media.offer()
        body = media.answer(_parse(sdp))
        hold.check(self.channel)
        return body

    def info_dtmf(self, digit: str, duration_ms: int) -> None:
        self.channel.info_dtmf(digit, duration_ms)

    def refer(self, refer: Refer) -> None:
        self.channel.switch.refer(self.channel, refer)

    def acked(self) -> None:
        return

    def ended(self, ended: Ended) -> None:
        if self.over:
            return
        self.over = True
        channel = self.channel
        if ended.code is not None:
            channel.set("proto_specific_hangup_cause", f"sip:{ended.code}")
            channel.set("sip_term_status", str(ended.code))
        channel.hangup(*self._meaning(ended))

    def _meaning(self, ended: Ended) -> tuple[str, str]:
        """Cause and disposition of an end that the other side or the network made."""
        channel = self.channel
        reason = causes.of_number(ended.q850) if ended.q850 else ""
        if channel.answered:
            if ended.timed_out:
                return "RECOVERY_ON_TIMER_EXPIRE", "send_bye"
            return reason or "NORMAL_CLEARING", "recv_bye"
        if channel.direction == "inbound":
            if ended.timed_out:
                return "RECOVERY_ON_TIMER_EXPIRE", "send_refuse"
            return "ORIGINATOR_CANCEL", "recv_cancel"
        if ended.timed_out:
            return "RECOVERY_ON_TIMER_EXPIRE", "recv_refuse"
        return reason or causes.of_sip(ended.code or 0), "recv_refuse"


def _parse(body: bytes) -> sdp.Offer:
    return sdp.parse_offer(body)
