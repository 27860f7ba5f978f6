# SPDX-License-Identifier: Apache-2.0
"""Server transactions (RFC 3261 §17.2 with RFC 6026's Accepted state): answers, their repetition, and the wait for ACK."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.embedded.sip.flow import Flow
from engine.embedded.sip.message import Headers, Request, build_response

if TYPE_CHECKING:
    from engine.embedded.sip.transactions import MergeKey, ServerKey, TransactionLayer


_MAX_UNACKED = 256  # beyond this a flood is refused without keeping anything: one answer, no repetition


class ServerState(enum.Enum):
    """TRYING and PROCEEDING are one here: the difference is whether there is an answer to repeat."""

    PROCEEDING = "proceeding"
    ACCEPTED = "accepted"  # INVITE: 2xx sent; repeated here until acked()
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


_ANSWERED = Request("", "", "SIP/2.0", [], b"", "utf-8")


class ServerTransaction:
    """One incoming request and our answers to it."""

    __slots__ = (
        "_counted",
        "_interval",
        "_last",
        "_layer",
        "_sent_by_port",
        "_timer",
        "_waited",
        "flow",
        "is_invite",
        "key",
        "merge_key",
        "on_cancel",
        "on_no_ack",
        "request",
        "state",
        "to_tag",
    )  # fmt: skip

    def __init__(self, layer: TransactionLayer, key: ServerKey, request: Request, flow: Flow, to_tag: str) -> None:
        self._layer = layer
        self._last = b""
        self._counted = False
        self._sent_by_port = request.via.port
        self._timer: asyncio.TimerHandle | None = None
        self._interval = 0.0
        self._waited = 0.0
        self.key = key
        self.merge_key: MergeKey | None = None
        self.request = request
        self.flow = flow
        self.is_invite = request.method == "INVITE"
        self.state = ServerState.PROCEEDING
        self.to_tag = request.to.tag or to_tag
        self.on_cancel: Callable[[Request], None] | None = None  # a CANCEL came while no final answer was given
        self.on_no_ack: Callable[[], None] | None = None  # no ACK to our 2xx within 64*T1

    @property
    def open(self) -> bool:
        """No final answer given yet."""
        return self.state is ServerState.PROCEEDING

    def respond(self, code: int, reason: str = "", *, headers: Headers = (), body: bytes = b"") -> bool:
        """Send an answer; False when the final one was given before (then nothing is sent)."""
        if self.state is not ServerState.PROCEEDING:
            return False
        to_tag = self.to_tag if code > 100 else ""
        data = build_response(self.request, code, reason, to_tag=to_tag, headers=headers, body=body)
        self._last = data
        self._send()
        if code < 200:
            return True
        self.request = _ANSWERED  # what is kept for half a minute should be small
        if not self.is_invite:
            self.state = ServerState.COMPLETED
            self._layer.linger(self)  # Timer J; also over TCP: harmless, and a crossing repeat is still absorbed
            return True
        if code >= 300:
            self._layer.refused(self)
            if self._layer.unacked_refusals >= _MAX_UNACKED:
                self.terminate()
                return True
            self._layer.unacked_refusals += 1
            self._counted = True
        self._interval = self._layer.timers.t1
        self._waited = 0.0
        self.state = ServerState.ACCEPTED if code < 300 else ServerState.COMPLETED
        self._timer = self._layer.loop.call_later(self._interval, self._repeat)  # Timer G, or the UA core's 2xx
        return True

    def received_again(self) -> None:
        """The request was repeated: the last answer goes out again."""
        if self._last and self.state is not ServerState.CONFIRMED:
            self._send()

    def acked(self) -> None:
        """The ACK has come (for a 2xx: by the dialog)."""
        if self.state is ServerState.COMPLETED and self.is_invite:
            self._stop()
            self.state = ServerState.CONFIRMED
            self._last = b""
            self.on_cancel = self.on_no_ack = None
            self._layer.linger(self, short=True)  # Timer I
        elif self.state is ServerState.ACCEPTED:
            self._stop()
            self.state = ServerState.CONFIRMED
            self._last = b""  # nothing holds the call any longer, and nothing is sent again
            self.on_cancel = self.on_no_ack = None
            self._layer.linger(self)  # Timer L

    def cancelled(self, cancel: Request) -> None:
        """A CANCEL for this INVITE; after the final answer it changes nothing."""
        if self.state is ServerState.PROCEEDING and self.on_cancel is not None:
            self.on_cancel(cancel)

    def _repeat(self) -> None:
        timers = self._layer.timers
        self._waited += self._interval
        if self._waited >= timers.give_up * 0.999:
            accepted = self.state is ServerState.ACCEPTED
            no_ack = self.on_no_ack
            self.terminate()  # Timer H
            if accepted and no_ack is not None:
                no_ack()
            return
        accepted = self.state is ServerState.ACCEPTED
        if accepted or not self.flow.reliable:  # a 2xx is repeated over TCP too (RFC 3261 §13.3.1.4)
            self._send()
        self._interval = min(self._interval * 2, timers.t2, timers.give_up - self._waited)
        self._timer = self._layer.loop.call_later(self._interval, self._repeat)

    def _send(self) -> None:
        if not self.flow.closed:
            self.flow.send(self._last)
            return
        again = self.flow.back_to(self._sent_by_port)
        if again is not None:
            self.flow = again
            again.send(self._last)

    def _stop(self) -> None:
        if self._counted:
            self._counted = False
            self._layer.unacked_refusals -= 1
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def terminate(self) -> None:
        self._stop()
        self.state = ServerState.TERMINATED
        self.on_cancel = self.on_no_ack = None
        self._layer.remove_server(self)
