# SPDX-License-Identifier: Apache-2.0
"""A call we make: INVITE with forks, challenges and CANCEL; the agent makes it on the core's order."""

from __future__ import annotations

from engine.embedded.sip.auth import answer_challenge
from engine.embedded.sip.bindings import Binding
from engine.embedded.sip.call import SipCall
from engine.embedded.sip.client import ClientTransaction
from engine.embedded.sip.contract import CallEvents, Ended, Hop, InviteTarget
from engine.embedded.sip.dialogs import Dialog, hop_of
from engine.embedded.sip.flow import Flow
from engine.embedded.sip.message import Headers, Response
from engine.embedded.sip.nat import behind_nat
from engine.embedded.sip.reason import parse_reasons, reason_headers
from engine.embedded.sip.stack import ALLOW, SUPPORTED, Stack
from engine.embedded.sip.states import CallDirection, CallState
from engine.embedded.sip.syntax import MalformedMessage, format_name_addr, parse_name_addr, parse_uri
from engine.embedded.sip.transactions import new_tag

_MAX_FORKS = 32


class OutboundCall(SipCall):
    """The client side of an INVITE."""

    def __init__(self, stack: Stack, target: InviteTarget, events: CallEvents, sdp: bytes) -> None:
        call_id = target.call_id or f"{new_tag()}{new_tag()}"
        super().__init__(stack, CallDirection.OUTBOUND, target.listener, call_id, new_tag())
        self.attach(events)
        self.target = target
        self.credentials = target.credentials
        self.contact_user = target.contact_user or target.from_user
        self._sdp = sdp
        self._uri = target.uri or (target.flow.contact if target.flow is not None else "")
        self._cseq = 1
        self._tried: set[str] = set()
        self._credentials: Headers = ()  # the headers that let the INVITE through
        self._local = ""
        self._flow: Flow | None = None
        self._transaction: ClientTransaction | None = None
        self._forks: dict[str, Dialog] = {}  # early dialogs and surplus answers, by their tag
        self._answered_by: str | None = None
        self._cancel_reasons: Headers | None = None
        self._cancel_sent = False

    def start(self) -> None:
        """Send the INVITE. A target nobody can reach ends the call from the loop."""
        try:
            way = self._way()
        except MalformedMessage as error:
            self.finish(Ended(404, False, None, str(error)))
            return
        if way is None:
            self.finish(Ended(480, False, None, "no way to the target"))
            return
        self.stack.reach(self.listener, way, self._invite_on)

    def _way(self) -> Flow | Hop | None:
        target = self.target
        uri = parse_uri(self._uri)
        if target.flow is not None:
            return binding_way(self.stack, target.flow)
        if target.hop is not None:
            return target.hop
        return hop_of(parse_name_addr(target.route[0]).uri if target.route else uri)

    def _invite_on(self, flow: Flow | None) -> None:
        if self.state is CallState.ENDED:
            return  # hung up while the name was being resolved: nothing has been sent
        if flow is None:
            self.finish(Ended(503, False, None, "unreachable"))
            return
        self._flow = flow
        self.source = flow.remote
        self.transport = flow.transport
        target = self.target
        domain = target.from_domain or flow.own[0]
        domain = f"[{domain}]" if ":" in domain and not domain.startswith("[") else domain
        user = f"{target.from_user}@" if target.from_user else ""
        self._local = format_name_addr(target.from_display, f"sip:{user}{domain}", self.local_tag)
        self._send_invite()

    @property
    def local_address(self) -> str:
        flow = self.dialog.flow if self.dialog is not None else self._flow
        return flow.own[0] if flow is not None else ""

    def _headers(self, flow: Flow, extra: Headers) -> list[tuple[str, str]]:
        target = self.target
        route = list(target.route) or (list(target.flow.path) if target.flow is not None else [])
        headers = [
            ("Max-Forwards", str(target.max_forwards)),
            ("From", self._local),
            ("To", format_name_addr(target.to_display, target.to_uri or self._uri)),
            ("Call-ID", self.call_id),
            ("CSeq", f"{self._cseq} INVITE"),
            *[("Route", value) for value in route],
            ("Contact", flow.contact(self.contact_user)),
            ("User-Agent", self.stack.options.user_agent),
            ("Allow", ALLOW),
            ("Supported", SUPPORTED),
            *target.headers,
            *extra,
        ]
        if self._sdp:
            headers.append(("Content-Type", "application/sdp"))
        return headers

    def _send_invite(self, extra: Headers = ()) -> None:
        flow = self._flow
        assert flow is not None
        self._transaction = self.stack.transactions.request(
            "INVITE", self._uri, self._headers(flow, extra), self._sdp, flow, self._received, self._failed
        )

    # -- what comes back

    def _failed(self, code: int) -> None:
        self._forget_forks()
        reason = "no answer to the INVITE" if code == 408 else "unreachable"
        self.finish(Ended(code, False, None, reason, timed_out=code == 408))

    def _received(self, response: Response) -> None:
        if response.code < 200:
            self._progressing(response)
        elif response.code < 300:
            self._accepted(response)
        else:
            self._refused(response)

    def _progressing(self, response: Response) -> None:
        if self._cancel_reasons is not None:
            self._cancel()
            return
        if response.code == 100 or self.state is CallState.ENDED or self._answered_by is not None:
            return
        if response.to.tag:
            self._early(response)
        self.state = CallState.EARLY
        self.remote_user_agent = response.header("user-agent") or self.remote_user_agent
        sdp = response.sdp()
        if self.events is None:
            return
        if sdp is not None:
            self.events.early_media(sdp)
        else:
            self.events.ringing(response.code)

    def _early(self, response: Response) -> None:
        """Each fork's tag is a dialog of its own; the one heard last speaks for the call until one answers."""
        flow = self._flow
        assert flow is not None
        known = self._forks.get(response.to.tag)
        if known is None:
            if len(self._forks) >= _MAX_FORKS:
                return
            known = Dialog.as_client(response, self._local, self.local_tag, self._cseq, flow)
            self._forks[response.to.tag] = known
        else:
            known.refresh(response)
        self.remember(known)

    def _accepted(self, response: Response) -> None:
        tag = response.to.tag
        if self._answered_by is None:
            self._first_answer(response, tag)
        elif tag == self._answered_by:
            if self.dialog is not None:
                self.acknowledge(self.dialog, self._cseq, self._credentials)
        else:
            self._surplus(response, tag)

    def _first_answer(self, response: Response, tag: str) -> None:
        flow = self._flow
        assert flow is not None
        self._answered_by = tag
        dialog = self._forks.pop(tag, None)
        if dialog is None:
            dialog = Dialog.as_client(response, self._local, self.local_tag, self._cseq, flow)
        dialog.confirm(response)
        self._forget_forks()
        self.remember(dialog)
        self.acknowledge(dialog, self._cseq, self._credentials)
        if self.state is CallState.ENDED:  # the answer crossed our CANCEL
            self.bye(self._cancel_reasons or ())
            return
        self.state = CallState.CONFIRMED
        self.response = response
        self.remote_user_agent = response.header("user-agent") or response.header("server") or self.remote_user_agent
        if self.events is not None:
            self.events.answered(response.sdp() or b"")
        self.talks.proceed()

    def _surplus(self, response: Response, tag: str) -> None:
        """Another fork answered as well: it is acknowledged and sent home."""
        known = self._forks.get(tag)
        flow = self._flow
        assert flow is not None
        if known is not None:
            self.acknowledge(known, self._cseq, self._credentials)
            return
        if len(self._forks) >= _MAX_FORKS:
            return
        dialog = Dialog.as_client(response, self._local, self.local_tag, self._cseq, flow)
        self._forks[tag] = dialog
        self.acknowledge(dialog, self._cseq, self._credentials)
        dialog.local_cseq += 1
        uri, routes = dialog.addressed()
        headers = [*self.dialog_headers(dialog, "BYE", dialog.local_cseq), *routes]
        headers += reason_headers(None, "", 200)

        def go(reached: Flow | None) -> None:
            self.stack.request(reached, "BYE", uri, headers, b"", _ignore_response, _ignore_failure)

        self.stack.reach(self.listener, dialog.way(), go, dialog.flow)

    def _refused(self, response: Response) -> None:
        if self.state is CallState.ENDED:
            self._forget_forks()
            return
        if response.code in (401, 407) and self.credentials is not None:
            answers = answer_challenge(response, "INVITE", self._uri, self.credentials, self._tried)
            if answers:
                self._forget_forks()
                self._cseq += 1
                self._credentials = answers
                self._send_invite(answers)
                return
        self._forget_forks()
        q850, sip_cause, text = parse_reasons(response.values("reason"))
        self.finish(Ended(response.code, True, q850, text or response.reason, sip_cause=sip_cause, response=response))

    def _forget_forks(self) -> None:
        for dialog in self._forks.values():
            if self.stack.dialogs.get(dialog.key) is self:
                del self.stack.dialogs[dialog.key]
        self._forks.clear()
        if self._answered_by is None:
            self.dialog = None

    # -- orders

    def _hangup(self, ended: Ended, reasons: Headers) -> None:
        if self._answered_by is not None:
            self.finish(ended)
            self.bye(reasons)
            return
        self._cancel_reasons = reasons
        self.finish(Ended(487, False, ended.q850, ended.reason))
        self._cancel()

    def before_remote_bye(self) -> None:
        """Nothing allows a callee to end an early dialog by BYE, but some do: the INVITE itself has to be ended, too."""
        if self._answered_by is None:
            self._cancel_reasons = ()
            self._cancel()

    def _cancel(self) -> None:
        """CANCEL as soon as a provisional answer allows it (RFC 3261 §9.1); until then it waits for one."""
        transaction = self._transaction
        if transaction is None or self._cancel_sent or not transaction.provisional:
            return
        self._cancel_sent = True
        wanted = {"max-forwards", "from", "to", "call-id", "route"}
        headers = [item for item in transaction.headers if item[0].lower() in wanted]
        headers += [("CSeq", f"{self._cseq} CANCEL"), *(self._cancel_reasons or ())]
        self.stack.transactions.request(
            "CANCEL", transaction.uri, headers, b"", transaction.flow, _ignore_response, _ignore_failure,
            branch=transaction.branch,
        )  # fmt: skip
        transaction.give_up_after(self.stack.options.timers.give_up)


def binding_way(stack: Stack, binding: Binding) -> Flow | Hop | None:
    """How a registered phone is reached: its connection, the address it was seen at when NATed, else its Contact."""
    if binding.transport == "tcp":
        listener = stack.transports.listeners.get(binding.listener)
        connection = listener.connections.get(binding.source) if listener is not None else None
        if connection is not None and not connection.closed:
            return connection
    uri = parse_name_addr(binding.path[0]).uri if binding.path else parse_uri(binding.contact)
    if behind_nat(uri, binding.source) and (binding.direct or binding.path):
        return None if binding.transport == "tcp" else Hop(*binding.source)
    hop = hop_of(uri)
    if hop is not None and binding.transport == "tcp" and not binding.path:
        return Hop(hop.host, hop.port, "tcp")
    return hop


def _ignore_response(response: Response) -> None:
    """Nothing follows from the answer to a CANCEL or to a surplus fork's BYE."""


def _ignore_failure(code: int) -> None:
    """Nobody answered; the other side's own timers end what is left."""
