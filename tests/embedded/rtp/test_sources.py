# SPDX-License-Identifier: Apache-2.0
"""What can be played: files, lists, directories, tones, silence."""

import math
import os
import struct
from array import array
from itertools import islice
from pathlib import Path

import pytest

from engine.embedded.rtp import Law, Library, parse_source
from engine.embedded.rtp.g711 import decode, encode
from engine.embedded.rtp.sounds import PIECE_SAMPLES, SoundCache
from engine.embedded.rtp.sources import cut
from engine.embedded.rtp.tones import ToneError, parse_tones
from tests.embedded.rtp.conftest import write_wav


def ramp(count: int, start: int = 0) -> "array[int]":
    """Samples that differ from their neighbours even in A-law."""
    return array("h", [((start + n) * 641) % 30_000 - 15_000 for n in range(count)])


def sine(frequency: int, count: int, rate: int = 8000, level: int = 8000) -> "array[int]":
    return array("h", [int(level * math.sin(2 * math.pi * frequency * n / rate)) for n in range(count)])


def played(text: str, law: Law = Law.PCMA, library: Library | None = None, limit: int = 2000) -> bytes | None:
    frames = parse_source(text, library or Library()).frames(law)
    if frames is None:
        return None
    found = list(islice(frames, limit))
    assert all(len(frame) == 160 for frame in found)
    return b"".join(found)


def level_at(frequency: int, samples: "array[int]", rate: int = 8000) -> float:
    """Amplitude of one frequency (one bin of a Fourier transform)."""
    cosine = sum(value * math.cos(2 * math.pi * frequency * n / rate) for n, value in enumerate(samples))
    sinus = sum(value * math.sin(2 * math.pi * frequency * n / rate) for n, value in enumerate(samples))
    return 2 * math.hypot(cosine, sinus) / len(samples)


def pcm(data: bytes, law: Law = Law.PCMA) -> "array[int]":
    return array("h", decode(data, law))


def test_cut_joins_pieces_without_a_gap() -> None:
    data = bytes(n % 251 for n in range(1000))
    pieces = [data[:3], data[3:170], data[170:170], data[170:171], data[171:900], data[900:]]
    frames = list(cut(pieces, Law.PCMA))
    assert b"".join(frames)[:1000] == data
    assert frames[-1] == data[960:] + Law.PCMA.silence * 120


@pytest.mark.parametrize("law", Law)
def test_a_file(tmp_path: Path, law: Law) -> None:
    samples = ramp(3 * PIECE_SAMPLES + 77)
    path = write_wav(tmp_path / "a.wav", samples)
    data = played(str(path), law)
    assert data is not None
    assert data[: len(samples)] == encode(samples, law)
    assert played(f"file://{path}", law) == data


def test_a_list_is_gapless(tmp_path: Path) -> None:
    samples = ramp(1010 + 35 + 4001)
    for name, part in (("a", samples[:1010]), ("b", samples[1010:1045]), ("c", samples[1045:])):
        write_wav(tmp_path / f"{name}.wav", part)
    data = played("file_string://" + "!".join(str(tmp_path / f"{name}.wav") for name in "abc"))
    assert data is not None
    assert data[: len(samples)] == encode(samples, Law.PCMA)


def test_missing_files_of_a_list_are_left_out_unless_all_are(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", ramp(320))
    assert played(f"file_string://{tmp_path}/no.wav!{path}") == encode(ramp(320), Law.PCMA)
    assert played(f"file_string://{tmp_path}/no.wav!{tmp_path}/nor.wav") is None
    assert played(str(tmp_path / "no.wav")) is None


def test_a_list_may_hold_tones_and_silence(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", ramp(320))
    data = played(f"file_string://{path}!silence_stream://40!tone_stream://%(20,0,425)")
    assert data is not None
    assert len(data) == 320 + 320 + 160
    assert data[320:640] == Law.PCMA.silence * 320


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"RIFF",
        b"no wav at all" * 10,
        b"RIFF\0\0\0\0WAVEdata\0\0\0\0",
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + struct.pack("<HHIIHH", 1, 1, 44100, 88200, 2, 16) + b"data\x02\0\0\0ab",
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + struct.pack("<HHIIHH", 85, 1, 8000, 8000, 1, 8) + b"data\x02\0\0\0ab",
    ],
)
def test_files_that_are_no_telephone_wav_are_missing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.wav").write_bytes(content)
    assert played(str(tmp_path / "a.wav")) is None


def test_strange_texts_are_missing() -> None:
    for text in ("", "say://1", "tone_stream://nonsense", "tone_stream://%(a,b)", "silence_stream://x", "local_stream://no",
                 "file_string://", "file_string://!!", "a\0b", "/"):  # fmt: skip
        assert played(text) is None, text


def test_a_recording_cut_off_in_the_middle_plays_what_is_there(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", ramp(800))
    content = bytearray(path.read_bytes())
    for claimed in (0xFFFFFFFF, 0, 1_000_000):
        content[40:44] = struct.pack("<I", claimed)
        path.write_bytes(content)
        assert played(str(path)) == encode(ramp(800), Law.PCMA)


def test_other_encodings(tmp_path: Path) -> None:
    samples = ramp(800)
    codes = encode(samples, Law.PCMU)
    fmt = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + len(codes), b"WAVE", b"fmt ", 16, 7, 1, 8000, 8000, 1, 8)
    (tmp_path / "mulaw.wav").write_bytes(fmt + b"LIST\x03\0\0\0abc\0data" + struct.pack("<I", len(codes)) + codes)
    assert played(str(tmp_path / "mulaw.wav"), Law.PCMU) == codes
    stereo = array("h", [value for sample in samples for value in (sample, sample)])
    write_wav(tmp_path / "stereo.wav", stereo, channels=2)
    assert played(str(tmp_path / "stereo.wav")) == encode(samples, Law.PCMA)


def test_16_khz_is_halved_without_seams(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "wide.wav", sine(1000, 16_000, 16_000), rate=16_000)
    data = played(str(path))
    assert data is not None
    assert len(data) == 8000
    error = [abs(a - b) for a, b in zip(pcm(data), sine(1000, 8000), strict=True)][8:-8]
    assert max(error) < 600, "a seam, or more than the encoding's own error"


def test_a_file_is_encoded_once_and_again_when_it_changes(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", ramp(800))
    cache = SoundCache()
    sound = cache.get(str(path), Law.PCMA)
    assert cache.get(str(path), Law.PCMA) is sound
    assert cache.get(str(path), Law.PCMU) is not sound
    write_wav(path, ramp(800, start=5))
    os.utime(path, ns=(1, 1))
    changed = cache.get(str(path), Law.PCMA)
    assert changed is not None
    assert changed is not sound
    assert b"".join(changed.pieces()) == encode(ramp(800, start=5), Law.PCMA)


def test_a_file_that_changes_while_it_is_first_played_ends_early(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", ramp(4 * PIECE_SAMPLES))
    sound = SoundCache().get(str(path), Law.PCMA)
    assert sound is not None
    pieces = sound.pieces()
    assert len(next(pieces)) == PIECE_SAMPLES
    path.unlink()
    assert list(pieces) == []


def test_the_cache_lets_go_of_what_was_used_longest_ago(tmp_path: Path) -> None:
    cache = SoundCache(limit_bytes=2000)
    paths = [str(write_wav(tmp_path / f"{name}.wav", ramp(800))) for name in "abc"]
    first, second = cache.get(paths[0], Law.PCMA), cache.get(paths[1], Law.PCMA)
    assert cache.get(paths[0], Law.PCMA) is first
    cache.get(paths[2], Law.PCMA)
    assert cache.get(paths[0], Law.PCMA) is first
    assert cache.get(paths[1], Law.PCMA) is not second


def test_a_local_stream_goes_round_for_ever_in_order_of_names(tmp_path: Path) -> None:
    write_wav(tmp_path / "b.wav", ramp(100, start=170))
    write_wav(tmp_path / "a.WAV", ramp(170))
    (tmp_path / "notes.txt").write_text("not music")
    library = Library(local_streams={"moh": str(tmp_path)})
    data = played("local_stream://moh", library=library, limit=27)
    assert data is not None
    assert data == encode(ramp(270), Law.PCMA) * 16


def test_an_empty_music_directory_is_missing(tmp_path: Path) -> None:
    write_wav(tmp_path / "empty.wav", [])
    library = Library(local_streams={"moh": str(tmp_path), "gone": str(tmp_path / "gone")})
    assert played("local_stream://moh", library=library) is None
    assert played("local_stream://gone", library=library) is None


def test_music_that_is_deleted_ends_instead_of_spinning(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", ramp(PIECE_SAMPLES * 2))
    frames = parse_source("local_stream://moh", Library(local_streams={"moh": str(tmp_path)})).frames(Law.PCMA)
    assert frames is not None
    next(frames)
    path.unlink()
    assert len(list(islice(frames, 1000))) < 30


def test_relative_paths_lie_in_the_sounds_directory(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", ramp(160))
    assert played("a.wav", library=Library(sounds_dir=str(tmp_path))) == encode(ramp(160), Law.PCMA)


def test_silence() -> None:
    assert played("silence_stream://300") == Law.PCMA.silence * 2400
    assert played("silence_stream://300,1400", Law.PCMU) == Law.PCMU.silence * 2400
    assert played("silence_stream://-1", limit=500) == Law.PCMA.silence * 80_000
    assert played("silence_stream://0") == b""


def test_a_tone_has_its_length_frequencies_and_loops() -> None:
    data = played("tone_stream://%(200,100,425);loops=2")
    assert data is not None
    assert len(data) == 2 * 2400
    first, pause = pcm(data[:1600]), data[1600:2400]
    assert pause == Law.PCMA.silence * 800
    assert data[2400:] == data[:2400]
    assert 5000 < level_at(425, first) < 10_000
    assert level_at(1000, first) < 300


def test_two_frequencies_and_several_parts() -> None:
    data = played("tone_stream://%(100,0,350,440);%(100,0,1400);v=-20;%(100,0,1400)")
    assert data is not None
    dial, loud, soft = pcm(data[:800]), pcm(data[800:1600]), pcm(data[1600:2400])
    assert level_at(350, dial) > 5000
    assert level_at(440, dial) > 5000
    assert level_at(1400, soft) == pytest.approx(level_at(1400, loud) * 10 ** (-13 / 20), rel=0.1)


def test_endless_tones() -> None:
    for text in ("tone_stream://%(1000,4000,425);loops=-1", "%(1000,4000,425);loops=-1"):
        data = played(text, limit=1000)
        assert data is not None
        assert len(data) == 160_000
        assert data[:40_000] == data[40_000:80_000]
    steady = played("tone_stream://%(3600000,0,425)", limit=300)
    assert steady is not None
    assert level_at(425, pcm(steady[24_000:32_000])) > 5000


def test_key_tones() -> None:
    data = played("tone_stream://d=100;w=50;5#")
    assert data is not None
    assert len(data) == 2400
    assert level_at(770, pcm(data[:800])) > 5000
    assert level_at(1336, pcm(data[:800])) > 5000
    assert level_at(1477, pcm(data[1200:2000])) > 5000


@pytest.mark.parametrize("text", ["", ";;", "%(100)", "%(-1,0,400)", "%(x,0,400)", "hello", "%(1,2,3", "%(1e99,0,4)", "v=x;5"])
def test_unreadable_tones(text: str) -> None:
    with pytest.raises(ToneError):
        parse_tones(text)


def test_a_tone_of_no_length_ends_although_it_loops_for_ever() -> None:
    assert played("tone_stream://%(0,0,425);loops=-1") == b""
