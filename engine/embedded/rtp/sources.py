# SPDX-License-Identifier: Apache-2.0
"""What a stream can play, read from FreeSWITCH's notation; Stream.play asks a Source for 20 ms frames."""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from engine.esl.words import separate

from .g711 import FRAME_SAMPLES, Law
from .sounds import Sound, SoundCache
from .tones import ToneError, ToneSequence, parse_tones, silence_pieces

log = logging.getLogger(__name__)


class Source(Protocol):
    def frames(self, law: Law) -> Iterator[bytes] | None:
        """The 160-byte payloads in order; None when there is nothing to play (missing file, unreadable notation)."""


def cut(pieces: Iterable[bytes], law: Law) -> Iterator[bytes]:
    """Frames from pieces of any length, joined without a gap; only the very last one is filled up with silence."""
    carry = b""
    for piece in pieces:
        start = 0
        if carry:
            start = FRAME_SAMPLES - len(carry)
            carry += piece[:start]
            if len(carry) < FRAME_SAMPLES:
                continue
            yield carry
        last = start + (len(piece) - start) // FRAME_SAMPLES * FRAME_SAMPLES
        for position in range(start, last, FRAME_SAMPLES):
            yield piece[position : position + FRAME_SAMPLES]
        carry = piece[last:]
    if carry:
        yield carry + law.silence * (FRAME_SAMPLES - len(carry))


@dataclass(frozen=True, slots=True)
class Files:
    """WAV files one after the other without a gap. Missing ones are skipped (as FreeSWITCH does), unless all are."""

    paths: tuple[str, ...]
    sounds: SoundCache

    def frames(self, law: Law) -> Iterator[bytes] | None:
        found = [sound for path in self.paths if (sound := self.sounds.get(path, law)) is not None]
        return cut((piece for sound in found for piece in sound.pieces()), law) if found else None


@dataclass(frozen=True, slots=True)
class Directory:
    """All WAV files of a directory in order of their names, for ever; the directory is read again each round."""

    path: str
    sounds: SoundCache

    def frames(self, law: Law) -> Iterator[bytes] | None:
        first = self._read(law)
        return cut(self._pieces(first, law), law) if first else None

    def _pieces(self, sounds: list[Sound], law: Law) -> Iterator[bytes]:
        while sounds:
            heard = False
            for sound in sounds:
                for piece in sound.pieces():
                    heard = True
                    yield piece
            sounds = self._read(law) if heard else []

    def _read(self, law: Law) -> list[Sound]:
        try:
            names = sorted(name for name in os.listdir(self.path) if name.lower().endswith(".wav"))
        except (OSError, ValueError) as error:
            log.warning("cannot read the music directory %s: %s", self.path, error)
            return []
        found = [self.sounds.get(os.path.join(self.path, name), law) for name in names]
        return [sound for sound in found if sound is not None and sound.samples]


@dataclass(frozen=True, slots=True)
class Tones:
    sequence: ToneSequence

    def frames(self, law: Law) -> Iterator[bytes] | None:
        return cut(self.sequence.pieces(law), law)


@dataclass(frozen=True, slots=True)
class Silence:
    duration_ms: int
    """-1: endless."""

    def frames(self, law: Law) -> Iterator[bytes] | None:
        return cut(silence_pieces(self.duration_ms, law), law)


@dataclass(frozen=True, slots=True)
class Missing:
    """Stands for a text that names nothing playable; playing it ends with MISSING."""

    why: str

    def frames(self, law: Law) -> Iterator[bytes] | None:
        log.warning("cannot play: %s", self.why)
        return None


@dataclass(frozen=True, slots=True)
class Library:
    """Where texts find their sounds: the cache, the directories of local_stream:// names, the base of relative paths."""

    sounds: SoundCache = field(default_factory=SoundCache)
    local_streams: Mapping[str, str] = field(default_factory=dict)
    sounds_dir: str = ""


_DEFAULT_LIBRARY = Library()


def parse_source(text: str, library: Library = _DEFAULT_LIBRARY) -> Source:
    """`file_string://a.wav!b.wav`, a path (`file://` too), `tone_stream://…` (or bare `%(…)`), `silence_stream://ms`,
    `local_stream://name`. Never raises: what cannot be read becomes Missing."""
    text = text.strip()
    scheme, separator, rest = text.partition("://")
    if not separator:
        if text.startswith("%("):
            return _tones(text)
        return _files((text,), library)
    match scheme:
        case "file_string":
            return _files(tuple(part.removeprefix("file://") for part in separate(rest, "!") if part), library)
        case "file":
            return _files((rest,), library)
        case "tone_stream":
            return _tones(rest)
        case "silence_stream":
            return _silence(rest)
        case "local_stream":
            return _local_stream(rest, library)
    return Missing(f"no player for {scheme}://")


def _files(paths: tuple[str, ...], library: Library) -> Source:
    """Members of a file list may be tones or silence too, as in FreeSWITCH."""
    paths = tuple(path for path in paths if path)
    if not paths:
        return Missing("an empty file name")
    if any("://" in path for path in paths):
        return Sequence(tuple(parse_source(path, library) for path in paths))
    return Files(tuple(os.path.join(library.sounds_dir, path) for path in paths), library.sounds)


@dataclass(frozen=True, slots=True)
class Sequence:
    """Sources of different kinds one after the other; each begins on a packet's edge."""

    parts: tuple[Source, ...]

    def frames(self, law: Law) -> Iterator[bytes] | None:
        found = [frames for part in self.parts if (frames := part.frames(law)) is not None]
        return (frame for frames in found for frame in frames) if found else None


def _tones(text: str) -> Source:
    try:
        return Tones(parse_tones(text))
    except ToneError as error:
        return Missing(f"tone_stream: {error}")


def _silence(text: str) -> Source:
    number = text.partition(",")[0].strip()
    try:
        return Silence(max(-1, int(number)))
    except ValueError:
        return Missing(f"silence_stream: {number!r} is no number of milliseconds")


def _local_stream(name: str, library: Library) -> Source:
    path = library.local_streams.get(name)
    return Missing(f"no local_stream {name!r}") if path is None else Directory(path, library.sounds)
