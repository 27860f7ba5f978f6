# SPDX-License-Identifier: Apache-2.0
"""WAV files as G.711, encoded once and piece by piece while they are first played; sources ask SoundCache for them."""

import logging
import os
import sys
from array import array
from collections import OrderedDict
from collections.abc import Iterator

from .g711 import Law, encode, transcode
from .wav import ALAW, MULAW, WavError, WavFormat, read_format

log = logging.getLogger(__name__)

PIECE_SAMPLES = 2000
"""A quarter of a second: about 60 µs of encoding, short enough to be done between two packets."""
DEFAULT_CACHE_BYTES = 256 * 1024 * 1024
_FILTER_REACH = 3


class Sound:
    """One WAV file in one law. The file is opened anew for each piece, so no descriptor stays behind a broken-off play."""

    def __init__(self, path: str, law: Law, wav: WavFormat, identity: tuple[int, int, int]) -> None:
        self.path = path
        self.law = law
        self.identity = identity
        self.samples = wav.frames // (wav.rate // 8000)
        self._wav = wav
        self._pieces: list[bytes | None] = [None] * -(-self.samples // PIECE_SAMPLES)

    def pieces(self) -> Iterator[bytes]:
        """Ends early, with a warning, when the file has vanished or changed under us."""
        for index, piece in enumerate(self._pieces):
            if piece is None:
                try:
                    piece = self._pieces[index] = self._encode(index)
                except (OSError, WavError) as error:
                    log.warning("%s: playback ends after %d ms: %s", self.path, index * PIECE_SAMPLES // 8, error)
                    return
            yield piece

    def _encode(self, index: int) -> bytes:
        first = index * PIECE_SAMPLES
        count = min(PIECE_SAMPLES, self.samples - first)
        if self._wav.rate == 8000:
            return self._to_law(self._read(first, count))
        # half-band filter; its three neighbours on each side make the seams between pieces inaudible
        start, length = 2 * first - _FILTER_REACH, 2 * count + 2 * _FILTER_REACH
        missing = max(0, -start)
        samples = self._to_pcm(self._read(start + missing, length - missing))
        x = array("h", bytes(2 * missing)) + samples
        x.extend([0] * (length - len(x)))
        reach = _FILTER_REACH
        return encode(
            array("h", [
                max(-32768, min(32767, (16 * x[n] + 9 * (x[n - 1] + x[n + 1]) - x[n - 3] - x[n + 3]) >> 5))
                for n in range(reach, reach + 2 * count, 2)
            ]),
            self.law,
        )  # fmt: skip

    def _read(self, first: int, count: int) -> bytes:
        with open(self.path, "rb", buffering=0) as file:
            if _identity(os.fstat(file.fileno())) != self.identity:
                raise WavError("the file changed while it was played")
            file.seek(self._wav.offset + first * self._wav.frame_bytes)
            return file.read(count * self._wav.frame_bytes)

    def _to_law(self, raw: bytes) -> bytes:
        wav = self._wav
        if wav.channels == 1 and wav.encoding in (ALAW, MULAW):
            return transcode(raw, Law.PCMA if wav.encoding == ALAW else Law.PCMU, self.law)
        return encode(self._to_pcm(raw), self.law)

    def _to_pcm(self, raw: bytes) -> "array[int]":
        wav = self._wav
        if wav.encoding in (ALAW, MULAW):
            values = (Law.PCMA if wav.encoding == ALAW else Law.PCMU).samples
            samples = array("h", map(values.__getitem__, raw))
        elif wav.bits == 8:
            samples = array("h", [(byte - 128) << 8 for byte in raw])
        else:
            samples = array("h")
            samples.frombytes(raw[: len(raw) & ~1])
            if sys.byteorder == "big":
                samples.byteswap()
        if wav.channels == 2:
            samples = array("h", [(a + b) >> 1 for a, b in zip(samples[0::2], samples[1::2], strict=False)])
        return samples


class SoundCache:
    """Sounds by path and law; an entry is replaced when the file's inode, size or modification time changes. What was
    used longest ago goes first when the encoded size passes the limit; a play that runs keeps its sound."""

    def __init__(self, limit_bytes: int = DEFAULT_CACHE_BYTES) -> None:
        self._limit = limit_bytes
        self._size = 0
        self._sounds: OrderedDict[tuple[str, Law], Sound] = OrderedDict()

    def get(self, path: str, law: Law) -> Sound | None:
        """None when the file is missing or not playable (logged)."""
        key = (path, law)
        try:
            identity = _identity(os.stat(path))
            known = self._sounds.get(key)
            if known is not None:
                if known.identity == identity:
                    self._sounds.move_to_end(key)
                    return known
                self._drop(key)
            with open(path, "rb") as file:
                status = os.fstat(file.fileno())
                sound = Sound(path, law, read_format(file, status.st_size), _identity(status))
        except (OSError, ValueError) as error:  # ValueError: WavError, or a NUL byte in the path
            log.warning("cannot play %s: %s", path, error)
            return None
        self._sounds[key] = sound
        self._size += sound.samples
        while self._size > self._limit and len(self._sounds) > 1:
            self._drop(next(iter(self._sounds)))
        return sound

    def _drop(self, key: tuple[str, Law]) -> None:
        self._size -= self._sounds.pop(key).samples


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns
