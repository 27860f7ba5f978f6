# SPDX-License-Identifier: Apache-2.0
"""Offers and answers after the first: re-INVITE and UPDATE both ways, glare (491), the ACK's answer; one per call."""

from __future__ import annotations

import asyncio
import logging
import random
import weakref
from typing import TYPE_CHECKING

from engine.embedded.sip.message import Headers, Request, Response
from engine.embedded.sip.sdp import SdpError
from engine.embedded.sip.server import ServerTransaction
from engine.embedded.sip.states import CallDirection, CallState

if TYPE_CHECKING:
    from engine.embedded.sip.call import SipCall

log = logging.getLogger(__name__)


class Renegotiation:
    """At most one negotiation runs at a time; ours waits, theirs is put off (RFC 3261 §14, RFC 3311 §5)."""

    def __init__(self, call: SipCall) -> None:
        self._call_ref = weakref.ref(call)  # it holds us; a circle would wait for the garbage collector
        self._queued: bytes | None = None
        self._ours = 0  # CSeq of our re-INVITE under way
        self._acked = 0  # CSeq of our last acknowledged one
        self._unacked: dict[int, tuple[ServerTransaction, bool]] = {}  # theirs: CSeq → transaction, offer was ours
        self.first = 0  # CSeq of the INVITE that made the dialog, inbound only
        self._retry: asyncio.TimerHandle | None = None

    @property
    def _call(self) -> SipCall:
        call = self._call_ref()
        assert call is not None  # whoever calls us, a request of the call included, holds it
        return call

    def expect_ack(self, number: int, transaction: ServerTransaction, ours: bool) -> None:
        """We have sent a 2xx; `ours`: it carried our offer, so the ACK brings the answer."""
        self._unacked[number] = (transaction, ours)

    @property
    def unacked(self) -> bool:
        return bool(self._unacked)

    def close(self) -> None:
        """The dialog is over: a re-INVITE's 2xx is repeated no longer. The first INVITE's is: our BYE waits for its ACK."""
        self._queued = None
        for number in [number for number in self._unacked if number != self.first]:
            transaction, _ = self._unacked.pop(number)
            transaction.acked()
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    # -- ours

    def start(self, sdp: bytes) -> None:
        if self._call.state is CallState.ENDED:
            return
        self._queued = sdp
        self.proceed()

    def proceed(self) -> None:
        """Send what waits, if nothing stands in the way."""
        call = self._call
        dialog = call.dialog
        busy = self._ours or self._unacked or self._retry is not None
        if self._queued is None or busy or dialog is None or call.state is not CallState.CONFIRMED:
            return
        sdp, self._queued = self._queued, None
        self._ours = dialog.local_cseq + 1
        call.send(
            "INVITE",
            [("Content-Type", "application/sdp")],
            sdp,
            lambda response: self._answered(response, sdp),
            self._failed,
        )

    def _answered(self, response: Response, sdp: bytes) -> None:
        call = self._call
        dialog = call.dialog
        if response.code < 200 or dialog is None:
            return
        number = response.cseq[0]
        if response.code < 300:
            if number == self._acked:  # repeated: our ACK was lost
                call.acknowledge(dialog, number)
                return
            self._ours = 0
            self._acked = number
            dialog.refresh(response)
            call.acknowledge(dialog, number)
            body = response.sdp()
            if body is not None and call.events is not None and call.is_confirmed:
                call.events.media(body)
            self.proceed()
            return
        self._ours = 0
        if response.code == 491:
            owner = call.direction is CallDirection.OUTBOUND  # the side that chose the Call-ID waits longer (§14.1)
            wait = random.uniform(2.1, 4.0) if owner else random.uniform(0.0, 2.0)  # noqa: S311 - no secret
            if self._queued is None:
                self._queued = sdp
            self._retry = call.stack.loop.call_later(wait, self._try_again)
            return
        if response.code in (408, 481):
            call.lost(response.code)
            return
        log.info("call %s: re-INVITE refused: %d %s", call.call_id, response.code, response.reason)
        self.proceed()

    def _try_again(self) -> None:
        self._retry = None
        self.proceed()

    def _failed(self, code: int) -> None:
        self._ours = 0
        self._call.lost(408 if code == 408 else 481)

    # -- theirs

    def received_invite(self, transaction: ServerTransaction) -> None:
        call = self._call
        request = transaction.request
        if self._ours or not call.is_confirmed or any(ours for _, ours in self._unacked.values()):
            transaction.respond(491)
            return
        if any(open_one.open for open_one, _ in self._unacked.values()):
            transaction.respond(500, headers=[("Retry-After", "1")])
            return
        body = self._negotiate(transaction)
        if body is None:
            return
        number = request.cseq[0]
        self.expect_ack(number, transaction, ours=request.sdp() is None)
        transaction.on_no_ack = call.no_ack
        self._refresh(transaction)
        transaction.respond(200, headers=self._headers(request, body), body=body)

    def received_update(self, transaction: ServerTransaction) -> None:
        call = self._call
        request = transaction.request
        if request.sdp() is None and not request.body:
            self._refresh(transaction)
            transaction.respond(200, headers=self._headers(request, b""))
            return
        if not call.is_confirmed and call.direction is CallDirection.INBOUND:
            transaction.respond(500, headers=[("Retry-After", "1")])
            return
        if self._ours or not call.is_confirmed or any(ours for _, ours in self._unacked.values()):
            transaction.respond(491)
            return
        body = self._negotiate(transaction)
        if body is not None:
            self._refresh(transaction)
            transaction.respond(200, headers=self._headers(request, body), body=body)

    def _negotiate(self, transaction: ServerTransaction) -> bytes | None:
        """The core's answer or offer; None: refused, and the refusal is sent."""
        events = self._call.events
        request = transaction.request
        sdp = request.sdp()
        if sdp is None and request.body:
            transaction.respond(415, headers=[("Accept", "application/sdp")])
            return None
        if events is None:
            transaction.respond(500)
            return None
        try:
            return events.offered(sdp)
        except SdpError as error:
            log.info("call %s: offer refused: %s", self._call.call_id, error)
            transaction.respond(488)
            return None

    def _refresh(self, transaction: ServerTransaction) -> None:
        dialog = self._call.dialog
        if dialog is not None:
            dialog.refresh(transaction.request)
            self._call.source = transaction.flow.remote

    def _headers(self, request: Request, body: bytes) -> Headers:
        headers = [("Contact", self._call.contact()), *session_timer(request)]
        if body:
            headers.append(("Content-Type", "application/sdp"))
        return headers

    def received_ack(self, request: Request) -> None:
        waiting = self._unacked.pop(request.cseq[0], None)
        if waiting is None:
            return
        transaction, ours = waiting
        transaction.acked()
        call = self._call
        sdp = request.sdp()
        if ours and sdp is not None and call.events is not None and call.is_confirmed:
            call.events.media(sdp)
        self.proceed()


def session_timer(request: Request) -> list[tuple[str, str]]:
    """Session timers (RFC 4028) are tolerated: the other side may refresh, we never do and never end a call for it."""
    value = request.header("session-expires")
    if value is None or "timer" not in request.tokens("supported") | request.tokens("require"):
        return []
    seconds, _, tail = value.partition(";")
    if "refresher=uas" in tail.replace(" ", "").lower() or not seconds.strip().isdigit():
        return []
    return [("Require", "timer"), ("Session-Expires", f"{seconds.strip()};refresher=uac")]
