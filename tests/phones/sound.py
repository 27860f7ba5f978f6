# SPDX-License-Identifier: Apache-2.0
"""What phones say and what they heard: tones made, tones found, files compared."""

from __future__ import annotations

import struct
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 8000
Samples = NDArray[np.float64]


def tone(path: Path, hertz: float, seconds: float = 30.0, loudness: float = 0.3) -> Path:
    """A WAV file with a sine."""
    t = np.arange(int(RATE * seconds)) / RATE
    write(path, loudness * np.sin(2 * np.pi * hertz * t))
    return path


def write(path: Path, samples: Samples) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())


def read(path: Path) -> list[Samples]:
    """The channels of a WAV file, -1…1; survives a header that was never finished (pjsua2 leaves its last block and sizes unwritten)."""
    raw = path.read_bytes()
    at = raw.index(b"fmt ") + 8
    channels, rate = struct.unpack_from("<HI", raw, at + 2)
    assert rate == RATE, rate
    data = raw[raw.index(b"data") + 8 :]
    data = data[: len(data) // (2 * channels) * 2 * channels]
    samples = np.frombuffer(data, "<i2").astype(np.float64) / 32768
    return [samples[c::channels] for c in range(channels)]


def strength(samples: Samples, hertz: float) -> float:
    """Share (0…1) of the sound's power within 15 Hz of this tone; 0 for silence."""
    if len(samples) < RATE // 10 or float(np.mean(samples**2)) < 1e-6:
        return 0.0
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    frequencies = np.fft.rfftfreq(len(samples), 1 / RATE)
    return float(spectrum[np.abs(frequencies - hertz) < 15].sum() / spectrum.sum())


def hears(path: Path, hertz: float, *, share: float = 0.5, window: float = 0.2) -> float:
    """Seconds of the file in which this tone dominates."""
    samples = read(path)[0]
    step = int(RATE * window)
    return sum(strength(samples[i : i + step], hertz) >= share for i in range(0, len(samples) - step, step)) * window


def correlation(heard: Samples, original: Samples) -> tuple[float, float]:
    """(best normalised correlation 0…1, seconds into `heard` where the original begins)."""
    n = len(original)
    if len(heard) < n:
        heard = np.concatenate([heard, np.zeros(n - len(heard) + 1)])
    size = 1 << int(np.ceil(np.log2(len(heard) + n)))
    cross = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(original, size)), size)[: len(heard) - n + 1]
    energy = np.concatenate([[0.0], np.cumsum(heard**2)])
    local = energy[n:] - energy[: len(heard) - n + 1]
    score = cross / np.sqrt(np.maximum(local, 1e-9) * max(float(np.sum(original**2)), 1e-9))
    at = int(np.argmax(score))
    return float(score[at]), at / RATE


def starts_at(samples: Samples, hertz: float, window: float = 0.05) -> float | None:
    """Seconds until the tone is first heard; None if never."""
    step = int(RATE * window)
    for i in range(0, len(samples) - 2 * step, step // 2):
        if strength(np.concatenate([samples[i : i + 2 * step]]), hertz) > 0.5:
            return i / RATE
    return None
