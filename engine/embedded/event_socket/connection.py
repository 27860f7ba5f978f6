# SPDX-License-Identifier: Apache-2.0
"""One client of the event socket: greeting, auth, commands in order, events; made by the server for each TCP connection."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections import deque
from collections.abc import Coroutine
from typing import Any, Protocol
from uuid import uuid4

from engine.embedded.events import Event, Headers

from .reader import BrokenFrameError, Command, CommandReader
from .subscription import Subscription

log = logging.getLogger(__name__)

Answer = str | Coroutine[Any, Any, str]
_LOG_LEVELS = ("CONSOLE", "ALERT", "CRIT", "ERR", "WARNING", "NOTICE", "INFO", "DEBUG")


class Backend(Protocol):
    """What the connection needs of the switch."""

    password: str
    queue_bytes: int

    def run_api(self, line: str) -> Answer: ...
    def start_job(self, line: str, job_uuid: str) -> None: ...
    def sendmsg(self, uuid: str, command: Command) -> str: ...
    def has_channel(self, uuid: str) -> bool: ...
    def sendevent(self, name: str, subclass: str, headers: Headers, body: str) -> None: ...
    def subscribe(self, connection: Connection) -> None: ...
    def forget(self, connection: Connection) -> None: ...
    def admits(self, address: str) -> bool: ...
    def start_task(self, work: Coroutine[Any, Any, None]) -> None: ...


class Connection(asyncio.Protocol):
    """Writes of one turn of the loop go out together. A client that does not read is cut off."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._reader = CommandReader()
        self.subscription = Subscription()
        self._authed = False
        self._closing = False
        self._busy = False
        self._commands: deque[Command] = deque()
        self._out: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self.peer = ""

    # -- transport ---------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        address = transport.get_extra_info("peername") or ("", 0)
        self.peer = f"{address[0]}:{address[1]}"
        if not self._backend.admits(str(address[0])):
            log.warning("event socket: %s is not in the access list", self.peer)
            text = b"Access Denied, go away.\n"
            self._send(b"Content-Type: text/rude-rejection\nContent-Length: %d\n\n%s" % (len(text), text))
            self._close_after_flush()
            return
        self._send(b"Content-Type: auth/request\n\n")

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        try:
            # one by one: what follows an auth in the same segment is read as a trusted client's
            for command in self._reader.feed(data):
                self._commands.append(command)
                self._work()
                if self._closing:
                    return
        except BrokenFrameError as error:
            log.warning("event socket: %s sent what is no command (%s); closed", self.peer, error)
            self._disconnect()

    def connection_lost(self, exc: Exception | None) -> None:
        self._closing = True
        self._commands.clear()
        self._out.clear()
        self._backend.forget(self)

    # -- commands ----------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while self._commands and not self._busy and not self._closing:
            self._handle(self._commands.popleft())

    def _handle(self, command: Command) -> None:
        verb = command.verb
        if verb.startswith(("exit", "...")):
            self._reply("+OK bye")
            self._disconnect()
        elif not self._authed:
            self._auth(verb, command)
        elif verb == "api":
            self._api(command)
        elif verb == "bgapi":
            job = command.headers.get("job-uuid") or str(uuid4())
            self._send(f"Content-Type: command/reply\nReply-Text: +OK Job-UUID: {job}\nJob-UUID: {job}\n\n".encode())
            self._backend.start_job(command.rest, job)
        elif verb == "sendmsg":
            uuid = command.rest or command.headers.get("session-id", "")
            self._reply(self._backend.sendmsg(uuid, command))
        else:
            self._reply(self._other(verb, command) or "-ERR command not found")

    def _auth(self, verb: str, command: Command) -> None:
        if verb == "auth" and hmac.compare_digest(command.rest.encode(), self._backend.password.encode()):
            self._authed = self._reader.trusted = True
            self._reply("+OK accepted")
        elif verb in ("auth", "userauth"):
            log.warning("event socket: %s gave a wrong password", self.peer)
            self._reply("-ERR invalid")
            self._disconnect()
        else:
            self._reply("-ERR command not found")

    def _api(self, command: Command) -> None:
        answer = self._backend.run_api(command.rest)
        if isinstance(answer, str):
            self._api_answer(answer)
            return
        self._busy = True
        self._backend.start_task(self._wait_for(answer))

    async def _wait_for(self, answer: Coroutine[Any, Any, str]) -> None:
        text = await answer
        self._busy = False
        if not self._closing:
            self._api_answer(text)
            self._work()

    def _api_answer(self, text: str) -> None:
        data = (text or "-ERR no reply\n").encode("utf-8", "replace")
        self._send(b"Content-Type: api/response\nContent-Length: %d\n\n%s" % (len(data), data))

    def _other(self, verb: str, command: Command) -> str:
        subscription = self.subscription
        match verb:
            case "event" | "events":
                answer = subscription.event(command.rest)
            case "nixevent":
                answer = subscription.nixevent(command.rest)
            case "noevents":
                answer = subscription.noevents()
            case "filter":
                return subscription.filter(command.rest)
            case "myevents":
                words = command.rest.split()
                uuid = next((word for word in words if word not in ("json", "plain", "xml")), "")
                if not self._backend.has_channel(uuid):
                    return "-ERR invalid uuid"
                if "json" in words:
                    subscription.format = "json"
                subscription.only_channel(uuid)
                answer = "+OK Events Enabled"
            case "sendevent":
                uuid = str(uuid4())
                headers: Headers = {**command.named, "Event-UUID": uuid}
                subclass = command.headers.get("event-subclass", "")
                self._backend.sendevent(command.rest.upper() or "GENERAL", subclass, headers, command.body)
                return f"+OK {uuid}"
            case "divert_events":
                return "-ERR not controlling a session."
            case "linger" | "nolinger" | "resume" | "getvar":
                return "-ERR not controlling a session"
            case "log":
                level = command.rest.upper() or "DEBUG"
                if level not in _LOG_LEVELS:
                    return "-ERR invalid log level"
                return f"+OK log level {level} [{_LOG_LEVELS.index(level)}]"
            case "nolog":
                return "+OK no longer logging"
            case _:
                return ""
        self._backend.subscribe(self)
        return answer

    # -- events ------------------------------------------------------------------------------------------------------

    def wants(self, name: str, subclass: str) -> bool:
        return self.subscription.wants(name, subclass)

    def take(self, event: Event) -> None:
        if not self._closing and self.subscription.passes(event):
            self._send(event.frame(self.subscription.format))

    # -- sending -----------------------------------------------------------------------------------------------------

    def _reply(self, text: str) -> None:
        self._send(f"Content-Type: command/reply\nReply-Text: {text}\n\n".encode("utf-8", "replace"))

    def _send(self, data: bytes) -> None:
        if self._transport is None or self._closing:
            return
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(data)

    def _flush(self) -> None:
        if not self._out or self._transport is None or self._transport.is_closing():
            self._out.clear()
            return
        data = b"".join(self._out)
        self._out.clear()
        if self._transport.get_write_buffer_size() + len(data) > self._backend.queue_bytes:
            log.warning("event socket: %s does not read its events; dropped", self.peer)
            self._closing = True
            self._transport.abort()
            return
        self._transport.write(data)

    def _disconnect(self) -> None:
        text = b"Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"
        self._send(b"Content-Type: text/disconnect-notice\nContent-Length: %d\n\n%s" % (len(text), text))
        self._close_after_flush()

    def _close_after_flush(self) -> None:
        self._flush()
        self._closing = True
        if self._transport is not None:
            self._transport.close()

    def close(self) -> None:
        """The switch stops."""
        if not self._closing:
            self._disconnect()
