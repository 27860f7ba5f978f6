# SPDX-License-Identifier: Apache-2.0
"""G.711 A-law and µ-law by tables: what sources, recorder and bridges use to convert sound; needs no audioop."""

import sys
from array import array
from collections.abc import Callable
from enum import Enum
from functools import cache

SAMPLE_RATE = 8000
FRAME_SAMPLES = 160
"""Samples of one 20 ms packet; with G.711 also its payload bytes."""


def _decode_alaw(code: int) -> int:
    code ^= 0x55
    mantissa, segment = (code & 0x0F) << 4, (code & 0x70) >> 4
    magnitude = mantissa + 8 if segment == 0 else (mantissa + 0x108) << (segment - 1)
    return magnitude if code & 0x80 else -magnitude


def _decode_mulaw(code: int) -> int:
    code ^= 0xFF
    magnitude = ((((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84
    return -magnitude if code & 0x80 else magnitude


def _encode_alaw(sample: int) -> int:
    """ITU-T G.711 on the upper 13 bits of the sample (negative values in one's complement, as the standard's tools do)."""
    value = sample >> 3
    if value >= 0:
        mask = 0xD5
    else:
        mask, value = 0x55, -value - 1
    segment = max(value.bit_length() - 5, 0)
    if segment >= 8:
        return 0x7F ^ mask
    return ((segment << 4) | ((value >> 1 if segment < 2 else value >> segment) & 0x0F)) ^ mask


def _encode_mulaw(sample: int) -> int:
    """ITU-T G.711 on the upper 14 bits of the sample, with the usual bias of 33."""
    value = sample >> 2
    mask = 0xFF
    if value < 0:
        mask, value = 0x7F, -value
    value = min(value, 8159) + 33
    segment = max(value.bit_length() - 6, 0)
    if segment >= 8:
        return 0x7F ^ mask
    return ((segment << 4) | ((value >> (segment + 1)) & 0x0F)) ^ mask


def _encode_table(encode: Callable[[int], int], step: int) -> bytes:
    """Code of every 16-bit word (unsigned view of the sample); `step` samples in a row share a code."""
    return b"".join(
        bytes([encode(word if word < 0x8000 else word - 0x10000)]) * step for word in range(0, 0x10000, step)
    )


class Law(Enum):
    """The two encodings of G.711; the value is the static RTP payload type (RFC 3551)."""

    PCMU = 0
    PCMA = 8

    payload_type: int
    silence: bytes
    """One encoded sample of silence."""
    samples: "array[int]"
    """Decoded 16-bit value of each of the 256 codes."""
    magnitudes: "array[int]"
    """Absolute decoded value of each of the 256 codes."""
    low: bytes
    """bytes.translate table: code to the low byte of its decoded sample."""
    high: bytes
    codes: bytes
    """Code of each 16-bit word, 65536 entries."""

    def __init__(self, payload_type: int) -> None:
        self.payload_type = payload_type
        alaw = payload_type == 8
        decode = _decode_alaw if alaw else _decode_mulaw
        self.samples = array("h", map(decode, range(256)))
        self.magnitudes = array("H", map(abs, self.samples))
        self.low = bytes(sample & 0xFF for sample in self.samples)
        self.high = bytes(sample >> 8 & 0xFF for sample in self.samples)
        self.codes = _encode_table(_encode_alaw, 8) if alaw else _encode_table(_encode_mulaw, 4)
        self.silence = b"\xd5" if alaw else b"\xff"


ALAW_TO_MULAW = bytes(Law.PCMU.codes[sample & 0xFFFF] for sample in Law.PCMA.samples)
MULAW_TO_ALAW = bytes(Law.PCMA.codes[sample & 0xFFFF] for sample in Law.PCMU.samples)
_LAWS = {law.payload_type: law for law in Law}
_TRANSLATION = {(Law.PCMA, Law.PCMU): ALAW_TO_MULAW, (Law.PCMU, Law.PCMA): MULAW_TO_ALAW}


def law_of(payload_type: int) -> Law:
    """Raises ValueError for anything that is not G.711."""
    try:
        return _LAWS[payload_type]
    except KeyError:
        raise ValueError(f"payload type {payload_type} is not G.711") from None


def transcode(payload: bytes, source: Law, target: Law) -> bytes:
    return payload if source is target else payload.translate(_TRANSLATION[source, target])


def encode(samples: "array[int]", law: Law) -> bytes:
    """16-bit samples (array of type 'h') to G.711; about 25 ns a sample, so call it for short pieces only."""
    words = array("H")
    words.frombytes(samples.tobytes())
    return bytes(map(law.codes.__getitem__, words))


def decode(payload: bytes, law: Law) -> bytes:
    """G.711 to little-endian 16-bit PCM, as WAV files hold it."""
    pcm = bytearray(2 * len(payload))
    pcm[0::2] = payload.translate(law.low)
    pcm[1::2] = payload.translate(law.high)
    return bytes(pcm)


def interleave(left: bytes, right: bytes, law: Law) -> bytes:
    """Two G.711 channels of equal length to little-endian stereo PCM16."""
    pcm = bytearray(4 * len(left))
    pcm[0::4] = left.translate(law.low)
    pcm[1::4] = left.translate(law.high)
    pcm[2::4] = right.translate(law.low)
    pcm[3::4] = right.translate(law.high)
    return bytes(pcm)


@cache
def mix_table(law: Law) -> "array[int]":
    """Clipped sum for each pair of codes (first code in the low byte). Takes 20 ms to make: MediaEngine does so early."""
    values = law.samples
    return array("h", [max(-32768, min(32767, a + b)) for b in values for a in values])


def mix(left: bytes, right: bytes, law: Law) -> bytes:
    """The clipped sum of two G.711 channels of equal length as little-endian PCM16; about 40 ns a sample."""
    pairs = bytearray(2 * len(left))
    pairs[0::2] = left
    pairs[1::2] = right
    words = array("H")
    words.frombytes(pairs)
    if sys.byteorder == "big":
        words.byteswap()
    total = array("h", map(mix_table(law).__getitem__, words))
    if sys.byteorder == "big":
        total.byteswap()
    return total.tobytes()
