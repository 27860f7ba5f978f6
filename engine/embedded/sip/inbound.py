# SPDX-License-Identifier: Apache-2.0
"""A call that came to us: our answers to its INVITE; the agent makes it, the core gives the orders."""

from __future__ import annotations

import asyncio

from engine.embedded.sip.call import SipCall
from engine.embedded.sip.contract import Ended
from engine.embedded.sip.dialogs import Dialog
from engine.embedded.sip.message import Headers, Request
from engine.embedded.sip.reason import final_code, parse_reasons
from engine.embedded.sip.renegotiation import session_timer
from engine.embedded.sip.server import ServerTransaction
from engine.embedded.sip.stack import ALLOW, SUPPORTED, Stack
from engine.embedded.sip.states import CallDirection, CallState

_INCOMPATIBLE = 88  # Q.850: incompatible destination, as for 488
_REPEAT_PROVISIONAL = 60.0  # keeps proxies' Timer C from ending a long ringing (RFC 3261 §13.3.1.1)


class InboundCall(SipCall):
    """The server side of an INVITE."""

    request: Request

    def __init__(self, stack: Stack, transaction: ServerTransaction) -> None:
        """Raises MalformedMessage for what cannot become a dialog."""
        request = transaction.request
        listener = transaction.flow.listener.name
        super().__init__(stack, CallDirection.INBOUND, listener, request.call_id, transaction.to_tag)
        self.request = request
        self.source = transaction.flow.remote
        self.transport = transaction.flow.transport
        self.remote_user_agent = request.header("user-agent") or ""
        self.offer = request.sdp()
        self.contact_user = request.uri.user
        self._transaction = transaction
        self.talks.first = request.cseq[0]
        self._bye_reasons: Headers | None = None
        self._again: asyncio.TimerHandle | None = None
        self._again_as: tuple[int, bytes] = (0, b"")
        self.remember(Dialog.as_server(request, transaction.to_tag, transaction.flow))
        transaction.on_cancel = self._cancelled
        transaction.on_no_ack = self.no_ack

    @property
    def max_forwards(self) -> int:
        """What a call of ours on behalf of this one may still use."""
        text = (self.request.header("max-forwards") or "70").strip()
        return max(0, int(text) - 1) if text.isascii() and text.isdigit() and len(text) < 4 else 69

    def ring(self) -> None:
        self._provisional(180, b"")

    def progress(self, sdp: bytes) -> None:
        self._provisional(183, sdp)

    def _provisional(self, code: int, sdp: bytes) -> None:
        if self.state not in (CallState.TRYING, CallState.EARLY):
            return
        self.state = CallState.EARLY
        self._transaction.respond(code, headers=self._headers(sdp), body=sdp)
        self._again_as = (code, sdp)
        self._stop_again()
        self._again = self.stack.loop.call_later(_REPEAT_PROVISIONAL, self._provisional_again)

    def _provisional_again(self) -> None:
        self._provisional(*self._again_as)

    def _stop_again(self) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None

    def _headers(self, sdp: bytes) -> list[tuple[str, str]]:
        headers = [("Contact", self.contact()), ("Allow", ALLOW), ("User-Agent", self.stack.options.user_agent)]
        if sdp:
            headers.append(("Content-Type", "application/sdp"))
        return headers

    def answer(self, sdp: bytes, headers: Headers = ()) -> None:
        if self.state not in (CallState.TRYING, CallState.EARLY):
            return
        self._stop_again()
        full = [*self._headers(sdp), ("Supported", SUPPORTED), *session_timer(self.request), *headers]
        self.state = CallState.ANSWERED
        self.talks.expect_ack(self.talks.first, self._transaction, ours=self.offer is None)
        self._transaction.respond(200, headers=full, body=sdp)

    def reject(self, code: int, reason: str = "", headers: Headers = ()) -> None:
        if self.state in (CallState.TRYING, CallState.EARLY):
            self._refuse(code if 300 <= code < 700 else 480, reason, headers)
            self.finish(Ended(code, False, None, reason))

    def _refuse(self, code: int, reason: str = "", headers: Headers = ()) -> None:
        self._stop_again()
        self._transaction.respond(code, reason, headers=headers)
        self.forget()

    def _hangup(self, ended: Ended, reasons: Headers) -> None:
        if self.state is CallState.CONFIRMED:
            self.finish(ended)
            self.bye(reasons)
        elif self.state is CallState.ANSWERED:  # a BYE may not overtake the ACK (RFC 3261 §15)
            self._bye_reasons = reasons
            self.finish(ended)
        else:
            code = final_code(ended.q850)
            self._refuse(code, "", reasons)
            self.finish(Ended(code, False, ended.q850, ended.reason))

    def _cancelled(self, cancel: Request) -> None:
        q850, sip_cause, text = parse_reasons(cancel.values("reason"))
        self._refuse(487)
        self.finish(Ended(487, True, q850, text, sip_cause=sip_cause))

    def before_remote_bye(self) -> None:
        self._stop_again()
        if self._transaction.open:
            self._transaction.respond(487)
        else:
            self._transaction.acked()

    def received_ack(self, request: Request) -> None:
        first = self.state is CallState.ANSWERED and request.cseq[0] == self.talks.first
        if first:
            self.state = CallState.CONFIRMED
        self.talks.received_ack(request)
        if first and self.offer is None and request.sdp() is None:  # no session without the answer (RFC 3261 §13.2.1)
            self.hangup(q850=_INCOMPATIBLE, reason_text="no answer in the ACK")
            return
        if first and self.events is not None:
            self.events.acked()
        if self._bye_reasons is not None and not self.talks.unacked:
            self.bye(self._bye_reasons)

    def no_ack(self) -> None:
        self._bye_reasons = None
        super().no_ack()
