# SPDX-License-Identifier: Apache-2.0
"""Session descriptions: parse offers and answers, build ours (G.711 and telephone-event only); the core calls this."""

from __future__ import annotations

import enum
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from engine.embedded.sip.syntax import MalformedMessage, number

OUR_TELEPHONE_EVENT = 101
_MAX_MEDIA_LINES = 32


class SdpError(ValueError):
    """The session description cannot be read, or it answers something we did not offer."""


class NoCommonCodec(SdpError):  # noqa: N818 - the name agreed with the core
    """No audio stream with a codec both sides know: the right final response is 488."""


class Codec(enum.Enum):
    """The codecs the embedded switch speaks; `payload_type` is RFC 3551's static number."""

    PCMA = 8
    PCMU = 0

    @property
    def payload_type(self) -> int:
        return self.value


class Direction(enum.Enum):
    """RFC 3264 direction as stated by one side; the value is the attribute's name."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        return self in (Direction.SENDRECV, Direction.RECVONLY)

    @property
    def mirrored(self) -> Direction:
        """The widest answer to this direction: sendonly ↔ recvonly."""
        return _MIRROR[self]

    def limited_by(self, other: Direction) -> Direction:
        """This direction where `other` (same side's view) allows it too."""
        return _direction(self.sends and other.sends, self.receives and other.receives)


_MIRROR = {
    Direction.SENDRECV: Direction.SENDRECV,
    Direction.SENDONLY: Direction.RECVONLY,
    Direction.RECVONLY: Direction.SENDONLY,
    Direction.INACTIVE: Direction.INACTIVE,
}


def _direction(sends: bool, receives: bool) -> Direction:
    if sends:
        return Direction.SENDRECV if receives else Direction.SENDONLY
    return Direction.RECVONLY if receives else Direction.INACTIVE


@dataclass(frozen=True, slots=True)
class MediaDescription:
    """One audio stream as the other side described it: where and how to send to them."""

    address: str
    port: int  # 0: they declined the stream
    codec: Codec
    telephone_event: int | None  # the payload type they want to receive, mirrored in our answer
    direction: Direction
    ptime: int = 20


@dataclass(frozen=True, slots=True)
class MediaLine:
    """One m= section; sections we do not speak are kept so that the answer can decline them in place."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    address: str = ""
    direction: Direction = Direction.SENDRECV
    rtpmap: tuple[tuple[str, str], ...] = ()
    ptime: int = 20

    @property
    def encodings(self) -> dict[str, str]:
        """Format → encoding name and clock in upper case (static payload types filled in)."""
        known = {"0": "PCMU/8000", "8": "PCMA/8000", **dict(self.rtpmap)}
        return {fmt: known[fmt] for fmt in self.formats if fmt in known}


@dataclass(frozen=True, slots=True)
class Offer:
    """A parsed offer: the audio line we would take, and all lines in order."""

    lines: tuple[MediaLine, ...]
    audio: int | None  # index of the audio line we can use; None: nothing usable
    codecs: tuple[Codec, ...] = ()
    telephone_event: int | None = None

    @property
    def address(self) -> str:
        return "" if self.audio is None else self.lines[self.audio].address

    @property
    def port(self) -> int:
        return 0 if self.audio is None else self.lines[self.audio].port

    @property
    def direction(self) -> Direction:
        return Direction.INACTIVE if self.audio is None else self.lines[self.audio].direction

    @property
    def disabled(self) -> bool:
        """All sound is switched off, by port 0 (RFC 3264 §8.2)."""
        sound = [line for line in self.lines if line.kind == "audio"]
        return bool(sound) and not any(line.port for line in sound)

    @property
    def ptime(self) -> int:
        return 20 if self.audio is None else self.lines[self.audio].ptime


@dataclass(slots=True)
class Session:
    """The `o=` identity of one call's descriptions: the version must grow with each one we send (RFC 3264 §8)."""

    origin_id: int = field(default_factory=lambda: secrets.randbits(48))
    version: int = 0

    def next(self) -> str:
        self.version += 1
        return f"{self.origin_id} {self.version}"


def parse_offer(body: bytes) -> Offer:
    """Read an offer. Raises SdpError when it is no session description; a usable audio line is not demanded here."""
    lines = _parse_lines(body)
    for index, line in enumerate(lines):
        if line.kind != "audio" or not line.port or line.protocol not in ("RTP/AVP", "RTP/AVPF"):
            continue
        codecs = _codecs(line)
        if codecs:
            return Offer(lines, index, codecs, _telephone_event(line))
    return Offer(lines, None)


def answer(
    offer: Offer,
    local_address: str,
    local_port: int,
    codecs: Sequence[Codec],
    direction: Direction = Direction.SENDRECV,
    session: Session | None = None,
) -> tuple[bytes, MediaDescription]:
    """Our answer and how to send to them. Takes the first codec of the offer that is in `codecs`, declines other lines.

    `direction` is what we would like; the offer narrows it. Raises NoCommonCodec (→ 488).
    """
    codec = next((codec for codec in offer.codecs if codec in codecs), None)
    if codec is None or offer.audio is None:
        raise NoCommonCodec("no common audio codec")
    chosen = offer.lines[offer.audio]
    ours = direction.limited_by(chosen.direction.mirrored)
    parts = _session_lines(local_address, session)
    for index, line in enumerate(offer.lines):
        if index == offer.audio:
            parts += _audio_lines(local_port, line.protocol, (codec,), offer.telephone_event, ours)
        else:
            parts.append(_declined(line))
    theirs = MediaDescription(
        chosen.address, chosen.port, codec, offer.telephone_event, chosen.direction, chosen.ptime
    )
    return _body(parts), theirs


def decline(offer: Offer, local_address: str, session: Session | None = None) -> bytes:
    """Our answer to an offer in which nothing is left to talk by: every line has port 0."""
    return _body(_session_lines(local_address, session) + [_declined(line) for line in offer.lines])


def _declined(line: MediaLine) -> str:
    return f"m={line.kind} 0 {line.protocol} {' '.join(line.formats)}"


def offer(
    local_address: str,
    local_port: int,
    codecs: Sequence[Codec],
    direction: Direction = Direction.SENDRECV,
    session: Session | None = None,
    telephone_event: int | None = OUR_TELEPHONE_EVENT,
) -> bytes:
    """Our offer of one audio stream, codecs in order of liking."""
    parts = _session_lines(local_address, session)
    parts += _audio_lines(local_port, "RTP/AVP", codecs, telephone_event, direction)
    return _body(parts)


def parse_answer(body: bytes, offered: Sequence[Codec]) -> MediaDescription:
    """Read the answer to our one-line offer. A declined stream has port 0. Raises SdpError, NoCommonCodec."""
    lines = _parse_lines(body)
    line = next((line for line in lines if line.kind == "audio"), None)
    if line is None:
        raise NoCommonCodec("the answer has no audio line")
    codec = next((codec for codec in _codecs(line) if codec in offered), None)
    if codec is None:
        if line.port or not offered:
            raise NoCommonCodec("the answer has no codec we offered")
        codec = offered[0]
    return MediaDescription(line.address, line.port, codec, _telephone_event(line), line.direction, line.ptime)


def _codecs(line: MediaLine) -> tuple[Codec, ...]:
    """Known codecs in the line's order. Only static payload types are spoken, so a re-mapped 0 or 8 does not count."""
    encodings = line.encodings
    found = []
    for codec in Codec:
        fmt = str(codec.payload_type)
        if encodings.get(fmt, "").startswith(f"{codec.name}/8000"):
            found.append((line.formats.index(fmt), codec))
    return tuple(codec for _, codec in sorted(found, key=lambda item: item[0]))


def _telephone_event(line: MediaLine) -> int | None:
    for fmt, encoding in line.encodings.items():
        if encoding == "TELEPHONE-EVENT/8000":
            return int(fmt)
    return None


def _parse_lines(body: bytes) -> tuple[MediaLine, ...]:
    text = body.decode("utf-8", "replace")
    rows = [row.rstrip("\r") for row in text.split("\n")]
    if not rows or not rows[0].startswith("v="):
        raise SdpError("no v= line")
    sections: list[list[str]] = [[]]
    for row in rows:
        if row.startswith("m="):
            sections.append([])
            if len(sections) > _MAX_MEDIA_LINES:
                raise SdpError("too many m= lines")
        if len(row) > 2 and row[1] == "=":
            sections[-1].append(row)
    if len(sections) == 1:
        raise SdpError("no m= line")
    session_address = _address(sections[0])
    session_direction = _stated_direction(sections[0]) or Direction.SENDRECV
    try:
        return tuple(_media_line(rows, session_address, session_direction) for rows in sections[1:])
    except MalformedMessage as error:
        raise SdpError(str(error)) from error


def _media_line(rows: list[str], session_address: str, session_direction: Direction) -> MediaLine:
    words = rows[0][2:].split()
    if len(words) < 4:
        raise SdpError("bad m= line")
    kind, port_text, protocol, *formats = words
    port = number(port_text.partition("/")[0], 65536)
    rtpmap: list[tuple[str, str]] = []
    ptime = 20
    for row in rows[1:]:
        if row.startswith("a=rtpmap:"):
            fmt, _, encoding = row[9:].partition(" ")
            if fmt.isascii() and fmt.isdigit() and len(fmt) <= 3 and int(fmt) < 128:
                rtpmap.append((str(int(fmt)), encoding.strip().upper().removesuffix("/1")))
        elif row.startswith("a=ptime:"):
            text = row[8:].strip()
            if text.isascii() and text.isdigit() and len(text) <= 3 and int(text):
                ptime = int(text)
    address = _address(rows) or session_address
    direction = _stated_direction(rows) or session_direction
    if kind.lower() == "audio" and port and not address:
        raise SdpError("no c= line")
    if address in ("0.0.0.0", "::"):  # RFC 2543 hold: they can't be sent to
        direction = direction.limited_by(Direction.SENDONLY)
    return MediaLine(kind.lower(), port, protocol.upper(), tuple(formats), address, direction, tuple(rtpmap), ptime)


def _address(rows: list[str]) -> str:
    for row in rows:
        if row.startswith("c="):
            words = row[2:].split()
            if len(words) != 3 or words[0].upper() != "IN":
                raise SdpError("bad c= line")
            return words[2].partition("/")[0]
    return ""


def _stated_direction(rows: list[str]) -> Direction | None:
    for row in rows:
        if row.startswith("a=") and row[2:].strip() in _DIRECTIONS:
            return Direction(row[2:].strip())
    return None


_DIRECTIONS = {direction.value for direction in Direction}


def _session_lines(address: str, session: Session | None) -> list[str]:
    family = "IP6" if ":" in address else "IP4"
    identity = (session or Session()).next()
    return ["v=0", f"o=- {identity} IN {family} {address}", "s=-", f"c=IN {family} {address}", "t=0 0"]


def _audio_lines(
    port: int, protocol: str, codecs: Sequence[Codec], telephone_event: int | None, direction: Direction
) -> list[str]:
    formats = [str(codec.payload_type) for codec in codecs]
    lines = [f"a=rtpmap:{codec.payload_type} {codec.name}/8000" for codec in codecs]
    if telephone_event is not None:
        formats.append(str(telephone_event))
        lines.append(f"a=rtpmap:{telephone_event} telephone-event/8000")
        lines.append(f"a=fmtp:{telephone_event} 0-15")
    return [f"m=audio {port} {protocol} {' '.join(formats)}", *lines, "a=ptime:20", f"a={direction.value}"]


def _body(parts: list[str]) -> bytes:
    return ("\r\n".join(parts) + "\r\n").encode()
