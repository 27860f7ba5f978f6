# SPDX-License-Identifier: Apache-2.0
"""A small event socket server on loopback that does as a test tells it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from engine.esl.frame import Frame, FrameError, FrameParser, encode_frame

WAIT = 10.0


def event_frame(**headers: object) -> bytes:
    """A JSON event; underscores in names stand for minus signs."""
    return event_of({name.replace("_", "-"): value for name, value in headers.items()})


def event_of(headers: dict[str, object]) -> bytes:
    return encode_frame({"Content-Type": "text/event-json"}, json.dumps(headers, ensure_ascii=False).encode())


def reply(text: str) -> bytes:
    return encode_frame({"Content-Type": "command/reply", "Reply-Text": text})


def response(text: str) -> bytes:
    return encode_frame({"Content-Type": "api/response"}, text.encode())


class FakeSwitch:
    """Collects commands in `commands`; `answers` maps the front of a command to its answer."""

    def __init__(self) -> None:
        self.password = "secret"
        self.port = 0
        self.connections = 0
        self.commands: asyncio.Queue[Frame] = asyncio.Queue()
        self.answers: dict[str, Callable[[Frame], bytes]] = {}
        self.greeting = encode_frame({"Content-Type": "auth/request"})
        self.reads: list[int] = []
        self.writer: asyncio.StreamWriter | None = None
        self.gone = asyncio.Event()
        self.came = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.came.set()
        self.writer = writer
        self.gone = asyncio.Event()
        parser = FrameParser(commands=True)
        try:
            writer.write(self.greeting)
            while data := await reader.read(1 << 20):
                self.reads.append(len(data))
                for frame in parser.feed(data):
                    self.commands.put_nowait(frame)
                    writer.write(self.answer(frame))
                    if frame.command == "exit":
                        return
                await writer.drain()
        except (ConnectionError, FrameError):
            pass
        finally:
            self.gone.set()
            writer.close()

    def answer(self, frame: Frame) -> bytes:
        line = frame.command
        for front, make in self.answers.items():
            if line.startswith(front):
                return make(frame)
        if line.startswith("auth "):
            return reply("+OK accepted" if line == f"auth {self.password}" else "-ERR invalid")
        if line.startswith("bgapi "):
            return reply(f"+OK Job-UUID: {frame.headers['job-uuid']}")
        if line.startswith("api "):
            return response("+OK\n")
        return reply("+OK bye" if line == "exit" else "+OK")

    def write(self, data: bytes) -> None:
        assert self.writer is not None
        self.writer.write(data)

    def drop(self) -> None:
        """Reset the connection."""
        assert self.writer is not None
        self.writer.transport.abort()

    async def command(self, front: str = "") -> Frame:
        """The next command that begins so; others before it are passed over."""
        async with asyncio.timeout(WAIT):
            while True:
                frame = await self.commands.get()
                if frame.command.startswith(front):
                    return frame


@asynccontextmanager
async def fake_switch() -> AsyncIterator[FakeSwitch]:
    fake = FakeSwitch()
    server = await asyncio.start_server(fake.serve, "127.0.0.1", 0)
    fake.port = server.sockets[0].getsockname()[1]
    try:
        yield fake
    finally:
        server.close()
        if fake.writer is not None:
            fake.writer.close()
        await server.wait_closed()
