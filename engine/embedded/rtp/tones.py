# SPDX-License-Identifier: Apache-2.0
"""Tones in FreeSWITCH's tone_stream notation, and the sound of keys for phones without telephone-event."""

import math
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from .g711 import SAMPLE_RATE, Law, encode

DEFAULT_VOLUME_DB = -7.0
_FULL_SCALE_DB = 6.16
"""A sine at full 16-bit scale on teletone's scale, so that its default of -7 dB is about 7200."""
_PIECE_SAMPLES = 800
_MAX_LOOPS = 1_000_000
_ROWS, _COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
_PAD = "123A456B789C*0#D"
KEY_FREQUENCIES = {key: (_ROWS[index // 4], _COLUMNS[index % 4]) for index, key in enumerate(_PAD)}


class ToneError(ValueError):
    """The tone notation cannot be read."""


@dataclass(frozen=True, slots=True)
class Tone:
    on_ms: int
    off_ms: int
    frequencies: tuple[int, ...]
    volume_db: float = DEFAULT_VOLUME_DB


@dataclass(frozen=True, slots=True)
class ToneSequence:
    tones: tuple[Tone, ...]
    loops: int = 1
    """-1 plays for ever."""

    def pieces(self, law: Law) -> Iterator[bytes]:
        """Encoded pieces of up to 100 ms."""
        if not any(tone.on_ms or tone.off_ms for tone in self.tones):
            return
        rest = self.loops
        while rest:
            rest -= rest > 0
            for tone in self.tones:
                yield from _tone_pieces(tone, law)


_SPEC = re.compile(r"%\(([^()]*)\)")
_OPTION = re.compile(r"([a-zA-Z]+|[+<>])=(.*)", re.DOTALL)


def parse_tones(text: str) -> ToneSequence:
    """`%(on,off,f1[,f2…])` parts, `v=` (dB), `d=`/`w=` (key and pause length, ms), `L=` (repeat the next part), key
    characters, `loops=N`, all parted by `;`. Raises ToneError."""
    tones: list[Tone] = []
    loops, repeat, volume, key_ms, pause_ms = 1, 1, DEFAULT_VOLUME_DB, 250, 50
    for part in text.split(";"):
        part = part.strip()
        option = _OPTION.fullmatch(part)
        if option is not None:
            name, value = option[1], option[2].strip()
            if name in ("loops", "L"):
                count = max(-1, min(int(_number(value)), _MAX_LOOPS))
                loops, repeat = (count, repeat) if name == "loops" else (loops, max(1, min(count, 1000)))
            elif name == "v":
                volume = max(-63.0, min(_number(value), 0.0))
            elif name == "d":
                key_ms = int(_number(value))
            elif name == "w":
                pause_ms = int(_number(value))
            continue  # decay, ramps and channels of teletone are not offered and change nothing
        found = _part(part, volume, key_ms, pause_ms)
        tones.extend(found * repeat)
        repeat = 1 if found else repeat
    if not tones:
        raise ToneError(f"no tone in {text!r}")
    return ToneSequence(tuple(tones), loops)


def key_tone(digit: str, duration_ms: int) -> ToneSequence:
    return ToneSequence((Tone(duration_ms, 0, KEY_FREQUENCIES[digit.upper()]),))


def _part(part: str, volume: float, key_ms: int, pause_ms: int) -> list[Tone]:
    tones: list[Tone] = []
    position = 0
    while position < len(part):
        spec = _SPEC.match(part, position)
        if spec is not None:
            numbers = [_number(value) for value in spec[1].split(",")]
            if len(numbers) < 2 or min(numbers[:2]) < 0:
                raise ToneError(f"cannot read the tone {spec[0]!r}")
            frequencies = tuple(round(value) for value in numbers[2:] if 0 < value < SAMPLE_RATE / 2)
            tones.append(Tone(int(numbers[0]), int(numbers[1]), frequencies, volume))
            position = spec.end()
            continue
        key = part[position].upper()
        if key in KEY_FREQUENCIES:
            tones.append(Tone(key_ms, pause_ms, KEY_FREQUENCIES[key], volume))
        elif not key.isspace():
            raise ToneError(f"cannot read {part[position:]!r}")
        position += 1
    return tones


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ToneError(f"{text!r} is no number") from None
    if not math.isfinite(value) or abs(value) > 1e9:
        raise ToneError(f"{text!r} is out of range")
    return value


def _tone_pieces(tone: Tone, law: Law) -> Iterator[bytes]:
    samples = tone.on_ms * SAMPLE_RATE // 1000
    for start in range(0, samples, _PIECE_SAMPLES):
        # whole hertz repeat every second, so at most ten pieces are ever computed for one tone
        yield _wave(tone.frequencies, tone.volume_db, law, start % SAMPLE_RATE)[: samples - start]
    yield from silence_pieces(tone.off_ms, law)


def silence_pieces(duration_ms: int, law: Law) -> Iterator[bytes]:
    """A negative duration never ends."""
    piece = law.silence * _PIECE_SAMPLES
    if duration_ms < 0:
        while True:
            yield piece
    samples = duration_ms * SAMPLE_RATE // 1000
    for start in range(0, samples, _PIECE_SAMPLES):
        yield piece[: samples - start]


@lru_cache(maxsize=4096)
def _wave(frequencies: tuple[int, ...], volume_db: float, law: Law, start: int) -> bytes:
    level = min(32767.0 * 10 ** ((volume_db - _FULL_SCALE_DB) / 20), 32767.0 / max(1, len(frequencies)))
    steps = [2 * math.pi * frequency / SAMPLE_RATE for frequency in frequencies]
    sine = math.sin
    return encode(
        array("h", [int(level * sum([sine(step * n) for step in steps])) for n in range(start, start + _PIECE_SAMPLES)]),
        law,
    )
