# SPDX-License-Identifier: Apache-2.0
"""Client transactions (RFC 3261 §17.1 with RFC 6026's Accepted state): sending, repeating, giving up, ACK to failures."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.embedded.sip.flow import Flow
from engine.embedded.sip.message import Response, build_request

if TYPE_CHECKING:
    from engine.embedded.sip.transactions import TransactionLayer

_ACK_COPIES = frozenset({"from", "call-id", "max-forwards", "route"})


class ClientState(enum.Enum):
    CALLING = "calling"  # for other methods: Trying
    PROCEEDING = "proceeding"
    ACCEPTED = "accepted"  # INVITE: a 2xx came; more may (repeats, other forks)
    COMPLETED = "completed"
    TERMINATED = "terminated"


class ClientTransaction:
    """One request of ours and what comes back."""

    __slots__ = (
        "_ack", "_data", "_deadline", "_due", "_interval", "_layer", "_on_failure", "_on_response", "_timer", "branch", "flow",
        "headers", "is_invite", "method", "state", "uri",
    )  # fmt: skip

    def __init__(
        self,
        layer: TransactionLayer,
        method: str,
        uri: str,
        headers: list[tuple[str, str]],
        body: bytes,
        flow: Flow,
        branch: str,
        on_response: Callable[[Response], None],
        on_failure: Callable[[int], None],
    ) -> None:
        self._layer = layer
        self.method = method
        self.uri = uri
        self.headers = headers
        self.flow = flow
        self.branch = branch
        self.is_invite = method == "INVITE"
        self.state = ClientState.CALLING
        self._data = build_request(method, uri, [("Via", flow.via(branch)), *headers], body)
        self._ack = b""
        self._on_response = on_response
        self._on_failure = on_failure
        self._timer: asyncio.TimerHandle | None = None
        self._interval = layer.timers.t1
        self._deadline = self._due = 0.0

    @property
    def provisional(self) -> bool:
        """An answer below 200 has come and no final one: only now may a CANCEL go out (RFC 3261 §9.1)."""
        return self.state is ClientState.PROCEEDING

    def start(self) -> None:
        loop = self._layer.loop
        self._due = loop.time()
        silence = self.flow.listener.silence if self.is_invite else 0.0
        self._deadline = self._due + (silence or self._layer.timers.give_up)  # Timers B and F
        self.flow.watch(self._lost)
        if not self.flow.send(self._data):
            loop.call_soon(self._lost)
            return
        self._arm()

    def _arm(self) -> None:
        # by the schedule and not from now on, so that a busy loop delays a repetition but swallows none
        self._due = self._deadline if self.flow.reliable else min(self._due + self._interval, self._deadline)
        self._timer = self._layer.loop.call_at(self._due, self._tick)

    def _tick(self) -> None:
        """Timers A, B, E, F."""
        if self._due >= self._deadline:
            self._fail(408)
            return
        timers = self._layer.timers
        if self.is_invite:
            self._interval *= 2
        else:
            in_proceeding = self.state is ClientState.PROCEEDING
            self._interval = timers.t2 if in_proceeding else min(self._interval * 2, timers.t2)
        if not self.flow.send(self._data):
            self._fail(503)
            return
        self._arm()

    def _lost(self) -> None:
        if self.state in (ClientState.CALLING, ClientState.PROCEEDING):
            self._fail(503)

    def _fail(self, code: int) -> None:
        if self.state is ClientState.TERMINATED:
            return
        on_failure = self._on_failure
        self.terminate()
        on_failure(code)

    def give_up_after(self, seconds: float) -> None:
        """A cancelled INVITE that nobody answers is over after 64*T1 (RFC 3261 §9.1)."""
        if self.state in (ClientState.CALLING, ClientState.PROCEEDING):
            self._stop()
            self._timer = self._layer.loop.call_later(seconds, self._fail, 408)

    def received(self, response: Response) -> None:
        state = self.state
        if state is ClientState.TERMINATED:
            return
        if response.code < 200:
            if state in (ClientState.CALLING, ClientState.PROCEEDING):
                if self.is_invite and state is ClientState.CALLING:
                    self._stop()
                self.state = ClientState.PROCEEDING
                self._on_response(response)
            return
        if not self.is_invite:
            if state in (ClientState.CALLING, ClientState.PROCEEDING):
                self._finish(ClientState.COMPLETED)
                self._layer.linger(self, short=True)  # Timer K
                self._deliver_last(response)
            return
        if response.code < 300:
            if state in (ClientState.CALLING, ClientState.PROCEEDING):
                self._finish(ClientState.ACCEPTED)
                self._layer.linger(self)  # Timer M
            if self.state is ClientState.ACCEPTED:
                self._on_response(response)
            return
        if state is ClientState.COMPLETED:
            self.flow.send(self._ack)
        elif state is not ClientState.ACCEPTED:
            self._finish(ClientState.COMPLETED)
            self._layer.linger(self)  # Timer D
            self._acknowledge(response)
            self._deliver_last(response)

    def _deliver_last(self, response: Response) -> None:
        """Then let go of whoever asked: only repeats come after this."""
        on_response, self._on_response, self._on_failure = self._on_response, _ignore_response, _ignore_failure
        self.headers = []
        on_response(response)

    def _acknowledge(self, response: Response) -> None:
        """ACK to a non-2xx is hop by hop: same branch, same route, To as the response has it."""
        headers = [("Via", self.flow.via(self.branch))]
        headers += [(name, value) for name, value in self.headers if name.lower() in _ACK_COPIES]
        headers.append(("To", response.header("to") or ""))
        number = next((value for name, value in self.headers if name == "CSeq"), "1 INVITE").split()[0]
        headers.append(("CSeq", f"{number} ACK"))
        self._ack = build_request("ACK", self.uri, headers)
        self.flow.send(self._ack)

    def _finish(self, state: ClientState) -> None:
        self._stop()
        self.flow.unwatch(self._lost)
        self._data = b""
        self.state = state

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def terminate(self) -> None:
        self._stop()
        if self.state is not ClientState.TERMINATED:
            self.flow.unwatch(self._lost)
            self.state = ClientState.TERMINATED
            self._layer.remove_client(self)


def _ignore_response(response: Response) -> None:
    """A repeat after the final response."""


def _ignore_failure(code: int) -> None:
    """A failure after the final response."""
