# SPDX-License-Identifier: Apache-2.0
"""A plain event-socket connection for tests that look at a switch without the engine's own client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

Event = dict[str, Any]


class EventSocket:
    """`api` and `execute` wait for their answer; `event` waits for the first event that fits, keeping the others."""

    def __init__(self, host: str, port: int, password: str) -> None:
        self._where = (host, port)
        self._password = password
        self._kept: list[Event] = []

    async def __aenter__(self) -> EventSocket:
        self._reader, self._writer = await asyncio.open_connection(*self._where)
        await self._frame()
        assert "+OK" in (await self._ask(f"auth {self._password}"))[0]["Reply-Text"]
        await self._ask(
            "event json CHANNEL_PARK CHANNEL_ANSWER CHANNEL_HANGUP_COMPLETE CHANNEL_DESTROY CHANNEL_EXECUTE_COMPLETE "
            "CUSTOM sofia::register sofia::unregister sofia::register_failure"
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def api(self, command: str) -> str:
        return (await self._ask(f"api {command}"))[1]

    async def execute(self, uuid: str, application: str, argument: str = "") -> Event:
        """Runs an application on a channel and waits for its end."""
        await self._ask(
            f"sendmsg {uuid}\ncall-command: execute\nexecute-app-name: {application}\nexecute-app-arg: {argument}\nevent-lock: true"
        )
        return await self.event(
            lambda e: e["Event-Name"] == "CHANNEL_EXECUTE_COMPLETE" and e.get("Application") == application
        )

    async def event(self, fits: Callable[[Event], bool], timeout_seconds: float = 15) -> Event:
        async with asyncio.timeout(timeout_seconds):
            while True:
                for event in self._kept:
                    if fits(event):
                        self._kept.remove(event)
                        return event
                head, body = await self._frame()
                if head.get("Content-Type") == "text/event-json":
                    self._kept.append(json.loads(body))

    async def _ask(self, command: str) -> tuple[dict[str, str], str]:
        self._writer.write(f"{command}\n\n".encode())
        while True:
            head, body = await self._frame()
            if head.get("Content-Type") == "text/event-json":
                self._kept.append(json.loads(body))
            else:
                return head, body

    async def _frame(self) -> tuple[dict[str, str], str]:
        async with asyncio.timeout(15):
            lines = (await self._reader.readuntil(b"\n\n")).decode().strip().splitlines()
            head = dict(line.split(": ", 1) for line in lines)
            length = int(head.get("Content-Length", 0))
            return head, (await self._reader.readexactly(length)).decode() if length else ""
