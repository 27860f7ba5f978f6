# SPDX-License-Identifier: Apache-2.0
"""One INVITE dialog as the core holds it: what both directions share once there is a dialog (see inbound.py, outbound.py)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import ClassVar
from urllib.parse import quote

from engine.embedded.sip.auth import answer_challenge
from engine.embedded.sip.contract import Address, CallEvents, Credentials, Ended
from engine.embedded.sip.dialogs import Dialog
from engine.embedded.sip.flow import Flow
from engine.embedded.sip.info import dtmf_of
from engine.embedded.sip.message import Headers, Request, Response
from engine.embedded.sip.reason import parse_reasons, reason_headers
from engine.embedded.sip.renegotiation import Renegotiation
from engine.embedded.sip.server import ServerTransaction
from engine.embedded.sip.stack import ALLOW, SUPPORTED, Stack
from engine.embedded.sip.states import CallDirection, CallState
from engine.embedded.sip.syntax import format_name_addr, parse_name_addr
from engine.embedded.sip.transfer import Refer

log = logging.getLogger(__name__)


class SipCall:
    """A call. Every method returns at once and is harmless on a dead call; what happens comes as CallEvents."""

    def __init__(self, stack: Stack, direction: CallDirection, listener: str, call_id: str, local_tag: str) -> None:
        self.stack = stack
        self.direction = direction
        self.listener = listener
        self.call_id = call_id
        self.local_tag = local_tag
        self.remote_tag = ""
        self.state = CallState.TRYING
        self.source: Address = ("", 0)
        self.transport = "udp"
        self.remote_user_agent = ""
        self.request: Request | None = None  # the INVITE, inbound only
        self.response: Response | None = None  # the 2xx, outbound only
        self.offer: bytes | None = None
        self.account: object = None
        self.username = ""  # of the digest, with the realm
        self.replaces: SipCall | None = None
        self.ended_as: Ended | None = None
        self.data: object = None  # the core's own
        self._events: CallEvents | None = None
        self.dialog: Dialog | None = None
        self.credentials: Credentials | None = None
        self.contact_user = ""
        self.talks = Renegotiation(self)
        self._bye_sent = False

    # -- orders of the core; the ones without a meaning for a direction do nothing

    def ring(self) -> None:
        """180."""

    def progress(self, sdp: bytes) -> None:
        """183 with our answer; may be followed by ring() and answer()."""

    def answer(self, sdp: bytes, headers: Headers = ()) -> None:
        """200, repeated until the ACK; without one within 64*T1 the call is ended. To an offerless INVITE `sdp` is our
        offer and the ACK's answer comes as media()."""

    def reject(self, code: int, reason: str = "", headers: Headers = ()) -> None:
        """Final response to an unanswered INVITE."""

    def hangup(self, *, q850: int | None = None, reason_text: str = "", sip_reason: int | None = None) -> None:
        """End it in whatever way its state asks for: CANCEL, final response, BYE. `sip_reason` (200: completed
        elsewhere) goes into a CANCEL, `q850` into a BYE or final response. ended() follows from the loop."""
        if self.state is CallState.ENDED:
            return
        self._hangup(Ended(None, False, q850, reason_text), reason_headers(q850, reason_text, sip_reason))

    def reinvite(self, sdp: bytes) -> None:
        """Offer new media; the answer comes as media(). Waits its turn behind another negotiation (491 is retried)."""
        self.talks.start(sdp)

    def show(self, display: str, user: str) -> bool:
        """Tell an answered phone by UPDATE with whom it talks now (RFC 3311, RFC 3325); False when it takes no UPDATE."""
        told = self.response or self.request
        dialog = self.dialog
        if dialog is None or not self.is_confirmed or told is None or "update" not in {m.lower() for m in told.tokens("allow")}:
            return False
        host = parse_name_addr(dialog.local).uri.host
        identity = format_name_addr(display, f"sip:{quote(user, safe='+*')}@{host}")
        self.send("UPDATE", [("P-Asserted-Identity", identity)], b"", lambda response: None)
        return True

    def notify_refer(self, refer: Refer, code: int, final: bool) -> None:
        """Tell the transferor how it goes; a final one ends the subscription."""
        if self.dialog is None or not refer.wants_notify or self._bye_sent or self.state is CallState.ENDED:
            return
        headers, body = refer.report(code, final)
        self.send("NOTIFY", headers, body)

    # -- what the core may read

    @property
    def events(self) -> CallEvents | None:
        return self._events

    @property
    def local_address(self) -> str:
        """Our IP address as this peer must be told it, for the session description."""
        return self.dialog.flow.own[0] if self.dialog is not None else ""

    @property
    def is_confirmed(self) -> bool:
        return self.state in (CallState.ANSWERED, CallState.CONFIRMED)

    def contact(self) -> str:
        """Our Contact value in this dialog."""
        assert self.dialog is not None
        return self.dialog.flow.contact(self.contact_user)

    # -- machinery of the package

    def attach(self, events: CallEvents) -> None:
        self._events = events

    def _hangup(self, ended: Ended, reasons: Headers) -> None:
        raise NotImplementedError

    def finish(self, ended: Ended) -> None:
        """The call is over for the core; told once, from the loop."""
        if self.state is CallState.ENDED:
            return
        self.state = CallState.ENDED
        self.ended_as = ended
        self.talks.close()
        self.stack.loop.call_soon(self._tell_ended, ended)

    def _tell_ended(self, ended: Ended) -> None:
        events, self._events = self._events, None  # the core holds us and we hold it no longer
        if events is not None:
            events.ended(ended)

    def bye(self, reasons: Headers = ()) -> None:
        """BYE; the dialog stays known until it is answered, so that a crossing BYE gets its 200."""
        if self._bye_sent or self.dialog is None:
            return
        self._bye_sent = True
        self.send("BYE", reasons, on_response=self._bye_done, on_failure=lambda _: self.forget())

    def _bye_done(self, response: Response) -> None:
        if response.code >= 200:
            self.forget()

    def forget(self) -> None:
        """Out of the dialog table."""
        if self.dialog is not None and self.stack.dialogs.get(self.dialog.key) is self:
            del self.stack.dialogs[self.dialog.key]

    def remember(self, dialog: Dialog) -> None:
        self.dialog = dialog
        self.remote_tag = dialog.remote_tag
        self.stack.dialogs[dialog.key] = self

    def send(
        self,
        method: str,
        headers: Headers = (),
        body: bytes = b"",
        on_response: Callable[[Response], None] | None = None,
        on_failure: Callable[[int], None] | None = None,
        challenged: set[str] | None = None,
    ) -> None:
        """A request in the dialog; a 401/407 is answered when we have credentials."""
        dialog = self.dialog
        if dialog is None:
            return
        dialog.local_cseq += 1
        uri, routes = dialog.addressed()
        full = [*self.dialog_headers(dialog, method, dialog.local_cseq), *routes, *headers]
        tried: set[str] = set() if challenged is None else challenged

        def received(response: Response) -> None:
            if response.code in (401, 407) and self.credentials is not None:
                answers = answer_challenge(response, method, uri, self.credentials, tried)
                if answers:
                    plain = [item for item in headers if item[0] not in ("Authorization", "Proxy-Authorization")]
                    self.send(method, [*plain, *answers], body, on_response, on_failure, tried)
                    return
            if on_response is not None:
                on_response(response)

        def failed(code: int) -> None:
            if on_failure is not None:
                on_failure(code)
            else:
                log.info("call %s: %s failed: %d", self.call_id, method, code)

        def go(flow: Flow | None) -> None:
            if flow is not None and method in ("INVITE", "UPDATE", "NOTIFY", "REFER"):
                full.append(("Contact", flow.contact(self.contact_user)))
            self.stack.request(flow, method, uri, full, body, received, failed)

        # a Contact whose name nobody knows: the peer is there all the same, where it was seen last
        self.stack.reach(self.listener, dialog.way(), go, dialog.flow)

    def dialog_headers(self, dialog: Dialog, method: str, cseq: int) -> list[tuple[str, str]]:
        headers = [
            ("Max-Forwards", "70"),
            ("From", dialog.local),
            ("To", dialog.remote),
            ("Call-ID", dialog.call_id),
            ("CSeq", f"{cseq} {method}"),
            ("User-Agent", self.stack.options.user_agent),
        ]
        if method in ("INVITE", "UPDATE"):
            headers += [("Allow", ALLOW), ("Supported", SUPPORTED)]
        return headers

    def acknowledge(self, dialog: Dialog, cseq: int, credentials: Headers = ()) -> None:
        """ACK to a 2xx; the same again for each repeated 2xx. It carries the INVITE's credentials (RFC 3261 §22.1)."""
        uri, routes = dialog.addressed()
        headers = [*self.dialog_headers(dialog, "ACK", cseq), *routes, *credentials]
        self.stack.send_ack(self.listener, dialog.way(), uri, headers, dialog.flow)

    def lost(self, code: int) -> None:
        """The other side knows nothing of the dialog any more, or is silent (RFC 3261 §12.2.1.2)."""
        if self.state is CallState.ENDED:
            return
        self.finish(Ended(None, True, None, f"dialog lost ({code})", timed_out=code == 408))
        if code == 481:
            self.forget()
        else:
            self.bye()

    def no_ack(self) -> None:
        """Our 2xx was never acknowledged."""
        if self.state is not CallState.ENDED:
            self.finish(Ended(None, False, None, "no ACK", timed_out=True))
        self.bye(reason_headers(102, "no ACK", None))

    def received_ack(self, request: Request) -> None:
        """The ACK to one of our 2xx."""
        self.talks.received_ack(request)

    def received(self, transaction: ServerTransaction) -> None:
        """A request in this dialog. Raises MalformedMessage (→ 400)."""
        request = transaction.request
        dialog = self.dialog
        if dialog is None:
            transaction.respond(481)
            return
        number = request.cseq[0]
        if dialog.remote_cseq is not None and number < dialog.remote_cseq:
            transaction.respond(500, "CSeq out of order")
            return
        dialog.remote_cseq = number
        if len(request.values("via")) == 1:  # from the peer itself, perhaps by a new NAT mapping
            dialog.flow = transaction.flow
        handle = self._methods.get(request.method)
        if handle is None:
            transaction.respond(405 if request.method in _KNOWN_METHODS else 501, headers=[("Allow", ALLOW)])
            return
        if self.state is CallState.ENDED and request.method not in ("BYE", "OPTIONS"):
            transaction.respond(481)
            return
        handle(self, transaction)

    def _received_bye(self, transaction: ServerTransaction) -> None:
        q850, sip_cause, text = parse_reasons(transaction.request.values("reason"))
        transaction.respond(200)
        self.before_remote_bye()
        self.finish(Ended(None, True, q850, text, sip_cause=sip_cause))
        self.forget()

    def before_remote_bye(self) -> None:
        """An INVITE of theirs that still waits for its answer is over with the dialog."""

    def _received_invite(self, transaction: ServerTransaction) -> None:
        self.talks.received_invite(transaction)

    def _received_update(self, transaction: ServerTransaction) -> None:
        self.talks.received_update(transaction)

    def _received_info(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        kind = (request.header("content-type") or "").partition(";")[0].strip().lower()
        if not request.body.strip() and not kind:
            transaction.respond(200)
            return
        if kind not in ("application/dtmf-relay", "application/dtmf"):
            transaction.respond(415, headers=[("Accept", "application/sdp, application/dtmf-relay, application/dtmf")])
            return
        transaction.respond(200)
        found = dtmf_of(kind, request.body)
        if found is not None and self._events is not None:
            self._events.info_dtmf(*found)

    def _received_refer(self, transaction: ServerTransaction) -> None:
        refer = Refer(self, transaction)
        if self._events is None or not self.is_confirmed:
            transaction.respond(603)
            return
        self._events.refer(refer)

    def _received_options(self, transaction: ServerTransaction) -> None:
        transaction.respond(200, headers=[("Allow", ALLOW), ("Supported", SUPPORTED), ("Accept", "application/sdp")])

    def _received_notify(self, transaction: ServerTransaction) -> None:
        """We subscribe to nothing in calls."""
        transaction.respond(481 if transaction.request.header("subscription-state") else 489)

    _methods: ClassVar[dict[str, Callable[[SipCall, ServerTransaction], None]]] = {
        "BYE": _received_bye,
        "INVITE": _received_invite,
        "UPDATE": _received_update,
        "INFO": _received_info,
        "REFER": _received_refer,
        "OPTIONS": _received_options,
        "NOTIFY": _received_notify,
    }


_KNOWN_METHODS = frozenset({"REGISTER", "SUBSCRIBE", "PUBLISH", "MESSAGE", "PRACK", "CANCEL", "ACK"})
