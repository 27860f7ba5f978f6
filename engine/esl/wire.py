# SPDX-License-Identifier: Apache-2.0
"""One TCP connection to an event socket, from connect to close: frames in, commands out, answers in order. Used by `connection`."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Callable

from engine.errors import SwitchError
from engine.esl import command
from engine.esl.frame import Frame, FrameError, FrameParser

log = logging.getLogger(__name__)

Reply = Callable[[str], None]
"""Takes the text of an answer; that of an error begins with a minus."""

_WRITE_LIMIT = 8 * 1024 * 1024


class SwitchAwayError(SwitchError):
    """The switch is not connected, or the connection broke before the answer came."""


class AccessDeniedError(SwitchError):
    """The switch refused the password or this address."""


class Wire(asyncio.BufferedProtocol):
    """Logs in and subscribes by itself, then calls `on_ready`.

    `on_event` takes the body of an event frame and must not raise; `text` tells whether it is JSON or plain. Nothing
    that the other side sends raises here: what cannot be understood closes this connection with a `reason`.
    """

    def __init__(
        self, password: str, subscription: bytes, on_ready: Callable[[Wire], None], on_event: Callable[[bytes], None],
        on_plain_event: Callable[[bytes], None],
    ) -> None:  # fmt: skip
        self._password = password
        self._subscription = subscription
        self._on_ready = on_ready
        self._on_event = on_event
        self._on_plain_event = on_plain_event
        self._loop = asyncio.get_running_loop()
        self._parser = FrameParser()
        self._transport: asyncio.Transport | None = None
        self._replies: deque[tuple[Reply, float]] = deque()
        self._out: list[bytes] = []
        self._out_size = 0
        self._flushing = False
        self._blocked = False
        self._paused = False
        self._resumed_at = 0.0
        self._heard_at = self._loop.time()
        self.ready = False
        self.reason: SwitchError | None = None
        self.closed: asyncio.Future[None] = self._loop.create_future()

    # -- what the owner calls ---------------------------------------------------------------------------------------------

    def send(self, data: bytes, reply: Reply) -> None:
        """Queue a command; all of one turn of the loop leave in one write."""
        self._replies.append((reply, self._loop.time()))
        self._out.append(data)
        self._out_size += len(data)
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def pause(self) -> None:
        """Hand out nothing more until `resume`, and let TCP hold the other side back."""
        if not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._paused and self._transport is not None and self.reason is None:
            self._paused = False
            self._resumed_at = self._loop.time()
            self._transport.resume_reading()
            self._drain()

    def fail(self, reason: SwitchError) -> None:
        """Give the connection up; `closed` follows."""
        if self.reason is None:
            self.reason = reason
        if self._transport is not None:
            self._transport.abort()

    def silent_for(self) -> float:
        """Seconds since the last byte came."""
        return self._loop.time() - self._heard_at

    def waiting_for(self) -> float:
        """Seconds that the oldest answer has been waited for, pauses left out; 0 when none is."""
        if not self._replies or self._paused:
            return 0.0
        return self._loop.time() - max(self._replies[0][1], self._resumed_at)

    def give_up_replies(self, text: str) -> None:
        """Answer everything that is still waited for."""
        while self._replies:
            self._answer(text)

    # -- what asyncio calls -----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._parser.get_buffer()

    def buffer_updated(self, nbytes: int) -> None:
        self._parser.received(nbytes)
        self._heard_at = self._loop.time()
        self._drain()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self.reason is None:
            self.reason = SwitchAwayError(str(exc) if exc else "the switch closed the connection")
        self._out.clear()
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        self._blocked = True

    def resume_writing(self) -> None:
        self._blocked = False
        self._flush()

    # -- inside -----------------------------------------------------------------------------------------------------------

    def _flush(self) -> None:
        self._flushing = False
        if self._blocked:
            if self._out_size > _WRITE_LIMIT:
                self.fail(SwitchAwayError("the switch does not read its commands"))
            return
        if self._transport is not None and self._out:
            data = b"".join(self._out)
            self._out.clear()
            self._out_size = 0
            self._transport.write(data)

    def _drain(self) -> None:
        next_frame = self._parser.next_frame
        on_event = self._on_event
        try:
            while not self._paused and self.reason is None:
                frame = next_frame()
                if frame is None:
                    return
                if frame.content_type == "text/event-json":
                    on_event(frame.body)
                else:
                    self._frame(frame)
        except FrameError as error:
            self.fail(SwitchAwayError(f"broken frame: {error}"))

    def _frame(self, frame: Frame) -> None:
        kind = frame.content_type
        if kind == "api/response":
            self._answer(frame.body.decode("utf-8", "replace"))
        elif kind == "command/reply":
            self._answer(frame.headers.get("reply-text", ""))
        elif kind == "text/event-plain":
            self._on_plain_event(frame.body)
        elif kind == "auth/request":
            self.send(command.auth(self._password), self._authenticated)
        elif kind == "text/rude-rejection":
            self.fail(AccessDeniedError("the switch does not accept connections from this address"))
        elif kind == "text/disconnect-notice":
            self.fail(SwitchAwayError("the switch closed the connection"))
        else:
            log.debug("event socket frame of type %r is left out", kind)

    def _authenticated(self, text: str) -> None:
        if text.startswith("+OK"):
            self.send(self._subscription, self._subscribed)
        else:
            self.fail(AccessDeniedError(f"the switch refused the password: {text}"))

    def _subscribed(self, text: str) -> None:
        if text.startswith("+OK"):
            self.ready = True
            self._on_ready(self)
        else:
            self.fail(SwitchAwayError(f"the switch refused the subscription: {text}"))

    def _answer(self, text: str) -> None:
        if not self._replies:
            self.fail(SwitchAwayError("an answer came that nobody waits for"))
            return
        reply, _ = self._replies.popleft()
        try:
            reply(text)
        except Exception:
            # the edge to the callers' code: one of them must not take the connection of every call down
            log.exception("the handler of an answer failed: %r", text[:200])
