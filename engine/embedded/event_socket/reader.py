# SPDX-License-Identifier: Apache-2.0
"""Reads what event socket clients send: command lines with headers and an optional body, as tolerant as FreeSWITCH.

Unlike `engine.esl.frame` (a client's strict reader) it takes CR LF line ends, lines without a colon and typed input.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_HEAD = 64 * 1024
MAX_BODY = 4 * 1024 * 1024


class BrokenFrameError(ValueError):
    """This connection can't be understood any more."""


@dataclass(frozen=True, slots=True)
class Command:
    line: str
    headers: dict[str, str] = field(default_factory=dict)
    """By lower-case name; the last one wins."""
    body: str = ""
    named: dict[str, str] = field(default_factory=dict)
    """The same headers by the names as sent."""

    @property
    def verb(self) -> str:
        return self.line.partition(" ")[0].lower()

    @property
    def rest(self) -> str:
        return self.line.partition(" ")[2].strip()


class CommandReader:
    """Takes bytes in pieces of any size. Holds at most one head and one body; `trusted` clients may send bodies."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._waiting: Command | None = None
        self._length = 0
        self.trusted = False

    @property
    def pending(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[Command]:
        """Commands that are complete now. Raises BrokenFrameError, after which the reader is of no use."""
        self._buffer += data
        while (command := self._next()) is not None:
            yield command

    def _next(self) -> Command | None:
        if self._waiting is None:
            head = self._head()
            if head is None:
                return None
            command, self._length = self._parse(head)
            if not self._length:
                return command
            self._waiting = command
        if len(self._buffer) < self._length:
            return None
        body = bytes(self._buffer[: self._length]).decode("utf-8", "replace")
        del self._buffer[: self._length]
        command, self._waiting = self._waiting, None
        return Command(command.line, command.headers, body, command.named)

    def _head(self) -> bytes | None:
        buffer = self._buffer
        skipped = 0
        while skipped < len(buffer) and buffer[skipped] in b"\r\n":  # keep-alives between commands
            skipped += 1
        if skipped:
            del buffer[:skipped]
        ends = [(at, size) for mark, size in ((b"\n\n", 2), (b"\n\r\n", 3)) if (at := buffer.find(mark, 0, MAX_HEAD + 4)) >= 0]
        if not ends:
            if len(buffer) > (MAX_HEAD if self.trusted else 2048):
                raise BrokenFrameError("the command does not end")
            return None
        at, size = min(ends)
        head = bytes(buffer[:at])
        del buffer[: at + size]
        return head

    def _parse(self, head: bytes) -> tuple[Command, int]:
        lines = head.decode("utf-8", "replace").split("\n")
        headers: dict[str, str] = {}
        named: dict[str, str] = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if colon:
                named[name.strip()] = headers[name.strip().lower()] = value.strip()
        length = 0
        if stated := headers.get("content-length"):
            if not (stated.isascii() and stated.isdigit() and len(stated) < 10) or int(stated) > MAX_BODY:
                raise BrokenFrameError(f"Content-Length {stated[:20]!r}")
            length = int(stated)
            if length and not self.trusted:
                raise BrokenFrameError("a body before auth")
        return Command(lines[0].rstrip("\r").strip(), headers, "", named), length
