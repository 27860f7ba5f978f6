# SPDX-License-Identifier: Apache-2.0
"""A raw event socket client for tests: replies in order, events kept, every wait limited."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import Any
from urllib.parse import unquote

Event = dict[str, Any]


class Esl:
    """Use as an async context manager; `events` are asked for as JSON unless none are named."""

    def __init__(self, host: str, port: int, password: str = "secret", events: str = "json ALL") -> None:
        self._where, self._password, self._events = (host, port), password, events
        self.events: list[Event] = []
        self.frames: list[tuple[dict[str, str], str]] = []
        self._seen = 0
        self._waiting: deque[asyncio.Future[tuple[dict[str, str], str]]] = deque()
        self._news = asyncio.Event()
        self.closed = asyncio.Event()

    async def __aenter__(self) -> Esl:
        self.reader, self.writer = await asyncio.open_connection(*self._where)
        head, _ = await self._frame()
        self.greeting = head["Content-Type"]
        self._task = asyncio.create_task(self._read())
        if self._password:
            assert (await self.command(f"auth {self._password}"))[0]["Reply-Text"] == "+OK accepted"
        if self._events:
            assert (await self.command(f"event {self._events}"))[0]["Reply-Text"].startswith("+OK")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.writer.close()

    async def _frame(self) -> tuple[dict[str, str], str]:
        lines = (await self.reader.readuntil(b"\n\n")).decode().strip().splitlines()
        head = dict(line.split(": ", 1) for line in lines)
        length = int(head.get("Content-Length", 0))
        return head, (await self.reader.readexactly(length)).decode() if length else ""

    async def _read(self) -> None:
        try:
            while True:
                head, body = await self._frame()
                kind = head.get("Content-Type", "")
                if kind == "text/event-json":
                    self.events.append(json.loads(body))
                elif kind == "text/event-plain":
                    self.events.append(plain(body))
                elif kind in ("command/reply", "api/response") and self._waiting:
                    self._waiting.popleft().set_result((head, body))
                else:
                    self.frames.append((head, body))
                self._news.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.closed.set()
            self._news.set()

    def send(self, text: str) -> asyncio.Future[tuple[dict[str, str], str]]:
        future: asyncio.Future[tuple[dict[str, str], str]] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self.writer.write(f"{text}\n\n".encode())
        return future

    async def command(self, text: str, within: float = 10) -> tuple[dict[str, str], str]:
        async with asyncio.timeout(within):
            return await self.send(text)

    async def api(self, line: str, within: float = 10) -> str:
        return (await self.command(f"api {line}", within))[1]

    async def bgapi(self, line: str) -> str:
        """The job's uuid."""
        return (await self.command(f"bgapi {line}"))[0]["Job-UUID"]

    async def job(self, job: str, within: float = 10) -> str:
        return str((await self.event("BACKGROUND_JOB", within, **{"Job-UUID": job}))["_body"])

    async def execute(self, uuid: str, application: str, argument: str = "", *, lock: bool = True, run: str = "") -> str:
        """The reply to the sendmsg."""
        lines = [f"sendmsg {uuid}", "call-command: execute", f"execute-app-name: {application}"]
        if argument:
            lines.append(f"execute-app-arg: {argument}")
        if run:
            lines.append(f"Event-UUID: {run}")
        if lock:
            lines.append("event-lock: true")
        return (await self.command("\n".join(lines)))[0]["Reply-Text"]

    async def event(self, name: str, within: float = 10, **wanted: str) -> Event:
        """The first event of this name with these headers, from where the last one found stood."""
        try:
            async with asyncio.timeout(within):
                while True:
                    for index in range(self._seen, len(self.events)):
                        found = self.events[index]
                        if found["Event-Name"] == name and all(found.get(key) == value for key, value in wanted.items()):
                            self._seen = index + 1
                            return found
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            seen = [
                (e["Event-Name"], e.get("Event-Subclass", ""), e.get("Unique-ID", "")[:8], e.get("Application", ""))
                for e in self.events[self._seen :]
            ]
            raise AssertionError(f"no {name} {wanted} within {within} s; came {seen}") from None

    async def find(self, name: str, uuid: str, within: float = 10) -> Event:
        """Such an event of a channel, wherever it stands; later ones are looked for from where they were before."""
        before, self._seen = self._seen, 0
        found = await self.event(name, within, **{"Unique-ID": uuid})
        self._seen = max(before, self._seen)
        return found

    def rewind(self) -> None:
        """Look at all events again."""
        self._seen = 0

    def names(self, uuid: str) -> list[str]:
        """Names of all events of a channel, in order."""
        return [found["Event-Name"] for found in self.events if found.get("Unique-ID") == uuid]


def plain(body: str) -> Event:
    head, _, rest = body.partition("\n\n")
    found: Event = {name: unquote(value) for name, _, value in (line.partition(": ") for line in head.splitlines())}
    if rest:
        found["_body"] = rest
    return found
