# SPDX-License-Identifier: Apache-2.0
"""One supervised event socket connection to a switch: log-in, subscription, answers in order, jobs, reconnection.

Used by `engine.esl.switch`. Events are handed out synchronously, in the order they came, with no task and no queue between.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections import deque
from collections.abc import Callable, Sequence
from uuid import uuid4

import msgspec

from engine.errors import SwitchError
from engine.esl import command
from engine.esl.event import Event, decode
from engine.esl.frame import Frame, FrameError, FrameParser

log = logging.getLogger(__name__)

Reply = Callable[[str], None]
"""Takes the text of an answer, which for an error begins with -ERR."""

LOST = "-ERR connection lost"
_WRITE_LIMIT = 8 * 1024 * 1024


class SwitchAwayError(SwitchError):
    """The switch is not connected, or the connection broke before the answer came."""


class CommandRefusedError(SwitchError):
    """The switch answered -ERR; the message is what it said."""


class AccessDeniedError(SwitchError):
    """The switch refused the password or this address."""


class _Socket(asyncio.BufferedProtocol):
    """The protocol of one TCP connection; it lives from connect to close."""

    def __init__(self, owner: Connection) -> None:
        self.owner = owner
        self.loop = asyncio.get_running_loop()
        self.parser = FrameParser()
        self.transport: asyncio.Transport | None = None
        self.replies: deque[tuple[Reply, float]] = deque()
        self.out: list[bytes] = []
        self.out_size = 0
        self.flushing = False
        self.blocked = False
        self.paused = False
        self.ready = False
        self.eof = False
        self.reason: SwitchError | None = None
        self.heard_at = self.loop.time()
        self.closed: asyncio.Future[None] = self.loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.parser.get_buffer()

    def buffer_updated(self, nbytes: int) -> None:
        self.parser.received(nbytes)
        self.heard_at = self.loop.time()
        self.drain()

    def drain(self) -> None:
        """Hand out what has come, until nothing complete is left or reading is paused."""
        next_frame = self.parser.next_frame
        event = self.owner._event
        try:
            while not self.paused:
                frame = next_frame()
                if frame is None:
                    return
                if frame.content_type == "text/event-json":
                    event(frame.body)
                else:
                    self.frame(frame)
        except FrameError as error:
            self.fail(SwitchAwayError(f"broken frame: {error}"))

    def frame(self, frame: Frame) -> None:
        kind = frame.content_type
        if kind == "api/response":
            self.reply(frame.body.decode("utf-8", "replace"))
        elif kind == "command/reply":
            self.reply(frame.headers.get("reply-text", ""))
        elif kind == "auth/request":
            self.send(command.auth(self.owner.password), self.authenticated)
        elif kind == "text/rude-rejection":
            self.fail(AccessDeniedError("the switch does not accept connections from this address"))
        elif kind == "text/disconnect-notice":
            self.fail(SwitchAwayError("the switch closed the connection"))
        else:
            log.debug("event socket frame of type %r is left out", kind)

    def authenticated(self, text: str) -> None:
        if not text.startswith("+OK"):
            self.fail(AccessDeniedError(f"the switch refused the password: {text}"))
            return
        self.send(self.owner.subscription, self.subscribed)

    def subscribed(self, text: str) -> None:
        if not text.startswith("+OK"):
            self.fail(SwitchAwayError(f"the switch refused the subscription: {text}"))
            return
        self.ready = True
        self.owner._connected(self)

    def reply(self, text: str) -> None:
        if not self.replies:
            self.fail(SwitchAwayError("an answer came that nobody waits for"))
            return
        self.replies.popleft()[0](text)

    def send(self, data: bytes, reply: Reply) -> None:
        self.replies.append((reply, self.loop.time()))
        self.out.append(data)
        self.out_size += len(data)
        if not self.flushing:
            self.flushing = True
            self.loop.call_soon(self.flush)

    def flush(self) -> None:
        self.flushing = False
        if self.transport is None or not self.out or self.blocked:
            if self.out_size > _WRITE_LIMIT:
                self.fail(SwitchAwayError("the switch does not read its commands"))
            return
        data = b"".join(self.out)
        self.out.clear()
        self.out_size = 0
        self.transport.write(data)

    def pause_writing(self) -> None:
        self.blocked = True

    def resume_writing(self) -> None:
        self.blocked = False
        self.flush()

    def pause(self) -> None:
        if not self.paused and self.transport is not None and not self.transport.is_closing():
            self.paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        if self.paused and self.transport is not None:
            self.paused = False
            self.transport.resume_reading()
            self.drain()

    def fail(self, reason: SwitchError) -> None:
        """Give the connection up; `connection_lost` follows."""
        if self.reason is None:
            self.reason = reason
        self.paused = True
        if self.transport is not None:
            self.transport.abort()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self.reason is None:
            self.reason = SwitchAwayError(str(exc) if exc else "the switch closed the connection")
        self.out.clear()
        if not self.closed.done():
            self.closed.set_result(None)


class Connection:
    """Keeps one connection to a switch up until `close()`.

    `on_event` gets every event. `on_connected` runs after log-in and subscription and before the first event: the place
    to start a sweep. `on_lost` runs once for each connection that had been up.
    """

    def __init__(
        self,
        host: str,
        port: int,
        password: str,
        *,
        events: Sequence[str],
        subclasses: Sequence[str] = (),
        on_event: Callable[[Event], None],
        on_connected: Callable[[], None] = lambda: None,
        on_lost: Callable[[SwitchError], None] = lambda reason: None,
        connect_timeout: float = 5.0,
        reply_timeout: float = 20.0,
        first_delay: float = 0.2,
        longest_delay: float = 10.0,
    ) -> None:
        self.host = host
        self.port = port
        self.password = password
        self.subscription = command.subscribe(events, subclasses)
        self.on_event = on_event
        self.on_connected = on_connected
        self.on_lost = on_lost
        self.last_error: SwitchError | None = None
        self._connect_timeout = connect_timeout
        self._reply_timeout = reply_timeout
        self._first_delay = first_delay
        self._longest_delay = longest_delay
        self._socket: _Socket | None = None
        self._up = asyncio.Event()
        self._jobs: dict[str, Reply] = {}
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    @property
    def connected(self) -> bool:
        """Logged in and subscribed."""
        return self._socket is not None

    def start(self) -> None:
        """Begin to connect, and go on for ever."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name=f"event socket {self.host}:{self.port}")

    async def wait_connected(self, within: float | None = None) -> None:
        """Until the connection is up. Raises SwitchAwayError after `within` seconds, with the last reason."""
        try:
            async with asyncio.timeout(within):
                await self._up.wait()
        except TimeoutError:
            raise SwitchAwayError(f"no connection to {self.host}:{self.port}: {self.last_error or 'no answer'}") from None

    async def close(self, within: float = 2.0) -> None:
        """Send what waits, say goodbye, close. Idempotent."""
        self._closing = True
        sock = self._socket
        if sock is not None:
            sock.send(command.leave(), lambda text: None)
            sock.resume()
            try:
                async with asyncio.timeout(within):
                    await asyncio.shield(sock.closed)
            except TimeoutError:
                sock.fail(SwitchAwayError("closed"))
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def send(self, data: bytes, reply: Reply) -> bool:
        """Send a command; `reply` is called with its answer, with LOST when none can come. False: not connected."""
        sock = self._socket
        if sock is None:
            # never from inside the caller's order
            asyncio.get_running_loop().call_soon(reply, LOST)
            return False
        sock.send(data, reply)
        return True

    async def ask(self, data: bytes, within: float = 5.0) -> str:
        """Send a command and wait for its answer. Raises SwitchAwayError, CommandRefusedError, TimeoutError."""
        text = await self.ask_raw(data, within)
        if text.startswith("-"):
            raise CommandRefusedError(text.strip())
        return text

    async def job(self, line: str, within: float = 30.0) -> str:
        """Run a command in the background of the switch and wait for its result; raises like `ask`."""
        result: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def done(text: str) -> None:
            if not result.done():
                result.set_result(text)

        job_uuid = self.start_job(line, done)
        try:
            async with asyncio.timeout(within):
                text = await result
        finally:
            self._jobs.pop(job_uuid, None)
        if text == LOST:
            raise SwitchAwayError("the switch is not connected")
        if text.startswith("-"):
            raise CommandRefusedError(text.strip())
        return text

    async def ask_raw(self, data: bytes, within: float = 5.0) -> str:
        """Like `ask`, but an -ERR answer is returned, not raised."""
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def reply(text: str) -> None:
            if not answer.done():
                answer.set_result(text)

        self.send(data, reply)
        async with asyncio.timeout(within):
            text = await answer
        if text == LOST:
            raise SwitchAwayError("the switch is not connected")
        return text

    def start_job(self, line: str, done: Reply) -> str:
        """Run a command in the background of the switch; `done` gets its result, LOST when none can come."""
        job_uuid = str(uuid4())

        def reply(text: str) -> None:
            if not text.startswith("+OK") and self._jobs.pop(job_uuid, None) is not None:
                done(text)

        self._jobs[job_uuid] = done
        self.send(command.bgapi(line, job_uuid), reply)
        return job_uuid

    def pause(self) -> None:
        """Take no more events until `resume`; TCP holds the switch back. Keep it short: its queue is 100,000 events."""
        if self._socket is not None:
            self._socket.pause()

    def resume(self) -> None:
        """Go on after `pause`."""
        if self._socket is not None:
            self._socket.resume()

    def _event(self, body: bytes) -> None:
        try:
            event = decode(body)
        except msgspec.DecodeError as error:
            log.warning("event left out, not understood: %s: %r", error, body[:200])
            return
        if event.job_uuid and event.name == "BACKGROUND_JOB":
            done = self._jobs.pop(event.job_uuid, None)
            if done is not None:
                done(event.body)
                return
        try:
            self.on_event(event)
        except Exception:  # one event's handler must not take the connection of every call down
            log.exception("handler of %s failed", event.name, extra={"call": event.vats_call or "-"})

    def _connected(self, sock: _Socket) -> None:
        self._socket = sock
        self.last_error = None
        self._up.set()
        log.info("connected to the switch at %s:%d", self.host, self.port)
        self.on_connected()

    async def _run(self) -> None:
        delay = self._first_delay
        jitter = secrets.SystemRandom().uniform
        while not self._closing:
            reason, was_up = await self._one_connection()
            if self._closing:
                return
            delay = self._first_delay if was_up else min(delay * 2, self._longest_delay)
            self.last_error = reason
            pause = jitter(delay / 2, delay)
            log.warning("switch at %s:%d: %s; next try in %.1f s", self.host, self.port, reason, pause)
            await asyncio.sleep(pause)

    async def _one_connection(self) -> tuple[SwitchError, bool]:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_timeout):
                _, sock = await loop.create_connection(lambda: _Socket(self), self.host, self.port)
        except (OSError, TimeoutError) as error:
            return SwitchAwayError(str(error) or "no answer"), False
        try:
            await self._watch(sock)
        finally:
            sock.fail(SwitchAwayError("closed"))
            self._lost(sock)
        return sock.reason or SwitchAwayError("closed"), sock.ready

    async def _watch(self, sock: _Socket) -> None:
        loop = asyncio.get_running_loop()
        while not sock.closed.done():
            await asyncio.wait([sock.closed], timeout=self._reply_timeout / 4)
            if sock.replies and not sock.paused and loop.time() - sock.replies[0][1] > self._reply_timeout:
                sock.fail(SwitchAwayError(f"no answer for {self._reply_timeout:g} s"))

    def _lost(self, sock: _Socket) -> None:
        was_up = self._socket is sock
        if was_up:
            self._socket = None
            self._up.clear()
        while sock.replies:
            sock.replies.popleft()[0](LOST)
        if was_up:
            jobs, self._jobs = self._jobs, {}
            for done in jobs.values():
                done(LOST)
            self.on_lost(sock.reason or SwitchAwayError("closed"))

