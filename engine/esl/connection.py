# SPDX-License-Identifier: Apache-2.0
"""One supervised event socket connection to a switch: events, answers, background jobs, reconnection. Used by `switch`.

Events are handed out synchronously, in the order they came, with no task and no queue between.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence
from uuid import uuid4

import msgspec

from engine.errors import SwitchError
from engine.esl import command
from engine.esl.event import Event, decode
from engine.esl.frame import FrameError, parse_plain_event
from engine.esl.wire import AccessDeniedError, Reply, SwitchAwayError, Wire

__all__ = ["LOST", "AccessDeniedError", "CommandRefusedError", "Connection", "NoAnswerError", "Reply", "SwitchAwayError"]

log = logging.getLogger(__name__)

LOST = "-ERR connection lost"
NO_ANSWER = "-ERR no answer in time"


class CommandRefusedError(SwitchError):
    """The switch answered -ERR; the message is what it said."""


class NoAnswerError(SwitchError):
    """The switch has not answered in time; whether it did what was asked is unknown."""


class Connection:
    """Keeps one connection to a switch up until `close()`.

    `on_event` gets every event. `on_connected` runs after log-in and subscription, before the first event: the place to
    start a sweep. `on_lost` runs once for each connection that had been up and was not closed by us, `on_failed` for each
    attempt that did not get so far. All are called synchronously; what they raise is logged.
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
        on_failed: Callable[[SwitchError], None] = lambda reason: None,
        connect_timeout: float = 5.0,
        reply_timeout: float = 20.0,
        first_delay: float = 0.2,
        longest_delay: float = 10.0,
    ) -> None:
        self.host = host
        self.port = port
        self.last_error: SwitchError | None = None
        self._password = password
        if "ALL" not in events and "BACKGROUND_JOB" not in events:
            events = [*events, "BACKGROUND_JOB"]  # without it no job would ever end
        self._subscription = command.subscribe(events, subclasses)
        self._on_event = on_event
        self._on_connected = on_connected
        self._on_lost = on_lost
        self._on_failed = on_failed
        self._connect_timeout = connect_timeout
        self._reply_timeout = reply_timeout
        self._first_delay = first_delay
        self._longest_delay = longest_delay
        self._wire: Wire | None = None
        self._up = asyncio.Event()
        self._jobs: dict[str, tuple[Reply, asyncio.TimerHandle]] = {}
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    @property
    def connected(self) -> bool:
        """Logged in and subscribed."""
        return self._wire is not None

    def start(self) -> None:
        """Begin to connect, and connect again for ever."""
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
        wire = self._wire
        if wire is not None:
            wire.resume()
            wire.send(command.leave(), lambda text: None)
            await asyncio.wait([wire.closed], timeout=within)
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def send(self, data: bytes, reply: Reply) -> None:
        """Send a command; `reply` is called with its answer, with LOST when none can come, never from inside `send`."""
        if self._wire is None:
            asyncio.get_running_loop().call_soon(reply, LOST)
        else:
            self._wire.send(data, reply)

    async def ask_raw(self, data: bytes, within: float = 5.0) -> str:
        """Send a command and wait for its answer, an -ERR included. Raises SwitchAwayError, NoAnswerError."""
        return await self._wait_for(lambda reply: self.send(data, reply), within)

    async def ask(self, data: bytes, within: float = 5.0) -> str:
        """Send a command and wait for its answer. Raises SwitchAwayError, NoAnswerError, CommandRefusedError."""
        return _accepted(await self.ask_raw(data, within))

    async def job(self, line: str, within: float = 30.0) -> str:
        """Run a command in the background of the switch and wait for its result; raises like `ask`."""
        return _accepted(await self._wait_for(lambda reply: self.start_job(line, reply, within), within))

    def start_job(self, line: str, done: Reply, within: float = 600.0) -> str:
        """Run a command in the background of the switch; `done` gets its result, LOST or NO_ANSWER when none came."""
        job_uuid = str(uuid4())
        timer = asyncio.get_running_loop().call_later(within, self._end_job, job_uuid, NO_ANSWER)
        self._jobs[job_uuid] = done, timer

        def reply(text: str) -> None:
            if not text.startswith("+OK"):
                self._end_job(job_uuid, text)

        self.send(command.bgapi(line, job_uuid), reply)
        return job_uuid

    def pause(self) -> None:
        """Take no more events until `resume`. Keep it short: the switch holds 100,000 events for us, then drops us."""
        if self._wire is not None:
            self._wire.pause()

    def resume(self) -> None:
        """Go on after `pause`, beginning with what had already come."""
        if self._wire is not None:
            self._wire.resume()

    def new_wire(self) -> Wire:
        """The protocol of one TCP connection, wired to this object."""
        return Wire(self._password, self._subscription, self._connected, self._event, self._plain_event)

    # -- inside -----------------------------------------------------------------------------------------------------------

    async def _wait_for(self, begin: Callable[[Reply], object], within: float) -> str:
        answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def reply(text: str) -> None:
            if not answer.done():
                answer.set_result(text)

        begin(reply)
        try:
            async with asyncio.timeout(within):
                text = await answer
        except TimeoutError:
            raise NoAnswerError(f"no answer from the switch in {within:g} s") from None
        if text == LOST:
            raise SwitchAwayError("the switch is not connected")
        if text == NO_ANSWER:
            raise NoAnswerError(f"no answer from the switch in {within:g} s")
        return text

    def _end_job(self, job_uuid: str, text: str) -> bool:
        done, timer = self._jobs.pop(job_uuid, (None, None))
        if done is None or timer is None:
            return False
        timer.cancel()
        self._guarded("the handler of a job's result", done, text)
        return True

    def _event(self, body: bytes) -> None:
        try:
            event = decode(body)
        except msgspec.DecodeError as error:
            log.warning("event left out, not understood: %s: %r", error, body[:200])
            return
        self._dispatch(event)

    def _plain_event(self, body: bytes) -> None:
        try:
            event = Event.of(parse_plain_event(body))
        except (FrameError, msgspec.DecodeError) as error:
            log.warning("event left out, not understood: %s: %r", error, body[:200])
            return
        self._dispatch(event)

    def _dispatch(self, event: Event) -> None:
        if event.job_uuid and event.name == "BACKGROUND_JOB" and self._end_job(event.job_uuid, event.body):
            return
        try:
            self._on_event(event)
        except Exception:
            # the edge to the calls' code: one handler must not take the connection of every call down
            log.exception("the handler of %s failed", event.name, extra={"call": event.vats_call or "-"})

    def _guarded(self, what: str, callback: Callable[..., None], *args: object) -> None:
        try:
            callback(*args)
        except Exception:
            log.exception("%s failed", what)

    def _connected(self, wire: Wire) -> None:
        self._wire = wire
        self.last_error = None
        self._up.set()
        log.info("connected to the switch at %s:%d", self.host, self.port)
        self._guarded("on_connected", self._on_connected)

    async def _run(self) -> None:
        delay = self._first_delay
        while not self._closing:
            reason, was_up = await self._one_connection()
            if self._closing:
                return
            delay = self._first_delay if was_up else min(delay * 2, self._longest_delay)
            self.last_error = reason
            if not was_up:
                self._guarded("on_failed", self._on_failed, reason)
            # jitter: engines that lost one switch at one moment do not come back in one
            pause = secrets.SystemRandom().uniform(delay / 2, delay)
            log.warning("switch at %s:%d: %s; next try in %.1f s", self.host, self.port, reason, pause)
            await asyncio.sleep(pause)

    async def _one_connection(self) -> tuple[SwitchError, bool]:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_timeout):
                _, wire = await loop.create_connection(self.new_wire, self.host, self.port)
        except (OSError, TimeoutError) as error:
            return SwitchAwayError(str(error) or "no answer"), False
        try:
            await self._watch(wire)
        finally:
            wire.fail(SwitchAwayError("closed"))
            self._lost(wire)
        return wire.reason or SwitchAwayError("closed"), wire.ready

    async def _watch(self, wire: Wire) -> None:
        """Until the connection is closed; closes it when the other side is dead."""
        began = asyncio.get_running_loop().time()
        while not wire.closed.done():
            await asyncio.wait([wire.closed], timeout=min(self._reply_timeout, self._connect_timeout) / 4)
            age = asyncio.get_running_loop().time() - began
            if not wire.ready and age > self._connect_timeout:
                wire.fail(SwitchAwayError("no log-in"))
            elif wire.waiting_for() > self._reply_timeout:
                wire.fail(SwitchAwayError(f"no answer for {self._reply_timeout:g} s"))
            elif wire.ready and not wire.waiting_for() and wire.silent_for() > self._reply_timeout / 2:
                wire.send(command.api("status"), lambda text: None)

    def _lost(self, wire: Wire) -> None:
        was_up = self._wire is wire
        if was_up:
            self._wire = None
            self._up.clear()
        wire.give_up_replies(LOST)
        if not was_up:
            return
        for job_uuid in list(self._jobs):
            self._end_job(job_uuid, LOST)
        if not self._closing:
            self._guarded("on_lost", self._on_lost, wire.reason or SwitchAwayError("closed"))


def _accepted(text: str) -> str:
    if text.startswith("-"):
        raise CommandRefusedError(text.strip())
    return text
