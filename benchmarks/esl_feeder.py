# SPDX-License-Identifier: Apache-2.0
"""The switch's side of the event socket benchmarks: `python -m benchmarks.esl_feeder` prints its port and serves.

`api feed N` on a control connection sends N events to every subscriber as fast as they take them and answers when they are
written. `api calls N M [script]` starts N calls, M at a time, each of which lives by the commands a controller sends, and
answers when the last is over: by the script `plain` a sound is over at once, by `menu` the caller presses 1 while he hears it.
`api hold N` starts N calls that hear a sound for ever, `api press` lets all of them press 1 and answers when the last is over.
"""

import asyncio
import json
import socket
import time

from benchmarks.esl_parts import NAMES, headers_of, json_frame, plain_frame, uuid_of
from engine.esl.frame import Frame, FrameParser, encode_frame

CALLS = 200
TRUNK_SIDE = {
    "Caller-Context": "from-trunk", "Caller-Destination-Number": "74951234567", "Caller-Caller-ID-Number": "79271234567",
    "variable_sip_received_ip": "127.0.0.1", "Answer-State": "ringing", "variable_vats_call": "",
}  # fmt: skip
"""A call from a provider, nobody's yet, to the number that the benchmarks' accounts have."""
RUN = "11111111-2222-3333-4444-555555555555"
OK = encode_frame({"Content-Type": "command/reply", "Reply-Text": "+OK accepted"})
API_OK = encode_frame({"Content-Type": "api/response"}, b"+OK\n")
ANSWERS = {
    "sched_del": encode_frame({"Content-Type": "api/response"}, b"+OK Deleted: 1\n"),
    "global_getvar": encode_frame({"Content-Type": "api/response"}, b"6d2375b0-5183-11e1-b24c-f527b57af954"),
    "uuid_exists": encode_frame({"Content-Type": "api/response"}, b"true"),
}


class Peer:
    """One client. Events are built once; a call's are the same bytes with its own uuid in them."""

    def __init__(self, feeder: "Feeder", writer: asyncio.StreamWriter) -> None:
        self.feeder = feeder
        self.writer = writer
        self.json: bool | None = None
        self.templates: dict[str, bytes] = {}

    def subscribe(self, line: str) -> None:
        if self in self.feeder.subscribers:
            return
        self.json = line.split()[1] == "json"
        frame = json_frame if self.json else plain_frame
        now = str(time.time_ns() // 1000)
        for name in (*NAMES, "DTMF"):
            more = {"Caller-Channel-Created-Time": now, "Event-Date-Timestamp": now}
            if name == "CHANNEL_EXECUTE_COMPLETE":
                more |= {"Application": "playback", "Application-Response": "FILE PLAYED", "Application-UUID": RUN, "Event-UUID": RUN}
            elif name == "DTMF":
                more |= {"DTMF-Digit": "1", "DTMF-Duration": "800"}
            elif name == "CHANNEL_PARK":
                more |= TRUNK_SIDE
            elif name == "CHANNEL_HANGUP_COMPLETE":
                more |= {"Hangup-Cause": "NORMAL_CLEARING", "Answer-State": "hangup"}
            self.templates[name] = frame(headers_of(name, uuid_of(0), 1, **more))
        self.feeder.subscribers.append(self)

    def event(self, name: str, uuid: str, run: str = RUN) -> bytes:
        frame = self.templates[name].replace(b"4f1c9e9e-7c1a-4c52-9d3f-000000000000", uuid.encode())
        return frame.replace(RUN.encode(), run.encode()) if run != RUN else frame


class Feeder:
    """The server and what it knows of its calls."""

    def __init__(self) -> None:
        self.subscribers: list[Peer] = []
        self.left = 0
        self.script = "plain"
        self.open: dict[str, str] = {}
        """Channel → the id of the sound it hears."""
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
                    if line.startswith(("api feed", "api calls", "api hold", "api press")):
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
            out.append(OK)
            self.play(peer, words[1], frame.headers.get("event-uuid", RUN), out)
        elif words[0] != "api":
            if words[0] in ("event", "events"):
                peer.subscribe(line)
            out.append(OK)
        elif words[1] in ANSWERS:
            out.append(ANSWERS[words[1]])
        elif words[1] == "show":
            out.append(encode_frame({"Content-Type": "api/response"}, self.show(words[2])))
        else:
            out.append(API_OK)
            uuid = words[2] if len(words) > 2 else ""
            if words[1] == "uuid_answer":
                out.append(peer.event("CHANNEL_ANSWER", uuid))
            elif words[1] == "uuid_break" and self.open.get(uuid):
                run, self.open[uuid] = self.open[uuid], ""
                out.append(peer.event("CHANNEL_EXECUTE_COMPLETE", uuid, run))
            elif words[1] == "uuid_kill" and uuid in self.open:
                del self.open[uuid]
                out.append(peer.event("CHANNEL_HANGUP_COMPLETE", uuid))
                self.next_call(peer, out)

    def play(self, peer: Peer, uuid: str, run: str, out: list[bytes]) -> None:
        if self.script == "plain":
            out.append(peer.event("CHANNEL_EXECUTE_COMPLETE", uuid, run))
            return
        self.open[uuid] = run
        if self.script == "menu":
            out.append(peer.event("DTMF", uuid))

    def show(self, what: str) -> bytes:
        if what != "channels" or not self.open:
            return b'{"row_count":0}'
        rows = [{"uuid": uuid, "direction": "inbound", "application": "playback", "state": "CS_EXECUTE"} for uuid in self.open]
        return json.dumps({"row_count": len(rows), "rows": rows}).encode()

    def next_call(self, peer: Peer, out: list[bytes]) -> None:
        if self.left:
            self.left -= 1
            self.number += 1
            uuid = uuid_of(self.number)
            self.open[uuid] = ""
            out.append(peer.event("CHANNEL_PARK", uuid))
        elif not self.open:
            self.over.set()

    async def start_calls(self, peer: Peer, count: int, at_once: int) -> None:
        self.left = count
        self.over.clear()
        for _ in range(min(at_once, count)):
            out: list[bytes] = []
            self.next_call(peer, out)
            peer.writer.write(b"".join(out))

    async def control(self, line: str) -> None:
        _, verb, *arguments = line.split()
        peer = self.subscribers[-1]
        if verb == "hold":
            self.script = "hold"
            await self.start_calls(peer, int(arguments[0]), int(arguments[0]))
            return
        if verb == "press":
            peer.writer.write(b"".join(peer.event("DTMF", uuid) for uuid in self.open))
            await self.over.wait()
            return
        if verb == "calls":
            self.script = arguments[2] if len(arguments) > 2 else "plain"
            await self.start_calls(peer, int(arguments[0]), int(arguments[1]))
            await self.over.wait()
            return
        frames = [peer.event(name, uuid_of(call)) for call in range(CALLS) for name in NAMES]
        left = int(arguments[0])
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
