# SPDX-License-Identifier: Apache-2.0
"""The switch's side of the event socket benchmarks: `python -m benchmarks.esl_feeder` prints its port and serves.

`api feed N` on a control connection sends N events to every subscriber as fast as they take them and answers when they are
written; `api calls N M` starts N calls, M at a time, each of which lives by the commands a controller sends, and answers
when the last is over.
"""

import asyncio
import socket

from benchmarks.esl_parts import NAMES, headers_of, json_frame, plain_frame, uuid_of
from engine.esl.frame import Frame, FrameParser, encode_frame

CALLS = 200
RUN = "11111111-2222-3333-4444-555555555555"
OK = encode_frame({"Content-Type": "command/reply", "Reply-Text": "+OK accepted"})
API_OK = encode_frame({"Content-Type": "api/response"}, b"+OK\n")


class Peer:
    """One client. Events are built once; a call's are the same bytes with its own uuid in them."""

    def __init__(self, feeder: "Feeder", writer: asyncio.StreamWriter) -> None:
        self.feeder = feeder
        self.writer = writer
        self.json: bool | None = None
        self.templates: dict[str, bytes] = {}

    def subscribe(self, line: str) -> None:
        self.json = line.split()[1] == "json"
        frame = json_frame if self.json else plain_frame
        for name in NAMES:
            more = {"Application": "playback", "Application-Response": "FILE PLAYED", "Application-UUID": RUN, "Event-UUID": RUN}
            self.templates[name] = frame(headers_of(name, uuid_of(0), 1, **(more if name == "CHANNEL_EXECUTE_COMPLETE" else {})))
        self.feeder.subscribers.append(self)

    def event(self, name: str, uuid: str, run: str = RUN) -> bytes:
        frame = self.templates[name].replace(b"4f1c9e9e-7c1a-4c52-9d3f-000000000000", uuid.encode())
        return frame.replace(RUN.encode(), run.encode()) if run != RUN else frame


class Feeder:
    """The server and what it knows of its calls."""

    def __init__(self) -> None:
        self.subscribers: list[Peer] = []
        self.left = 0
        self.open: set[str] = set()
        self.number = 0
        self.over = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = Peer(self, writer)
        parser = FrameParser(commands=True)
        writer.write(encode_frame({"Content-Type": "auth/request"}))
        try:
            while data := await reader.read(1 << 18):
                out: list[bytes] = []
                for frame in parser.feed(data):
                    line = frame.command
                    if line.startswith(("api feed", "api calls")):
                        await self.control(line)
                        out.append(API_OK)
                    else:
                        self.command(peer, line, frame, out)
                writer.write(b"".join(out))
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            if peer in self.subscribers:
                self.subscribers.remove(peer)
            writer.close()

    def command(self, peer: Peer, line: str, frame: Frame, out: list[bytes]) -> None:
        words = line.split(" ", 3)
        if words[0] == "sendmsg":
            out += OK, peer.event("CHANNEL_EXECUTE_COMPLETE", words[1], frame.headers.get("event-uuid", RUN))
        elif words[0] != "api":
            if words[0] in ("event", "events"):
                peer.subscribe(line)
            out.append(OK)
        else:
            out.append(API_OK)
            if words[1] == "uuid_answer":
                out.append(peer.event("CHANNEL_ANSWER", words[2]))
            elif words[1] == "uuid_kill" and words[2] in self.open:
                self.open.remove(words[2])
                out.append(peer.event("CHANNEL_HANGUP_COMPLETE", words[2]))
                self.next_call(peer, out)

    def next_call(self, peer: Peer, out: list[bytes]) -> None:
        if self.left:
            self.left -= 1
            self.number += 1
            uuid = uuid_of(self.number)
            self.open.add(uuid)
            out.append(peer.event("CHANNEL_PARK", uuid))
        elif not self.open:
            self.over.set()

    async def control(self, line: str) -> None:
        _, verb, *numbers = line.split()
        peer = self.subscribers[-1]
        if verb == "calls":
            self.left, at_once = map(int, numbers)
            self.over.clear()
            out: list[bytes] = []
            for _ in range(min(at_once, self.left)):
                self.next_call(peer, out)
            peer.writer.write(b"".join(out))
            await self.over.wait()
            return
        frames = [peer.event(name, uuid_of(call)) for call in range(CALLS) for name in NAMES]
        left = int(numbers[0])
        while left:
            part = frames[:left]
            left -= len(part)
            for start in range(0, len(part), 100):
                peer.writer.write(b"".join(part[start : start + 100]))
                await peer.writer.drain()


async def main() -> None:
    server = await asyncio.start_server(Feeder().serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
