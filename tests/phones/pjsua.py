# SPDX-License-Identifier: Apache-2.0
"""PjsuaPhone: an independent softphone for tests, driven through its process; every wait has a limit and names what came instead."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

Said = dict[str, Any]


class PjsuaPhone:
    """Use as an async context manager. `auto`: "ring", a status code to answer every call with, or None.

    `namespace`: the network namespace the phone lives in. `naive`: it writes its own address everywhere, whatever it learns.
    """

    def __init__(self, login: str, domain: str, server: tuple[str, int], **options: Any) -> None:
        host, port = server
        self.login = login
        tcp = ";transport=tcp" if options.get("transport") == "tcp" else ""
        self.server = f"{host}:{port}{tcp}"
        self.options: dict[str, Any] = {
            "id": f"sip:{login}@{domain}",
            "registrar": f"sip:{domain}{tcp}" if options.get("register", True) else "",
            "proxy": f"sip:{self.server};lr" if not tcp else f"sip:{host}:{port};transport=tcp;lr",
            "login": login,
            **options,
        }
        self.domain = domain
        self.heard: list[Said] = []
        self._seen = 0
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._news = asyncio.Event()

    async def __aenter__(self) -> PjsuaPhone:
        inside = ["ip", "netns", "exec", self.options["namespace"]] if "namespace" in self.options else []
        self._process = await asyncio.create_subprocess_exec(
            *inside, sys.executable, str(Path(__file__).with_name("pjsua_process.py")), json.dumps(self.options),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        self._reader = asyncio.create_task(self._read())
        await self.wait("ready")
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._process is not None
        assert self._reader is not None
        if self._process.returncode is None:
            self.do("quit")
            try:
                async with asyncio.timeout(5):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)

    def kill(self) -> None:
        """The phone loses its power: no BYE, nothing."""
        assert self._process is not None
        self._process.kill()

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            self.heard.append(json.loads(line))
            self._news.set()

    def do(self, kind: str, **fields: Any) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": kind, **fields}).encode() + b"\n")

    async def wait(self, event: str, within: float = 10.0, **fields: Any) -> Said:
        """The first event of this kind (with these fields) since the last one waited for."""
        try:
            async with asyncio.timeout(within):
                while True:
                    for index in range(self._seen, len(self.heard)):
                        said = self.heard[index]
                        if said["event"] == event and all(said.get(k) == v for k, v in fields.items()):
                            self._seen = index + 1
                            return said
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"{self.login}: no {event} {fields or ''} within {within} s; heard {self.heard[self._seen:]}") from None

    async def registered(self) -> Said:
        return await self.wait("registered")

    async def call(self, number: str, **options: Any) -> str:
        """Start a call; its name."""
        self.do("call", uri=f"sip:{number}@{self.domain}", **options)
        return str((await self.wait("calling"))["call"])

    async def incoming(self, within: float = 10.0) -> Said:
        return await self.wait("incoming", within)

    def answer(self, call: str, code: int = 200) -> None:
        self.do("answer", call=call, code=code)

    def hangup(self, call: str, code: int = 0) -> None:
        self.do("hangup", call=call, code=code)

    def press(self, call: str, digits: str) -> None:
        self.do("dtmf", call=call, digits=digits)

    async def talking(self, call: str, within: float = 10.0) -> Said:
        return await self.wait("state", within, call=call, state="CONFIRMED")

    async def over(self, call: str, within: float = 10.0) -> Said:
        """The end of the call with its last status; the recording of what was heard is complete then."""
        said = await self.wait("state", within, call=call, state="DISCONNECTED")
        await self.wait("over", within, call=call)
        return said
