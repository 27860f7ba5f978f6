# SPDX-License-Identifier: Apache-2.0
"""The built-in music on hold: a slow arpeggio of our own, computed; `make prompts` writes it."""

from __future__ import annotations

import math
import struct
import wave
from pathlib import Path

RATE = 8000
CHORDS = ((220.0, 277.2, 329.6), (196.0, 246.9, 293.7), (174.6, 220.0, 261.6), (196.0, 246.9, 329.6))


def write(path: Path) -> None:
    """About 15 seconds, 8 kHz mono."""
    samples = bytearray()
    for chord in CHORDS:
        for beat in range(8):
            tone = chord[(0, 1, 2, 1)[beat % 4]] * (2 if beat >= 4 else 1)
            length = int(RATE * 0.48)
            for n in range(length):
                t = n / RATE
                envelope = min(1.0, t * 40) * math.exp(-3.5 * t)
                value = math.sin(2 * math.pi * tone * t) + 0.35 * math.sin(4 * math.pi * tone * t)
                samples += struct.pack("<h", int(7000 * envelope * value))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(bytes(samples))
