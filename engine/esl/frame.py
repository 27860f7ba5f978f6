# SPDX-License-Identifier: Apache-2.0
"""Event socket framing on bytes: splits a stream into frames and builds them, for `engine.esl` and the embedded switch.

A frame is a block of `Name: value` lines, an empty line, and `Content-Length` bytes of body. Pure: no input or output,
no dependencies. The parser owns its receive buffer, so that a `BufferedProtocol` reads straight into it:

    parser.get_buffer() -> memoryview       where the next bytes go
    parser.received(count)                  that many bytes have come
    parser.next_frame() -> Frame | None     take what is complete; FrameError closes this connection, nothing else
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import quote, unquote

MAX_HEAD = 64 * 1024
MAX_BODY = 16 * 1024 * 1024
BUFFER = 256 * 1024
_MIN_ROOM = 16 * 1024
# the head of nearly every frame of a busy switch, taken in one go; all others go line by line
_EVENT_HEAD = re.compile(rb"Content-Length: ([0-9]{1,9})\nContent-Type: text/event-json\n\n")


class FrameError(ValueError):
    """The stream cannot be understood any more; the connection it came from has to be closed."""


class Frame(NamedTuple):
    """One message of the event socket. `head` is the block of lines as sent, without the empty line that ends it."""

    head: bytes
    content_type: str
    body: bytes

    @property
    def command(self) -> str:
        """The first line, which in the direction to the switch is the command (`api status`, `sendmsg <uuid>`)."""
        return self.head.partition(b"\n")[0].decode("utf-8", "replace").rstrip("\r")

    @property
    def headers(self) -> dict[str, str]:
        """The header lines by lower-case name, values as sent. A command line without a colon is left out."""
        found: dict[str, str] = {}
        for line in self.head.split(b"\n"):
            name, colon, value = line.partition(b":")
            if colon and b" " not in name:
                found[name.decode("utf-8", "replace").lower()] = value.strip().decode("utf-8", "replace")
        return found


def _content_length(value: bytes) -> int:
    digits = value.strip()
    # int() would also take "+5", "1_0" and non-ASCII digits; a length of 4300 digits is an error of its own kind
    if not digits.isdigit() or len(digits) > 12:
        raise FrameError(f"Content-Length is not a number: {value[:40]!r}")
    return int(digits)


class FrameParser:
    """Takes a stream in pieces of any size and gives its frames.

    `commands=True` reads the direction to the switch, where the first line of a frame is a command.
    Memory is bounded by `buffer` plus one frame of at most `max_head + max_body` bytes.
    """

    def __init__(
        self, *, commands: bool = False, max_head: int = MAX_HEAD, max_body: int = MAX_BODY, buffer: int = BUFFER
    ) -> None:
        self._commands = commands
        self._max_head = max_head
        self._max_body = max_body
        self._size = buffer
        self._new_buffer(buffer)
        self._start = 0  # first byte not yet given out
        self._end = 0  # past the last byte received
        self._scanned = 0  # no end of head begins before this position
        self._head: tuple[bytes, str, int] | None = None  # head of the frame whose body is awaited

    def _new_buffer(self, size: int) -> None:
        self._buffer = bytearray(size)
        self._view = memoryview(self._buffer)

    @property
    def pending(self) -> int:
        """Bytes received and not yet given out as frames."""
        return self._end - self._start

    @property
    def capacity(self) -> int:
        """Bytes of the receive buffer as it is now."""
        return len(self._buffer)

    def get_buffer(self) -> memoryview:
        """Room for the next bytes, never empty."""
        pending = self._end - self._start
        wanted = max(pending + _MIN_ROOM, self._head[2] if self._head else 0)
        if self._start == self._end and len(self._buffer) > self._size and wanted <= self._size:
            self._new_buffer(self._size)  # a large frame is over: give its memory back
            self._move(0)
        elif wanted > len(self._buffer):
            old = self._view[self._start : self._end]
            self._new_buffer(wanted + _MIN_ROOM)
            self._view[:pending] = old
            self._move(pending)
        elif self._start and (not pending or self._start + wanted > len(self._buffer)):
            # same-size memmove; source and target may overlap, which bytearray slices handle by a copy
            self._view[:pending] = self._buffer[self._start : self._end]
            self._move(pending)
        return self._view[self._end :]

    def _move(self, pending: int) -> None:
        self._scanned = max(0, self._scanned - self._start)
        self._start = 0
        self._end = pending

    def received(self, count: int) -> None:
        """That many bytes have been written into the last `get_buffer()`."""
        self._end += count

    def next_frame(self) -> Frame | None:
        """The next complete frame, or None until more bytes come. Raises FrameError, after which the parser is of no use."""
        head = self._head
        if head is None:
            head = self._read_head()
            if head is None:
                return None
        raw, content_type, length = head
        start = self._start
        stop = start + length
        if stop > self._end:
            self._head = head
            return None
        self._head = None
        self._start = self._scanned = stop
        return Frame(raw, content_type, bytes(self._view[start:stop]) if length else b"")

    def _read_head(self) -> tuple[bytes, str, int] | None:
        buffer, start, end = self._buffer, self._start, self._end
        while start < end and buffer[start] == 10:  # empty lines between frames are a keep-alive
            start += 1
        self._start = start
        if start == end:
            return None
        event = _EVENT_HEAD.match(buffer, start, end)
        if event is not None and not self._commands and (length := int(event[1])) <= self._max_body:
            self._start = self._scanned = event.end()
            return bytes(self._view[start : event.end() - 2]), "text/event-json", length
        found = buffer.find(b"\n\n", max(start, self._scanned), end)
        if found < 0:
            if end - start > self._max_head + 1:  # the last byte may begin the end
                raise FrameError(f"header block longer than {self._max_head} bytes")
            self._scanned = max(start, end - 1)
            return None
        if found - start > self._max_head:
            raise FrameError(f"header block longer than {self._max_head} bytes")
        raw = bytes(self._view[start:found])
        content_type = ""
        length = 0
        first = self._commands
        for line in raw.split(b"\n"):
            name, colon, value = line.partition(b":")
            if first:
                first = False
                continue
            if not colon:
                raise FrameError(f"header line without a colon: {line[:80]!r}")
            if len(name) == 14 and name.lower() == b"content-length":
                length = _content_length(value)
                if length > self._max_body:
                    raise FrameError(f"body of {length} bytes is longer than {self._max_body}")
            elif len(name) == 12 and name.lower() == b"content-type":
                content_type = value.strip().decode("latin-1")
        self._start = self._scanned = found + 2
        return raw, content_type, length

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The same for bytes that have come by another way (tests, plain protocols)."""
        rest = memoryview(data)
        while rest:
            room = self.get_buffer()
            count = min(len(room), len(rest))
            room[:count] = rest[:count]
            rest = rest[count:]
            self.received(count)
            while (frame := self.next_frame()) is not None:
                yield frame


def _line(name: str, value: str) -> str:
    if any(mark in name or mark in value for mark in "\n\r\0"):
        raise ValueError(f"a header cannot hold line ends: {name!r}")
    return f"{name}: {value}\n"


def encode_frame(headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """One frame. `Content-Length` is added for a body; raises ValueError for line ends in a name or value."""
    lines = "".join(_line(name, value) for name, value in headers.items() if name.lower() != "content-length")
    if body:
        lines = f"Content-Length: {len(body)}\n{lines}"
    return f"{lines}\n".encode() + body


def encode_plain_event(headers: Mapping[str, str], body: str = "") -> bytes:
    """The body of a `text/event-plain` frame: percent-encoded values, an inner Content-Length for an event's own body."""
    lines = "".join(f"{name}: {quote(value, safe=_PLAIN_SAFE)}\n" for name, value in headers.items())
    if not body:
        return f"{lines}\n".encode()
    inner = body.encode()
    return f"{lines}Content-Length: {len(inner)}\n\n".encode() + inner


# what FreeSWITCH leaves alone when it encodes a value
_PLAIN_SAFE = "!$&'()*,-./:;<=>?@[]^_`{|}~"


def parse_plain_event(data: bytes) -> dict[str, str]:
    """The headers of a `text/event-plain` body, decoded; an event's own body is under `_body`, as in JSON events.

    Lines are split before they are decoded, so an encoded line end cannot make a header. Raises FrameError.
    """
    head, _, rest = data.partition(b"\n\n")
    headers: dict[str, str] = {}
    for line in head.split(b"\n"):
        if not line:
            continue
        name, colon, value = line.partition(b":")
        if not colon:
            raise FrameError(f"event line without a colon: {line[:80]!r}")
        headers[name.decode("utf-8", "replace")] = unquote(value.strip().decode("utf-8", "replace"))
    if rest and (length := headers.get("Content-Length")):
        headers["_body"] = rest[: _content_length(length.encode())].decode("utf-8", "replace")
    return headers
