# SPDX-License-Identifier: Apache-2.0
"""What the fuzz tests throw: mutated SIP datagrams and event socket frames, a proxy that breaks frames, and a look at processes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from tests.embedded.sip.phone import compose

Address = tuple[str, int]
_SIP = [
    b"\r\n", b"\r\n ", b"\0", b"\xff\xfe", b'"', b"<", b">", b";", b",", b":", b"@", b"%00", b"=", b"(", b"\\", b"sip:", b"tel:",
    b"-1", b"0",
    b"99999999999999999999", "٣".encode(), b"[::1", b"SIP/2.0", b"SIP/9.9", b";tag=", b";branch=", b";rport", b"*",
    b"Content-Length: 70000\r\n",
    b"l: 0\r\n", b"Via: \r\n", b"Route: <sip:127.0.0.1;lr>\r\n", b"Require: x\r\n", b"Replaces: a;to-tag=b;from-tag=c\r\n",
    b"multipart/mixed", b"application/dtmf-relay", b"A" * 3000, b"{", b"${", b"REGISTER", b"CANCEL", b"ACK", b"UPDATE",
    b"REFER", b"\r\n\r\n",
]  # fmt: skip
_ESL = [
    b"\n", b"\r\n", b"\n\n", b"\0", b"\xff\xfe", b":", b": ", b"{", b"}", b"[", b'"',
    b"\\", b"\\u0000", b"\\ud800", b"%0A", b"${", b"null", b"[[[[",
    b"-1", b"1e999", b"99999999999999999999", "я".encode(), b"Content-Length: 5\n", b"content-length: 1e3\n",
    b"Content-Type: auth/request\n",
    b"text/event-json", b"text/event-plain", b"api/response", b"command/reply", b'"Event-Name":"CUSTOM",', b"/((", b"A" * 3000,
    b"true", b"'",
]  # fmt: skip


def mutated(rng: random.Random, data: bytes, pieces: Sequence[bytes] = _SIP, line: bytes = b"\r\n") -> bytes:
    """One to five changes: something inserted, cut, overwritten, repeated, cut off, lines shuffled. Never empty."""
    for _ in range(rng.randint(1, 5)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(6):
            case 0:
                data = data[:at] + rng.choice(pieces) + data[at:]
            case 1:
                data = data[:at] + data[at + rng.randint(1, 30) :]
            case 2:
                data = data[:at] + rng.randbytes(rng.randint(1, 8)) + data[at + 1 :]
            case 3:
                end = at + rng.randint(1, 60)
                data = data[:end] + data[at:end] + data[end:]
            case 4 if rng.random() < 0.3:
                data = data[:at]
            case _:
                lines = data.split(line)
                rng.shuffle(lines)
                data = line.join(lines)
    return data or b"x"


def mutated_frame(rng: random.Random, data: bytes) -> bytes:
    """The same for what goes over an event socket."""
    return mutated(rng, data, _ESL, b"\n")


# -- SIP -----------------------------------------------------------------------------------------------------------------------


class Intruder:
    """Sends datagrams from one address; whatever is answered is thrown away."""

    def __init__(self, host: str) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.setblocking(False)
        self.host, self.port = self.socket.getsockname()

    def send(self, data: bytes, to: Address) -> None:
        self.socket.sendto(data[:60000], to)

    def samples(self, domain: str, login: str, number: str) -> list[bytes]:
        """Good requests and answers of every sort, of a phone that is not registered and knows no password."""
        sdp = (
            f"v=0\r\no=- 1 1 IN IP4 {self.host}\r\ns=-\r\nc=IN IP4 {self.host}\r\nt=0 0\r\n"
            "m=audio 40000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
        )
        digest = (
            f'Digest username="{login}", realm="{domain}", nonce="1.a.b", uri="sip:{domain}", '
            'response="0", qop=auth, nc=00000001, cnonce="x"'
        )
        dtmf, signal = ("Content-Type", "application/dtmf-relay"), "Signal=1\r\nDuration=100\r\n"
        replaces = [("Replaces", "a;to-tag=b;from-tag=c"), ("Session-Expires", "90"), ("Supported", "timer, replaces")]
        refer = [("Refer-To", f"<sip:555@{domain}?Replaces=abc%40x%3Bto-tag%3Dt1%3Bfrom-tag%3Df1>"), ("Referred-By", "<sip:x@y>")]
        made = [
            self._request("INVITE", domain, number, [], sdp), self._request("INVITE", domain, number, replaces, sdp),
            self._request("INVITE", domain, number, [("Authorization", digest)], sdp), self._request("INVITE", domain, number, []),
            self._request("REGISTER", domain, "", [("Expires", "60")]), self._request("REGISTER", domain, "", [("Authorization", digest)]),
            self._request("OPTIONS", domain, number, []), self._request("CANCEL", domain, number, []),
            self._request("ACK", domain, number, []), self._request("BYE", domain, number, []),
            self._request("INFO", domain, number, [dtmf], signal), self._request("REFER", domain, number, refer),
            self._request("UPDATE", domain, number, [], sdp), self._request("SUBSCRIBE", domain, number, [("Event", "dialog")]),
            self._request("NOTIFY", domain, number, [("Event", "refer;id=1")]),
            self._request("PRACK", domain, number, [("RAck", "1 1 INVITE")]),
            self._request("MESSAGE", domain, number, [], "hello"),
        ]  # fmt: skip
        answers = ((100, "INVITE"), (200, "INVITE"), (401, "REGISTER"), (302, "INVITE"))
        return made + [self._answer(code, method) for code, method in answers]

    def _request(self, method: str, domain: str, number: str, extra: list[tuple[str, str]], body: str = "") -> bytes:
        uri = f"sip:{number}@{domain}" if number else f"sip:{domain}"
        headers = [
            ("Via", f"SIP/2.0/UDP {self.host}:{self.port};rport;branch=z9hG4bK-{self.port}-{method}"), ("Max-Forwards", "70"),
            ("From", f"<sip:201@{domain}>;tag=f1"), ("To", f"<{uri}>"), ("Call-ID", f"c1@{self.host}"), ("CSeq", f"1 {method}"),
            ("Contact", f"<sip:201@{self.host}:{self.port}>"), *extra,
        ]  # fmt: skip
        if body and not any(name == "Content-Type" for name, _ in extra):
            headers.append(("Content-Type", "application/sdp"))
        return compose(f"{method} {uri} SIP/2.0", headers, body)

    def _answer(self, code: int, method: str) -> bytes:
        via = f"SIP/2.0/UDP {self.host}:{self.port};branch=z9hG4bK-{method}"
        headers = [
            ("Via", via), ("From", "<sip:a@b>;tag=1"), ("To", "<sip:c@d>;tag=2"), ("Call-ID", f"c1@{self.host}"), ("CSeq", f"1 {method}"),
            ("Contact", f"<sip:201@{self.host}:{self.port}>"),
        ]  # fmt: skip
        return compose(f"SIP/2.0 {code} Text", headers)


class Door:
    """A bound UDP socket of another process, as the kernel sees it."""

    def __init__(self, address: Address) -> None:
        host, port = address
        self.address = address
        self._name = f"{int.from_bytes(socket.inet_aton(host), 'little'):08X}:{port:04X}"
        self.dropped_before = self._row()[1]

    def _row(self) -> tuple[int, int]:
        # The kernel gives its table a page at a time: a socket that anybody closes between two pages moves the rows behind it up,
        # and one of them is in neither page. So a row is gone only when it is missing again and again.
        for _ in range(10):
            for line in Path("/proc/net/udp").read_text().splitlines()[1:]:
                words = line.split()
                if words[1] == self._name:
                    return int(words[4].partition(":")[2], 16), int(words[-1])
        raise AssertionError(f"nobody listens at {self.address}")

    @property
    def dropped(self) -> int:
        """Datagrams that found no room, since this object was made."""
        return self._row()[1] - self.dropped_before

    async def emptied(self, within: float = 30.0) -> None:
        """Wait until its owner has taken everything that was sent."""
        async with asyncio.timeout(within):
            while self._row()[0]:
                await asyncio.sleep(0.002)  # the kernel's table: there is nothing to wait on


# -- the event socket ------------------------------------------------------------------------------------------------------------

_COMMANDS = [
    b"api status\n\n", b"event json ALL\n\n", b"event plain CHANNEL_PARK CUSTOM sofia::register\n\n", b"event xml ALL\n\n", b"noevents\n\n",
    b"filter Unique-ID abc\n\n", b"filter Event-Name /[A-Z]*CH/i\n\n", b"filter delete all\n\n", b"nixevent ALL\n\n",
    b"myevents x json\n\n",
    b"bgapi originate {a='b,c',origination_uuid=z}user/1@2 &park\nJob-UUID: 1\n\n", b"api show channels as json\n\n", b"log 7\n\n",
    b"sendmsg abc\ncall-command: execute\nexecute-app-name: playback\nexecute-app-arg: x\nevent-lock: true\n\n",
    b"sendmsg abc\ncall-command: execute\ncontent-type: text/plain\ncontent-length: 5\n\nhello", b"api uuid_dump x json\n\n", b"linger\n\n",
    b"sendmsg abc\ncall-command: hangup\nhangup-cause: USER_BUSY\n\n", b"api sofia status gateway\n\n", b"api uuid_kill abc\n\n",
    b"api uuid_setvar_multi x a=1;b=2\n\n", b"api expand ${a${b}}{\n\n", b"api sched_del zzz\n\n", b"auth x\n\n",
    b"api uuid_bridge a b\n\n",
    b"sendevent CUSTOM\nEvent-Subclass: a::b\ncontent-length: 3\n\nxyz", b"api uuid_record a start /nowhere/x.wav\n\n",
    b"api acl 1.2.3.4 trunks\n\n",
]  # fmt: skip


async def bad_client(rng: random.Random, where: Address, password: str, frames: int) -> int:
    """One connection that sends so many mutated commands, after a log-in or without, until it is cut off; how many were answered."""
    reader, writer = await asyncio.open_connection(*where)
    eater = asyncio.create_task(_answers(reader))
    try:
        with contextlib.suppress(OSError):  # the switch may close on us at any byte, also with ENOTCONN
            if password:
                writer.write(f"auth {password}\n\n".encode())
            for _ in range(frames):
                writer.write(mutated_frame(rng, rng.choice(_COMMANDS)))
            await writer.drain()
            writer.write_eof()
        async with asyncio.timeout(30):
            return await eater
    finally:
        eater.cancel()
        writer.close()


async def _answers(reader: asyncio.StreamReader) -> int:
    """Answers, counted until the end."""
    count, rest = 0, b""
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            data = rest + data
            whole, _, rest = data.rpartition(b"\n")  # no answer's first line is cut in two
            count += whole.count(b"Content-Type: command/reply") + whole.count(b"Content-Type: api/response")
    return count


def event_frame(body: bytes, kind: str = "text/event-json") -> bytes:
    return f"Content-Length: {len(body)}\nContent-Type: {kind}\n\n".encode() + body


def strange(rng: random.Random, event: bytes, own: Sequence[str]) -> bytes:
    """An event frame in good framing around a mutated event. Uuids of channels are others: it must not be about the calls that go on."""
    text = event
    for uuid in own:
        text = text.replace(uuid.encode(), str(UUID(int=rng.getrandbits(128), version=4)).encode())
    if rng.random() < 0.2:
        fields = json.loads(text)
        plain = "".join(f"{name}: {value}\n" for name, value in fields.items() if isinstance(value, str)).encode()
        return event_frame(mutated_frame(rng, plain + b"\n"), "text/event-plain")
    if rng.random() < 0.5:  # still JSON: values of other kinds and other texts in the fields
        fields = json.loads(text)
        for name in rng.sample(sorted(fields), min(len(fields), rng.randint(1, 8))):
            fields[name] = rng.choice([None, True, -1, 1e300, [], {}, "",
            "я" * 200, "\0", "x\n\ny", ["a", 1], {"a": None}, "99999999999999999999", "-5"])
        return event_frame(json.dumps(fields).encode())
    return event_frame(mutated(rng, text, _ESL, b","))


def broken(rng: random.Random) -> bytes:
    """Something that no reader can go on after."""
    return rng.choice(
        [
            b"Content-Length: -5\nContent-Type: text/event-json\n\n{}", b"Content-Length: 1e3\n\n", b"no colon at all\n\n",
            b"Content-Type: command/reply\nReply-Text: +OK nobody asked\n\n" * 40, b"Content-Length: 99999999999\n\n",
            b"A" * 70_000 + b"\n\n",
            b"Content-Type: text/disconnect-notice\nContent-Length: 3\n\nbye",
            b"Content-Length: \xd9\xa3\n\n", rng.randbytes(300) + b"\nx\n\n",
            b"Content-Type: text/rude-rejection\n\n", b"Content-Type: api/response\nContent-Length: 4\n\n+OK\n" * 40,
        ]
    )  # fmt: skip


class Proxy:
    """Stands between the engine and the switch's event socket; passes everything, and puts in what a test gives it."""

    def __init__(self, switch: Address) -> None:
        self._switch = switch
        self.connections = 0
        self._engine: asyncio.StreamWriter | None = None
        self._to_switch: asyncio.StreamWriter | None = None
        self._flow = asyncio.Condition()
        self.events: list[bytes] = []
        """Bodies of the events that have passed, the first few hundred."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_switch, to_switch = await asyncio.open_connection(*self._switch, limit=1 << 22)
        except OSError:
            writer.close()
            return
        subscribed = asyncio.Event()
        upward = asyncio.create_task(self._up(reader, to_switch, subscribed))
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                while True:
                    frame = await _frame(from_switch)
                    writer.write(frame)
                    if b"Reply-Text: +OK event listener enabled" in frame:
                        await self._up_again(writer, to_switch)
                    elif b"text/event-json" in frame[:80] and len(self.events) < 400:
                        self.events.append(frame.partition(b"\n\n")[2])
                    await writer.drain()
        finally:
            if self._engine is writer:
                self._engine = self._to_switch = None
            upward.cancel()
            writer.close()
            to_switch.close()

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, subscribed: asyncio.Event) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def _up_again(self, writer: asyncio.StreamWriter, to_switch: asyncio.StreamWriter) -> None:
        self._engine, self._to_switch = writer, to_switch
        self.connections += 1
        async with self._flow:
            self._flow.notify_all()

    async def to_engine(self, frame: bytes) -> None:
        """Put in between two frames; waits for the next connection when there is none."""
        await self._put(lambda: self._engine, frame)

    async def to_switch(self, frame: bytes) -> None:
        """The same in the other direction, as if the engine had sent it."""
        await self._put(lambda: self._to_switch, frame)

    async def _put(self, where: Callable[[], asyncio.StreamWriter | None], frame: bytes) -> None:
        async with asyncio.timeout(20), self._flow:
            await self._flow.wait_for(lambda: where() is not None)
        writer = where()
        assert writer is not None
        with contextlib.suppress(ConnectionError):
            writer.write(frame)
            await writer.drain()

    async def connected(self, count: int, within: float = 20.0) -> None:
        """Wait until the engine has logged in and subscribed so many times."""
        async with asyncio.timeout(within), self._flow:
            await self._flow.wait_for(lambda: self.connections >= count)


async def _frame(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\n\n")
    found = re.search(rb"^content-length: *(\d+)", head, re.IGNORECASE | re.MULTILINE)
    return head + (await reader.readexactly(int(found[1])) if found else b"")


@asynccontextmanager
async def proxy(host: str, switch: Address) -> AsyncIterator[tuple[Proxy, int]]:
    """It and its port, until the block ends."""
    made = Proxy(switch)
    server = await asyncio.start_server(made._serve, host, 0, limit=1 << 22)
    try:
        yield made, server.sockets[0].getsockname()[1]
    finally:
        server.close()


# -- processes -------------------------------------------------------------------------------------------------------------------


def memory(pid: int) -> int:
    """Resident bytes."""
    found = re.search(r"^VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def complaints(log: str) -> Iterator[str]:
    """Lines of a log that must not be there: errors, and exceptions nobody has caught."""
    for line in log.splitlines():
        if re.match(r"\S+ \S+ (ERROR|CRITICAL)", line) or line.startswith("Traceback") or "never retrieved" in line:
            yield line


class Watch:
    """Answers of a registrar, and memory, seen while something else goes on."""

    def __init__(self, pids: dict[str, int]) -> None:
        self.pids = pids
        self.before = {name: memory(pid) for name, pid in pids.items()}
        self.most = dict(self.before)
        self.slowest = 0.0
        self.registered = 0

    def look(self) -> None:
        for name, pid in self.pids.items():
            self.most[name] = max(self.most[name], memory(pid))

    @property
    def growth(self) -> dict[str, int]:
        """Bytes per process."""
        return {name: self.most[name] - before for name, before in self.before.items()}

    def answered(self, began: float) -> None:
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.registered += 1
