# SPDX-License-Identifier: Apache-2.0
"""What event socket connections may do with the switch: commands, jobs, messages to channels, events of their own."""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from engine.embedded import causes, commands, text
from engine.embedded.applications import REFUSED
from engine.embedded.channel import Message
from engine.embedded.directory import in_networks
from engine.embedded.event_socket.connection import Answer, Connection
from engine.embedded.event_socket.reader import Command
from engine.embedded.events import Headers

if TYPE_CHECKING:
    from engine.embedded.switch import Switch

log = logging.getLogger(__name__)


class EventSocketBackend:
    """Implements event_socket.connection.Backend."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self.password = switch.config.event_socket.password
        self.queue_bytes = switch.config.event_socket.queue_bytes

    def admits(self, address: str) -> bool:
        return in_networks(address, self._switch.config.event_socket.acl)

    def subscribe(self, connection: Connection) -> None:
        self._switch.bus.add(connection)

    def forget(self, connection: Connection) -> None:
        self._switch.bus.remove(connection)
        self._switch.event_socket.forget(connection)

    def has_channel(self, uuid: str) -> bool:
        return uuid in self._switch.channels

    def start_task(self, work: Coroutine[Any, Any, None]) -> None:
        self._switch.start_task(work)

    def run_api(self, line: str) -> Answer:
        self._switch.media.poll()  # a burst of commands must not make sound late
        return commands.run(self._switch, line)

    def start_job(self, line: str, job_uuid: str) -> None:
        self._switch.start_task(self._job(line, job_uuid))

    async def _job(self, line: str, job_uuid: str) -> None:
        answer = commands.run(self._switch, line)
        body = answer if isinstance(answer, str) else await answer
        name, _, argument = line.strip().partition(" ")
        headers: Headers = {"Job-UUID": job_uuid, "Job-Command": name}
        if argument.strip():
            headers["Job-Command-Arg"] = argument.strip()
        self._switch.bus.fire("BACKGROUND_JOB", headers, body=body or "Command returned no output!", origin="api_exec")

    def sendmsg(self, uuid: str, command: Command) -> str:
        channel = self._switch.channels.get(uuid)
        if channel is None or channel.is_down():
            return f"-ERR invalid session id [{uuid}]"
        headers = command.headers
        match headers.get("call-command", "").lower():
            case "execute":
                application = headers.get("execute-app-name", "").strip()
                if application.lower() in REFUSED:
                    return f"-ERR {application} is not offered by the embedded switch"
                if not application:
                    return "+OK"
                argument = headers.get("execute-app-arg", "")
                if not argument and headers.get("content-type", "").lower() == "text/plain":
                    argument = command.body
                message = Message(
                    application,
                    argument,
                    headers.get("event-uuid", ""),
                    lock=text.true(headers.get("event-lock")),
                    loops=text.number(headers.get("loops", ""), 1) or 1,
                    hold_other=text.true(headers.get("hold-bleg")),
                )
                return "+OK" if channel.queue(message) else "-ERR memory error"
            case "hangup":
                channel.queue(Message("hangup", hangup_cause=causes.parse(headers.get("hangup-cause", ""))))
            case "xferext":
                return "-ERR xferext is not offered by the embedded switch"
            case "unicast" | "nomedia":
                return f"-ERR {headers['call-command']} is not offered by the embedded switch"
        return "+OK"

    def sendevent(self, name: str, subclass: str, headers: Headers, body: str) -> None:
        own = {key: value for key, value in headers.items() if key.lower() not in ("event-subclass", "content-length", "event-name")}
        self._switch.bus.fire(name, own, subclass=subclass, body=body or None, origin="sendevent")
