# SPDX-License-Identifier: Apache-2.0
"""Keeps the NATs in front of UDP phones open with small datagrams (RFC 5626 §3.5.1's CRLF), evenly spread; for the agent."""

from __future__ import annotations

import asyncio
import math

from engine.embedded.sip.bindings import Binding
from engine.embedded.sip.contract import Hop
from engine.embedded.sip.nat import behind_nat
from engine.embedded.sip.registrar import Registrar
from engine.embedded.sip.stack import Stack
from engine.embedded.sip.syntax import MalformedMessage, parse_uri

_TICK = 1.0
_PING = b"\r\n\r\n"


class KeepAlive:
    """Each second a slice of the NATed phones, so that thousands of them never take the loop from the media."""

    def __init__(self, stack: Stack, registrar: Registrar) -> None:
        self._stack = stack
        self._registrar = registrar
        self._round: list[Binding] = []
        self._slice = 1
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        if self._timer is None:
            self._timer = self._stack.loop.call_later(_TICK, self._tick)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        if not self._round:
            self._round = [binding for binding in self._registrar.all() if needs_ping(binding)]
            self._slice = math.ceil(len(self._round) / max(1.0, self._stack.options.keepalive_seconds / _TICK))
        now, self._round = self._round[: self._slice], self._round[self._slice :]
        for binding in now:
            flow = self._stack.transports.flow(binding.listener, Hop(*binding.source))
            if flow is not None:
                flow.send(_PING)
        self._timer = self._stack.loop.call_later(_TICK, self._tick)


def needs_ping(binding: Binding) -> bool:
    """Only a phone behind a NAT, and one that came by UDP itself."""
    if binding.transport != "udp" or not binding.direct:
        return False
    try:
        return behind_nat(parse_uri(binding.contact), binding.source)
    except MalformedMessage:
        return False
