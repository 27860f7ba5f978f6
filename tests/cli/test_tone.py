# SPDX-License-Identifier: Apache-2.0
"""Tones are recognised in what was heard, and nothing else is taken for one."""

from __future__ import annotations

import math
import random
import wave
from array import array
from pathlib import Path

import pytest

from engine.cli.tone import has_tone, longest_tone_seconds, share_of_tone
from engine.embedded.rtp.g711 import Law, decode, encode


def sine(hz: float, samples: int = 800, level: float = 5000) -> array[int]:
    return array("h", [int(level * math.sin(2 * math.pi * hz * n / 8000)) for n in range(samples)])


def write(path: Path, samples: array[int], channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.tobytes())
    return path


@pytest.mark.parametrize("law", list(Law))
@pytest.mark.parametrize("hz", [350, 700, 1100, 3000])
def test_a_tone_survives_the_telephone(hz: int, law: Law) -> None:
    heard = array("h", decode(encode(sine(hz), law), law))
    assert share_of_tone(heard, hz) > 0.98
    assert share_of_tone(heard, hz + 100) < 0.05


def test_silence_noise_and_whispers_are_no_tone() -> None:
    dice = random.Random(7)
    assert not has_tone(array("h", [0] * 800), 700)
    assert not has_tone(array("h", [dice.randint(-9000, 9000) for _ in range(800)]), 700)
    assert not has_tone(sine(700, level=100), 700)
    assert not has_tone(array("h"), 700)


def test_two_tones_at_once_are_neither() -> None:
    both = array("h", [a + b for a, b in zip(sine(700), sine(1100), strict=True)])
    assert not has_tone(both, 700)
    assert not has_tone(both, 1100)


def test_the_longest_stretch_counts(tmp_path: Path) -> None:
    quiet = array("h", [0] * 2400)
    samples = sine(700, 3200) + quiet + sine(700, 8000) + quiet + sine(1100, 16000)
    path = write(tmp_path / "heard.wav", samples)
    assert longest_tone_seconds(path, 700) == pytest.approx(1.0)
    assert longest_tone_seconds(path, 1100) == pytest.approx(2.0)
    assert longest_tone_seconds(path, 900) == 0


def test_a_stereo_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(wave.Error, match="mono"):
        longest_tone_seconds(write(tmp_path / "heard.wav", sine(700), channels=2), 700)
