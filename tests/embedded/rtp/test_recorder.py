# SPDX-License-Identifier: Apache-2.0
"""Recordings: both sides in their place in time, whatever the network does, in a file that survives the process."""

import asyncio
import random
import sys
import textwrap
from array import array
from collections.abc import Iterable
from pathlib import Path

import pytest

from engine.embedded.rtp import Law, RecordEnd, Recording, RecordReason, Stream
from engine.embedded.rtp.recorder import Track
from tests.embedded.rtp.conftest import EVENT, Bench, Phone, read_wav, rtp

LOUD_A, LOUD_B = b"\x2a", b"\xaa"
TOLERANCE = 160


class Recorder:
    """A recording of one stream on the bench."""

    def __init__(self, bench: Bench, stream: Stream, path: Path) -> None:
        self.bench, self.stream, self.path = bench, stream, path
        self.ends: asyncio.Queue[RecordEnd] = asyncio.Queue()
        self.recording: Recording | None = None

    def start(self, **options: object) -> Recording:
        self.recording = self.stream.record(str(self.path), done=self.ends.put_nowait, **options)  # type: ignore[arg-type]
        return self.recording

    async def end(self) -> RecordEnd:
        async with asyncio.timeout(5):
            return await self.ends.get()

    async def stop(self) -> list["array[int]"]:
        assert self.recording is not None
        self.recording.stop()
        end = await self.end()
        channels = read_wav(self.path)
        assert all(len(channel) == 8 * end.ms for channel in channels)
        return channels


@pytest.fixture
async def recorder(bench: Bench, phone: Phone, tmp_path: Path) -> Recorder:
    return Recorder(bench, bench.stream(phone), tmp_path / "deep" / "folder" / "call.wav")


def spans(samples: Iterable[int]) -> list[tuple[int, int]]:
    """Where it is loud: (first sample, one past the last); holes under 2 ms do not count."""
    found: list[list[int]] = []
    for index, sample in enumerate(samples):
        if abs(sample) > 1000:
            if found and index - found[-1][1] < 16:
                found[-1][1] = index + 1
            else:
                found.append([index, index + 1])
    return [(start, end) for start, end in found]


async def test_left_is_received_right_is_sent_in_their_time(recorder: Recorder, bench: Bench, phone: Phone) -> None:
    stream = recorder.stream
    recorder.start()
    bench.advance(500)
    for number in range(25):
        bench.deliver(stream, rtp(number, 160 * number, LOUD_A * 160), phone.address)
        bench.advance(20)
    stream.play("tone_stream://%(300,0,1000)", lambda end: None)
    bench.advance(1000)
    left, right = await recorder.stop()
    assert len(left) == len(right) == pytest.approx(8 * 2000, abs=TOLERANCE)
    (heard,), (said,) = spans(left), spans(right)
    assert heard == (pytest.approx(4000, abs=TOLERANCE), pytest.approx(8000, abs=TOLERANCE))
    begun = 8160  # a play begins with the next step of 20 ms
    assert said == (pytest.approx(begun, abs=TOLERANCE), pytest.approx(begun + 2400, abs=TOLERANCE))


async def test_a_bridged_call_has_each_party_on_its_side(
    recorder: Recorder, bench: Bench, phone: Phone, other_phone: Phone
) -> None:
    one, other = recorder.stream, bench.stream(other_phone, law=Law.PCMU)
    one.bridge(other)
    recorder.start(mode="stereo")
    for number in range(150):
        caller = LOUD_A if 50 <= number < 100 else b"\xd5"
        callee = b"\x10" if 100 <= number < 125 else b"\xff"
        bench.deliver(one, rtp(number, 7_000 + 160 * number, caller * 160), phone.address)
        bench.advance(3)
        bench.deliver(other, rtp(number, 160 * number, callee * 160, pt=0, ssrc=2), other_phone.address)
        bench.advance(17)
    left, right = await recorder.stop()
    assert spans(left) == [(pytest.approx(8000, abs=TOLERANCE), pytest.approx(16_000, abs=TOLERANCE))]
    assert spans(right) == [(pytest.approx(16_000, abs=TOLERANCE), pytest.approx(20_000, abs=TOLERANCE))]


@pytest.mark.parametrize("seed", range(5))
async def test_jitter_loss_disorder_and_duplicates(recorder: Recorder, bench: Bench, phone: Phone, seed: int) -> None:
    """Packets that say where they belong: each found one must lie there, each lost one must be a hole of one frame."""
    chance = random.Random(seed)
    stream, count = recorder.stream, 250
    levels = [0x20 + number % 8 for number in range(count)]
    lost = {number for number in range(count) if chance.random() < 0.1} - {0}
    arrivals: list[tuple[int, int]] = []
    for number in range(count):
        if number in lost:
            continue
        arrivals.append((20 * number + chance.randrange(60), number))
        if chance.random() < 0.1:
            arrivals.append((20 * number + chance.randrange(60, 120), number))
    arrivals.sort()
    recorder.start()
    now = 0
    for at, number in arrivals:
        bench.advance(at - now)
        now = at
        bench.deliver(stream, rtp(number, 160 * number, bytes([levels[number]]) * 160), phone.address)
    bench.advance(20 * count + 500 - now)
    left, _ = await recorder.stop()
    offset = spans(left)[-1][1] - 160 * (max(set(range(count)) - lost) + 1)
    assert abs(offset) <= TOLERANCE, "the whole is in its place"
    decoded = Law.PCMA.samples
    misplaced = [
        number
        for number in range(50, count)  # the first packets had to find the place
        if left[160 * number + offset + 80] != (decoded[0xD5] if number in lost else decoded[levels[number]])
    ]
    assert misplaced == []


async def test_a_late_first_packet_does_not_shift_the_rest(recorder: Recorder, bench: Bench, phone: Phone) -> None:
    recorder.start()
    bench.advance(100)
    for number in range(5):
        bench.deliver(recorder.stream, rtp(number, 160 * number, LOUD_A * 160), phone.address)
    for number in range(5, 50):
        bench.deliver(recorder.stream, rtp(number, 160 * number, LOUD_A * 160), phone.address)
        bench.advance(20)
    left, _ = await recorder.stop()
    assert spans(left)[-1][1] == pytest.approx(8000, abs=TOLERANCE)


@pytest.mark.parametrize("step", [0, 160 * 10, 160 * 100, 1_000_000, -1_000_000])
async def test_a_pause_stays_a_pause_whatever_the_timestamps_say(
    recorder: Recorder, bench: Bench, phone: Phone, step: int
) -> None:
    """Phones count the time of a pause, or not, or begin anew."""
    recorder.start()
    for number in range(50):
        bench.deliver(recorder.stream, rtp(number, 160 * number, LOUD_A * 160), phone.address)
        bench.advance(20)
    bench.advance(1000)
    for number in range(50, 100):
        bench.deliver(recorder.stream, rtp(number, 160 * number + step, LOUD_B * 160), phone.address)
        bench.advance(20)
    left, _ = await recorder.stop()
    loud = spans(left)
    assert loud[0] == (0, pytest.approx(8000, abs=TOLERANCE))
    assert loud[-1][1] == pytest.approx(24_000, abs=TOLERANCE)
    assert 16_000 - TOLERANCE <= loud[1][0] <= 16_000 + 1600


async def test_a_new_ssrc_and_a_clock_that_runs_fast(recorder: Recorder, bench: Bench, phone: Phone) -> None:
    recorder.start()
    for number in range(100):
        bench.deliver(recorder.stream, rtp(number, 160 * number, LOUD_A * 160, ssrc=1), phone.address)
        bench.advance(20)
    for number in range(500):  # 164 samples for 20 ms: 2.5 % too fast, 2 s in all
        bench.deliver(recorder.stream, rtp(number, 164 * number, LOUD_B * 164, ssrc=2), phone.address)
        bench.advance(20)
    left, _ = await recorder.stop()
    assert spans(left)[-1][1] == pytest.approx(96_000, abs=TOLERANCE)


async def test_a_clock_that_runs_slow(recorder: Recorder, bench: Bench, phone: Phone) -> None:
    recorder.start()
    for number in range(200):  # 155 samples for 20 ms: 1000 too few in all
        bench.deliver(recorder.stream, rtp(number, 155 * number, LOUD_A * 155), phone.address)
        bench.advance(20)
    left, _ = await recorder.stop()
    assert spans(left)[-1][1] == pytest.approx(32_000, abs=2 * TOLERANCE)


def test_of_a_packet_that_is_partly_too_late_the_rest_is_kept() -> None:
    track = Track(Law.PCMA, 0)
    track.put(0, 1, 1000, LOUD_A * 160)
    assert track.take(200) == LOUD_A * 160 + Law.PCMA.silence * 40
    track.put(300, 1, 1160, LOUD_B * 160)
    assert track.take(200) == LOUD_B * 120 + Law.PCMA.silence * 80


async def test_mono_is_the_sum_and_read_only_one_side(
    bench: Bench, phone: Phone, other_phone: Phone, tmp_path: Path
) -> None:
    stream = bench.stream(phone)
    both, read, write = (Recorder(bench, stream, tmp_path / f"{name}.wav") for name in ("both", "read", "write"))
    both.start(mode="mono")
    read.start(mode="mono", side="read")
    write.start(mode="mono", side="write")
    stream.play("tone_stream://%(1000,0,1000)", lambda end: None)
    for number in range(100):
        bench.deliver(stream, rtp(number, 160 * number, LOUD_A * 160), phone.address)
        bench.advance(20)
    ((summed,), (heard,), (said,)) = [await one.stop() for one in (both, read, write)]
    level = Law.PCMA.samples[LOUD_A[0]]
    assert set(heard[: 8 * 1980]) == {level}
    assert spans(said)[0][1] == pytest.approx(8000, abs=TOLERANCE)
    assert [max(-32768, a + b) for a, b in zip(heard, said, strict=True)] == summed.tolist()


async def test_a_limit_ends_it_exactly(recorder: Recorder, bench: Bench) -> None:
    recorder.start(limit_s=1.23)
    bench.advance(2000)
    assert await recorder.end() == RecordEnd(str(recorder.path), 1230, RecordReason.LIMIT)
    assert len(read_wav(recorder.path)[0]) == 9840


async def test_silence_ends_it(recorder: Recorder, bench: Bench, phone: Phone) -> None:
    recorder.start(mode="mono", side="read", silence=(200, 2.0))
    for number in range(50):
        bench.deliver(recorder.stream, rtp(number, 160 * number, LOUD_A * 160), phone.address)
        bench.advance(20)
    for number in range(50, 300):
        bench.deliver(recorder.stream, rtp(number, 160 * number), phone.address)
        bench.advance(20)
    end = await recorder.end()
    assert end.reason is RecordReason.SILENCE
    assert end.ms == pytest.approx(3000, abs=40)


async def test_no_packets_at_all_are_silence_too(recorder: Recorder, bench: Bench) -> None:
    recorder.start(silence=(200, 2.0))
    bench.advance(3000)
    end = await recorder.end()
    assert (end.reason, end.ms) == (RecordReason.SILENCE, pytest.approx(2000, abs=40))


async def test_masked_time_is_silent_but_counts(recorder: Recorder, bench: Bench, phone: Phone) -> None:
    recording = recorder.start()
    for number in range(150):
        recording.masked = 50 <= number < 100
        bench.deliver(recorder.stream, rtp(number, 160 * number, LOUD_A * 160), phone.address)
        bench.advance(20)
    left, _ = await recorder.stop()
    assert spans(left) == [(0, 8000), (16_000, 24_000)]


async def test_keys_are_not_in_the_recording(recorder: Recorder, bench: Bench, phone: Phone) -> None:
    recorder.start()
    for number in range(50):
        bench.deliver(recorder.stream, rtp(number, 160 * number, LOUD_A * 4, pt=EVENT), phone.address)
        bench.advance(20)
    left, right = await recorder.stop()
    assert spans(left) == spans(right) == []
    assert len(left) == 8000


async def test_closing_the_stream_keeps_what_was_recorded(recorder: Recorder, bench: Bench, phone: Phone) -> None:
    recording = recorder.start()
    bench.deliver(recorder.stream, rtp(1, 160, LOUD_A * 160), phone.address)
    bench.advance(400)
    recorder.stream.close()
    recording.stop()
    assert await recorder.end() == RecordEnd(str(recorder.path), 400, RecordReason.CLOSED)
    assert len(read_wav(recorder.path)[0]) == 3200
    assert recorder.ends.empty()


async def test_it_goes_on_behind_what_another_stream_has_recorded(
    bench: Bench, phone: Phone, other_phone: Phone, tmp_path: Path
) -> None:
    """Who is served changes within a talk: one file, and whoever stays keeps his side."""
    path = tmp_path / "call.wav"
    first, second = Recorder(bench, bench.stream(phone), path), Recorder(bench, bench.stream(other_phone), path)
    recording = first.start(append=True)
    _speaks(bench, first.stream, phone, 500)
    recording.stop()
    second.start(append=True, mode="turned")  # ordered at once, the first has not been written to its end yet
    before = (await first.end()).ms
    _speaks(bench, second.stream, other_phone, 300)
    bench.advance(100)
    assert second.recording is not None
    second.recording.stop()
    after = (await second.end()).ms
    left, right = read_wav(path)
    assert len(left) == len(right) == 8 * (before + after) == pytest.approx(8 * 900, abs=TOLERANCE)
    assert spans(left) == [(pytest.approx(0, abs=TOLERANCE), pytest.approx(4000, abs=TOLERANCE))]
    assert spans(right) == [(pytest.approx(4000, abs=TOLERANCE), pytest.approx(6400, abs=TOLERANCE))]


async def test_a_file_of_another_kind_stays_as_it_is(recorder: Recorder, bench: Bench) -> None:
    recorder.start(mode="mono")
    bench.advance(300)
    await recorder.stop()
    before = recorder.path.read_bytes()
    recorder.start(append=True)
    bench.writers.submit(int).result()
    bench.advance(2000)
    assert (await recorder.end()).reason is RecordReason.FAILED
    recorder.path.write_bytes(b"no sound at all")
    recorder.start(append=True)
    bench.writers.submit(int).result()
    bench.advance(2000)
    assert (await recorder.end()).reason is RecordReason.FAILED
    assert recorder.path.read_bytes() == b"no sound at all"
    recorder.path.write_bytes(before[:-1])  # a writer that was killed: half a sample is overwritten
    recorder.start(append=True, mode="mono")
    bench.advance(100)
    (channel,) = read_wav(recorder.path) if await _stopped(recorder) else ()
    assert len(channel) == 8 * 400 - 1


def _speaks(bench: Bench, stream: Stream, phone: Phone, ms: int) -> None:
    for number in range(ms // 20):
        bench.deliver(stream, rtp(number, 160 * number, LOUD_A * 160), phone.address)
        bench.advance(20)


async def _stopped(recorder: Recorder) -> bool:
    assert recorder.recording is not None
    recorder.recording.stop()
    return (await recorder.end()).reason is RecordReason.STOPPED


async def test_a_file_that_cannot_be_written(recorder: Recorder, bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "deep").write_text("a file where a folder should be")
    recorder.start()
    recorder.bench.writers.submit(int).result()
    bench.advance(2000)
    assert (await recorder.end()).reason is RecordReason.FAILED
    recorder.path = Path("/dev/full")
    recorder.start()
    recorder.bench.writers.submit(int).result()
    bench.advance(2000)
    assert (await recorder.end()).reason is RecordReason.FAILED


async def test_the_file_is_playable_while_it_grows(recorder: Recorder, bench: Bench) -> None:
    recorder.start()
    for seconds in range(1, 5):
        bench.advance(1000)
        bench.writers.submit(int).result()
        assert len(read_wav(recorder.path)[0]) >= 8000 * seconds - 12_800


KILLED = """
    import asyncio, sys
    from engine.embedded.rtp import Law, MediaEngine

    async def main():
        media = MediaEngine()
        media.start()
        stream, peer = media.open("127.0.0.1"), media.open("127.0.0.1")
        stream.set_remote(("127.0.0.1", peer.local_port), Law.PCMA, None)
        peer.set_remote(("127.0.0.1", stream.local_port), Law.PCMA, None)
        for one in (stream, peer):
            one.play("tone_stream://%(60000,0,800)", print)
        stream.record(sys.argv[1], done=print)
        await asyncio.sleep(3.6)
        print("three and a half seconds", flush=True)
        await asyncio.sleep(60)

    asyncio.run(main())
"""


async def test_kill_9_leaves_a_playable_file(tmp_path: Path) -> None:
    path = tmp_path / "killed.wav"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", textwrap.dedent(KILLED), str(path), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(20):
            await process.stdout.readline()
    finally:
        process.kill()
        await process.wait()
    left, right = read_wav(path)
    assert len(left) == len(right) >= 16_000
    for channel in (left, right):
        assert sum(end - start for start, end in spans(channel)) > 14_000
