# SPDX-License-Identifier: Apache-2.0
"""The SIP agent, one per process: takes every message from the sockets to whom it concerns; the core's way in."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Callable, Mapping

from engine.embedded.sip.auth import ha1
from engine.embedded.sip.bindings import Binding, BindingStore, JournalStore, MemoryStore
from engine.embedded.sip.call import SipCall
from engine.embedded.sip.contract import (
    Address,
    AuthAnswer,
    AuthKnown,
    AuthOutcome,
    AuthQuestion,
    BanRules,
    CallEvents,
    Credentials,
    Ended,
    GatewayAccount,
    Handler,
    Hop,
    InviteTarget,
    Listener,
    Refuse,
    RegistrarRules,
    RegistrationEvents,
    RegistrationState,
    SipOptions,
    Timers,
)
from engine.embedded.sip.flow import Flow, way_back
from engine.embedded.sip.guard import Admitted, Guard, Turned
from engine.embedded.sip.inbound import InboundCall
from engine.embedded.sip.keepalive import KeepAlive
from engine.embedded.sip.message import Headers, Request, Response, build_response, parse
from engine.embedded.sip.nat import behind_nat
from engine.embedded.sip.outbound import OutboundCall, binding_way
from engine.embedded.sip.registrar import Registering, Registrar
from engine.embedded.sip.registration import ClientRegistration
from engine.embedded.sip.server import ServerState, ServerTransaction
from engine.embedded.sip.stack import ALLOW, SUPPORTED, Stack
from engine.embedded.sip.states import CallDirection, CallState
from engine.embedded.sip.syntax import MalformedMessage, parse_uri
from engine.embedded.sip.transfer import Refer, Replaces, find_replaced
from engine.embedded.sip.transport import Transports

__all__ = [
    "Address", "Agent", "AuthAnswer", "AuthKnown", "AuthOutcome", "AuthQuestion", "BanRules", "Binding", "BindingStore",
    "CallDirection", "CallEvents", "CallState", "ClientRegistration", "Credentials", "Ended", "GatewayAccount",
    "Handler", "Hop", "InviteTarget", "JournalStore", "Listener", "MemoryStore", "Refer", "Refuse", "RegistrarRules",
    "RegistrationEvents", "RegistrationState", "Replaces", "Request", "Response", "SipCall", "SipOptions", "Timers",
    "ha1",
]  # fmt: skip

log = logging.getLogger(__name__)

_OPTION_TAGS = frozenset({"replaces", "timer", "path", "norefersub"})
_REFUSED_OUTSIDE = {"SUBSCRIBE": 489, "PUBLISH": 489, "MESSAGE": 405, "REFER": 405, "PRACK": 481, "BYE": 481,
                    "UPDATE": 481, "INFO": 481, "NOTIFY": 481}  # fmt: skip


class Agent:
    """Made inside a running loop. `store` keeps registrations across restarts (default: memory only)."""

    def __init__(
        self,
        handler: Handler,
        *,
        user_agent: str = "VATS",
        options: SipOptions | None = None,
        store: BindingStore | None = None,
        between: Callable[[], None] | None = None,
    ) -> None:
        """`between` is called between the datagrams of a burst, for work that can't wait."""
        self.options = options or SipOptions(user_agent=user_agent)
        self._handler = handler
        transports = Transports(self._received, self.options.max_connections)
        transports.on_closed = self._connection_closed
        if between is not None:
            transports.between = between
        self.stack = Stack(self.options, transports)
        self.guard = Guard(handler, self.options, self.stack.loop.time)
        self.registrar = Registrar(self.options.registrar, store, self._expired)
        self.malformed = 0  # datagrams and messages nobody could read, since start
        self._secret = secrets.token_bytes(16)
        self._keep_alive = KeepAlive(self.stack, self.registrar)
        self._registrations: set[ClientRegistration] = set()
        for binding in self.registrar.start():
            if binding.username:
                self.guard.bans.trust(binding.source[0], f"{binding.username}@{binding.realm.lower()}")

    # -- what the core orders and asks

    async def listen(self, listener: Listener) -> int:
        """Open a listener; returns the port (useful when 0 was asked). Raises OSError."""
        bound = await self.stack.transports.listen(listener)
        log.info("sip %s on %s:%d%s%s", listener.name, listener.host, bound.port, " udp" if listener.udp else "",
                 " tcp" if listener.tcp else "")  # fmt: skip
        self._keep_alive.start()
        return bound.port

    def invite(self, target: InviteTarget, events: CallEvents, sdp: bytes) -> SipCall:
        """Call somebody. An empty `sdp` makes an offerless INVITE. Failures come as events.ended()."""
        call = OutboundCall(self.stack, target, events, sdp)
        call.start()
        return call

    def register(self, account: GatewayAccount, events: RegistrationEvents) -> ClientRegistration:
        """Keep a registration at a provider until its unregister() or stop()."""
        registration = ClientRegistration(self.stack, account, events)
        self._registrations.add(registration)
        registration.start()
        return registration

    def find_dialog(self, call_id: str, local_tag: str, remote_tag: str) -> SipCall | None:
        """The living call a Replaces (to-tag = our tag) means."""
        call = self.stack.dialogs.get((call_id, local_tag, remote_tag))
        return call if call is not None and call.state is not CallState.ENDED else None

    def local_address(self, listener: str, peer: str) -> str:
        """Our address as the peer at this IP address must be told it (for SDP before there is a call)."""
        return self.stack.transports.listeners[listener].own_host(peer)

    def target_address(self, target: InviteTarget) -> str:
        """Our address for the SDP of a call to this target. A name not resolved yet counts as a public address."""
        way: Flow | Hop | None = target.hop
        try:
            if target.flow is not None:
                way = binding_way(self.stack, target.flow)
            elif way is None:
                way = Hop(parse_uri(target.uri).host)
        except MalformedMessage:
            way = None
        if isinstance(way, Flow):
            return way.own[0]
        known = self.stack.transports.known(target.listener, way) if way is not None else None
        return self.local_address(target.listener, known.host if known is not None else "192.0.2.1")

    def bindings(self, aor: str) -> list[Binding]:
        """Where user@domain is registered, best first."""
        return self.registrar.bindings(aor)

    def flush(self, aor: str, call_id: str | None = None) -> int:
        """Drop registrations (`flush_inbound_reg`); the handler hears of each. Returns how many."""
        gone = self.registrar.flush(aor, call_id)
        for binding in gone:
            self._handler.unregistered(binding, "flushed")
        return len(gone)

    async def close(self) -> None:
        """Close sockets and files; ends no call and takes back no registration by itself."""
        self._keep_alive.stop()
        for registration in self._registrations:
            registration.stop()
        self.registrar.close()
        await self.stack.close()

    # -- from the sockets

    def _received(self, data: bytes, flow: Flow) -> None:
        try:
            message = parse(data)
        except MalformedMessage as error:
            self.malformed += 1
            log.debug("%s:%d: unreadable message: %s", *flow.remote, error)
            return
        message.flow = flow
        if isinstance(message, Response):
            if not self.stack.transactions.response(message):
                log.debug("%s:%d: stray response %d", *flow.remote, message.code)
            return
        message.source = flow.remote
        try:
            message.check()
            message.flow = flow = way_back(message.via, flow)
            message.source = flow.remote
            self._request(message, flow)
        except MalformedMessage as error:
            self.malformed += 1
            self._bad_request(message, flow, str(error))

    def _bad_request(self, request: Request, flow: Flow, why: str) -> None:
        log.debug("%s:%d: bad %s: %s", *flow.remote, request.method, why)
        if request.method == "ACK":
            return
        code = 416 if why == "Unsupported URI scheme" else 400
        try:
            transaction = self.stack.transactions.find_server(request)
            if transaction is not None and transaction.open:
                transaction.respond(code, why if code == 400 else "")
            elif transaction is None:
                flow.send(build_response(request, code, why if code == 400 else ""))
        except MalformedMessage:
            return  # not even Via or Call-ID can be read: there is nobody to answer

    def _reply(self, request: Request, flow: Flow, code: int, reason: str = "", headers: Headers = ()) -> None:
        """An answer without a transaction (RFC 3261 §8.2.7): a flood of strangers' requests costs no memory.

        A repeated request gets the answer again, with the same tag.
        """
        key = f"{request.call_id}|{request.via.branch}|{request.from_.tag}".encode()
        tag = hashlib.blake2b(key, key=self._secret, digest_size=8).hexdigest()
        flow.send(build_response(request, code, reason, to_tag=tag, headers=headers))

    def _request(self, request: Request, flow: Flow) -> None:
        method = request.method
        if method == "ACK":
            self._ack(request)
            return
        transaction = self.stack.transactions.find_server(request)
        if method == "CANCEL":
            self._cancel(request, flow, transaction)
            return
        if transaction is not None:
            transaction.received_again()
            return
        if request.version != "SIP/2.0":
            self._reply(request, flow, 505)
            return
        unknown = request.tokens("require") - _OPTION_TAGS
        if unknown:
            self._reply(request, flow, 420, headers=[("Unsupported", ", ".join(sorted(unknown)))])
            return
        if request.to.tag:
            self._in_dialog(request, flow)
            return
        _ = request.uri
        if (request.header("max-forwards") or "70").strip() == "0":
            self._reply(request, flow, 483)
        elif self.stack.transactions.is_merged(request):
            self._reply(request, flow, 482)
        elif method == "INVITE":
            self._invite(request, flow)
        elif method == "REGISTER":
            self._register(request, flow)
        else:
            self._other(request, flow)

    def _ack(self, request: Request) -> None:
        transaction = self.stack.transactions.find_server(request)
        if transaction is not None and transaction.state is ServerState.COMPLETED:
            transaction.acked()
            return
        call = self.stack.dialogs.get((request.call_id, request.to.tag, request.from_.tag))
        if call is not None:
            call.received_ack(request)

    def _cancel(self, request: Request, flow: Flow, transaction: ServerTransaction | None) -> None:
        if transaction is None:
            self._reply(request, flow, 481)
            return
        flow.send(build_response(request, 200, to_tag=transaction.to_tag))
        transaction.cancelled(request)

    def _in_dialog(self, request: Request, flow: Flow) -> None:
        call = self.stack.dialogs.get((request.call_id, request.to.tag, request.from_.tag))
        if call is None:
            self._reply(request, flow, 481)
            return
        call.received(self.stack.transactions.serve(request, flow))

    def _other(self, request: Request, flow: Flow) -> None:
        """OPTIONS and everything that has no business outside a call."""
        headers = [("Allow", ALLOW), ("Supported", SUPPORTED), ("Accept", "application/sdp")]
        code = 200 if request.method == "OPTIONS" else _REFUSED_OUTSIDE.get(request.method, 501)
        if code == 489:
            headers.append(("Allow-Events", "refer"))
        self._reply(request, flow, code, headers=headers)
        self._handler.sip_out_of_dialog(request, flow.remote, code)

    # -- calls coming in

    def _invite(self, request: Request, flow: Flow) -> None:
        listener = self.stack.transports.listeners[flow.listener.name]
        if request.body and request.sdp() is None:
            self._reply(request, flow, 415, headers=[("Accept", "application/sdp")])
            return
        if not listener.spec.challenges:
            transaction = self.stack.transactions.serve(request, flow)
            transaction.respond(100)
            self._admit(transaction, None)
            return
        checked = self.guard.precheck(request, flow)
        if isinstance(checked, Turned):
            self._reply(request, flow, checked.code, checked.reason, checked.headers)
            return
        transaction = self.stack.transactions.serve(request, flow)
        transaction.respond(100)
        transaction.on_cancel = lambda _: _terminated(transaction)
        self.stack.spawn(self._judge_invite(transaction, request, checked), "sip-invite")

    async def _judge_invite(self, transaction: ServerTransaction, request: Request, fields: Mapping[str, str]) -> None:
        """`request` is the INVITE: a transaction that was cancelled meanwhile no longer has it."""
        verdict: Admitted | Turned = Turned(500)
        try:
            verdict = await self.guard.judge(request, transaction.flow, fields)
        finally:
            if isinstance(verdict, Turned):
                transaction.respond(verdict.code, verdict.reason, headers=verdict.headers)
        if isinstance(verdict, Admitted) and transaction.open:
            self._admit(transaction, verdict)

    def _admit(self, transaction: ServerTransaction, who: Admitted | None) -> None:
        """Show the call to the core."""
        request = transaction.request
        try:
            call = InboundCall(self.stack, transaction)
        except MalformedMessage:
            transaction.respond(400)
            return
        if who is not None:
            call.account = who.known.account
            call.username = f"{who.username}@{who.realm.lower()}"
        replaced = find_replaced(self.stack.dialogs, call, request)
        if isinstance(replaced, int):
            call.reject(replaced)
            return
        call.replaces = replaced
        decision: CallEvents | Refuse = Refuse(500)
        try:
            decision = self._handler.incoming(call)
        finally:
            if isinstance(decision, Refuse):
                call.reject(decision.code, decision.reason, decision.headers)
        if not isinstance(decision, Refuse):
            call.attach(decision)

    # -- registrations coming in

    def _register(self, request: Request, flow: Flow) -> None:
        listener = self.stack.transports.listeners[flow.listener.name]
        if not listener.spec.challenges:
            self._reply(request, flow, 405, headers=[("Allow", ALLOW)])
            self._handler.sip_out_of_dialog(request, flow.remote, 405)
            return
        checked = self.guard.precheck(request, flow)
        if isinstance(checked, Turned):
            self._reply(request, flow, checked.code, checked.reason, checked.headers)
            return
        transaction = self.stack.transactions.serve(request, flow)
        self.stack.spawn(self._judge_register(transaction, checked), "sip-register")

    async def _judge_register(self, transaction: ServerTransaction, fields: Mapping[str, str]) -> None:
        request, flow = transaction.request, transaction.flow
        verdict: Admitted | Turned = Turned(500)
        try:
            verdict = await self.guard.judge(request, flow, fields)
        finally:
            if isinstance(verdict, Turned):
                transaction.respond(verdict.code, verdict.reason, headers=verdict.headers)
        if isinstance(verdict, Admitted):
            try:
                self._bind(transaction, request, flow, verdict)
            except MalformedMessage as error:
                transaction.respond(400, str(error))

    def _bind(self, transaction: ServerTransaction, request: Request, flow: Flow, who: Admitted) -> None:
        if request.to.uri.user != who.username:
            self._handler.registration_failed(f"{who.username}@{who.realm}", flow.remote, "not its own address of record")
            transaction.respond(403)
            return
        facts = Registering(
            aor=who.known.aor or f"{who.username}@{who.realm}", username=who.username, realm=who.realm,
            listener=flow.listener.name, transport=flow.transport, source=flow.remote,
        )  # fmt: skip
        outcome = self.registrar.register(request, facts)
        transaction.respond(outcome.code, outcome.reason, headers=[*outcome.headers, ("Allow", ALLOW)])
        for binding, reason in outcome.gone:
            self._handler.unregistered(binding, reason)
        for binding in outcome.bound:
            self._handler.registered(binding)

    def _expired(self, binding: Binding) -> None:
        self._handler.unregistered(binding, "expired")

    def _connection_closed(self, flow: Flow) -> None:
        """A NATed phone's connection is the only way to it; others may still be called at their Contact."""
        for binding in self.registrar.connected(flow.remote):
            try:
                reachable = not behind_nat(parse_uri(binding.contact), binding.source)
            except MalformedMessage:
                reachable = False
            if not reachable and self.registrar.drop(binding):
                self._handler.unregistered(binding, "connection closed")


def _terminated(transaction: ServerTransaction) -> None:
    """A CANCEL while the account is being looked up."""
    transaction.respond(487)
