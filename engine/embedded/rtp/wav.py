# SPDX-License-Identifier: Apache-2.0
"""RIFF/WAVE headers: read by the sound cache, written by the recorder."""

import struct
from dataclasses import dataclass
from typing import BinaryIO

PCM, ALAW, MULAW, EXTENSIBLE = 1, 6, 7, 0xFFFE
HEADER_BYTES = 44
_MAX_CHUNKS = 64


class WavError(ValueError):
    """Not a WAV file, or one of a kind that is not played."""


@dataclass(frozen=True, slots=True)
class WavFormat:
    encoding: int
    channels: int
    rate: int
    bits: int
    offset: int
    """Where the samples begin in the file."""
    frames: int
    """Sample count of each channel."""

    @property
    def frame_bytes(self) -> int:
        return self.channels * self.bits // 8


def read_format(file: BinaryIO, size: int) -> WavFormat:
    """`size` is the file's length; a data chunk that claims more (a recording that was cut off) is what is there."""
    riff = file.read(12)
    if len(riff) < 12 or riff[:4] != b"RIFF" or riff[8:] != b"WAVE":
        raise WavError("no RIFF/WAVE header")
    position = 12
    fmt: bytes | None = None
    for _ in range(_MAX_CHUNKS):
        file.seek(position)
        head = file.read(8)
        if len(head) < 8:
            break
        name, length = head[:4], int.from_bytes(head[4:], "little")
        position += 8
        if name == b"fmt ":
            fmt = file.read(min(length, 40))
        elif name == b"data":
            return _format(fmt, position, min(length, size - position) if length else size - position)
        position += length + (length & 1)
    raise WavError("no data chunk")


def _format(fmt: bytes | None, offset: int, length: int) -> WavFormat:
    if fmt is None or len(fmt) < 16:
        raise WavError("no fmt chunk before the data")
    encoding, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", fmt)
    if encoding == EXTENSIBLE and len(fmt) >= 26:
        encoding = int.from_bytes(fmt[24:26], "little")
    if (encoding, bits) not in ((PCM, 8), (PCM, 16), (ALAW, 8), (MULAW, 8)):
        raise WavError(f"encoding {encoding} with {bits} bits is not played")
    if channels not in (1, 2):
        raise WavError(f"{channels} channels are not played")
    if rate not in (8000, 16000):
        raise WavError(f"{rate} Hz is not played")
    return WavFormat(encoding, channels, rate, bits, offset, max(0, length) // (channels * bits // 8))


def pcm16_header(channels: int, data_bytes: int, rate: int = 8000) -> bytes:
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF", 36 + data_bytes, b"WAVE",
        b"fmt ", 16, PCM, channels, rate, 2 * channels * rate, 2 * channels, 16,
        b"data", data_bytes,
    )  # fmt: skip
