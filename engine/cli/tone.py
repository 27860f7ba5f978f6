# SPDX-License-Identifier: Apache-2.0
"""Recognises a tone in a WAV file, for the built-in phone (phone.py): what was really heard, not what was signalled."""

from __future__ import annotations

import math
import sys
import wave
from array import array
from collections.abc import Sequence
from pathlib import Path

BLOCK_SECONDS = 0.1
LEAST_SHARE = 0.6
"""Of a block's energy: G.711 leaves a lone sine over 0.99, speech and music stay far below for any one pitch."""
LEAST_RMS = 150.0
"""Of 32768: quieter is taken for noise of the line."""


def share_of_tone(block: Sequence[int], hz: float, rate: int = 8000) -> float:
    """How much of the block's energy lies at `hz`, 0 to 1 (Goertzel); whole periods in the block make it exact."""
    turn = 2.0 * math.cos(2.0 * math.pi * hz / rate)
    before = last = energy = 0.0
    for sample in block:
        before, last = last, sample + turn * last - before
        energy += float(sample) * sample
    if not energy:
        return 0.0
    power = before * before + last * last - turn * before * last
    return min(1.0, 2.0 * power / (len(block) * energy))


def has_tone(block: Sequence[int], hz: float, rate: int = 8000) -> bool:
    loudness = math.sqrt(sum(sample * sample for sample in block) / max(1, len(block)))
    return loudness >= LEAST_RMS and share_of_tone(block, hz, rate) >= LEAST_SHARE


def longest_tone_seconds(path: Path, hz: float) -> float:
    """The longest stretch of the file in which the tone sounds without a break; 0 when it is never heard.

    Takes mono 16-bit WAV. Raises OSError, wave.Error.
    """
    samples, rate = read_mono(path)
    size = int(rate * BLOCK_SECONDS)
    longest = run = 0
    for start in range(0, len(samples) - size + 1, size):
        run = run + 1 if has_tone(samples[start : start + size], hz, rate) else 0
        longest = max(longest, run)
    return longest * BLOCK_SECONDS


def read_mono(path: Path) -> tuple[array[int], int]:
    """(samples, rate). Raises OSError, wave.Error."""
    with wave.open(str(path), "rb") as file:
        if file.getnchannels() != 1 or file.getsampwidth() != 2:
            raise wave.Error(f"{path} is not mono with 16 bits")
        samples = array("h", file.readframes(file.getnframes()))
        if sys.byteorder == "big":
            samples.byteswap()
        return samples, file.getframerate()
