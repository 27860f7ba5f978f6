# SPDX-License-Identifier: Apache-2.0
"""Cuts a TCP byte stream into SIP messages by Content-Length and finds keep-alives (RFC 5626); `tcp.py` feeds it."""

from __future__ import annotations

import re

_LENGTH = re.compile(rb"(?:\A|\n)(?:content-length|l)[ \t]*:[ \t]*([0-9]{1,9})[ \t]*(?=\r|\n|\Z)", re.IGNORECASE)
_ANY_LENGTH = re.compile(rb"(?:\A|\n)(?:content-length|l)[ \t]*:", re.IGNORECASE)
MAX_HEAD = 65_536
MAX_BODY = 262_144
PING = b"\r\n\r\n"
PONG = b"\r\n"


class FramingError(ValueError):
    """The stream has lost its message borders; nothing after this can be trusted, so the connection must be closed."""


class Framer:
    """Feed bytes, take complete messages; `pings` counts keep-alives that want a pong."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._need = 0
        self.pings = 0

    @property
    def pending(self) -> int:
        """Bytes of a message that is not complete yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes]:
        """Complete messages in order. Raises FramingError."""
        buffer = self._buffer
        buffer += data
        messages: list[bytes] = []
        while buffer:
            if not self._need and not self._find_end():
                break
            if len(buffer) < self._need:
                break
            messages.append(bytes(buffer[: self._need]))
            del buffer[: self._need]
            self._need = self._searched = 0
        return messages

    def _find_end(self) -> bool:
        """Skip keep-alives, then set the length of the next message once its head is complete."""
        buffer = self._buffer
        if not self._searched and buffer[0] in b"\r\n":
            blank = 0
            while blank < len(buffer) and buffer[blank] in b"\r\n":
                blank += 1
            self.pings += bytes(buffer[:blank]).count(PING)
            if blank == len(buffer):
                # perhaps it ends with half a ping, whose rest decides; nothing before that may pile up
                whole = buffer.rfind(PING) + len(PING) if PING in buffer else 0
                del buffer[: max(whole, blank - len(PING) + 1)]
                return False
            del buffer[:blank]
        end = buffer.find(b"\r\n\r\n", max(0, self._searched - 3))
        if end < 0:
            self._searched = len(buffer)
            if len(buffer) > MAX_HEAD:
                raise FramingError("head too long")
            return False
        head = bytes(buffer[:end])
        if len(head) > MAX_HEAD:
            raise FramingError("head too long")
        lengths = _LENGTH.findall(head)
        if len(lengths) != len(_ANY_LENGTH.findall(head)) or len(set(lengths)) > 1:
            raise FramingError("bad Content-Length")
        length = int(lengths[0]) if lengths else 0
        if length > MAX_BODY:
            raise FramingError("body too long")
        self._need = end + 4 + length
        return True
