# SPDX-License-Identifier: Apache-2.0
"""The media engine in real time, seen by telephones that are raw UDP sockets."""

import asyncio
import random
import socket
from array import array
from pathlib import Path

import pytest

from engine.embedded.rtp import Law, MediaEngine, NoPort, PlayEnd, RecordEnd, RecordReason, Stream
from engine.embedded.rtp.engine import MANY_STREAMS
from engine.embedded.rtp.g711 import encode
from tests.embedded.rtp.conftest import EVENT, Phone, read_wav, rtp, write_wav


def opened(media: MediaEngine, phone: Phone, law: Law = Law.PCMA) -> Stream:
    stream = media.open("127.0.0.1")
    stream.set_remote(phone.address, law, EVENT)
    return stream


async def talk(phone: Phone, stream: Stream, packets: int, payload: bytes = b"\x2a" * 160) -> None:
    """In real time, on absolute deadlines."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    for number in range(packets):
        phone.say(stream, payload)
        await asyncio.sleep(start + 0.02 * (number + 1) - loop.time())


async def test_a_phone_hears_a_file_to_its_end(media: MediaEngine, phone: Phone, tmp_path: Path) -> None:
    samples = array("h", [(n * 641) % 30_000 - 15_000 for n in range(8000)])
    path = write_wav(tmp_path / "hello.wav", samples)
    done: asyncio.Future[PlayEnd] = asyncio.get_running_loop().create_future()
    stream = opened(media, phone)
    stream.play(str(path), done.set_result)
    heard = await phone.hears(lambda heard: len(heard) == 50)
    async with asyncio.timeout(5):
        assert await done is PlayEnd.FINISHED
    assert b"".join(packet.payload for packet in heard) == encode(samples, Law.PCMA)
    assert 0.9 < heard[-1].at - heard[0].at < 5
    assert media.streams == 1


@pytest.mark.parametrize("others", [0, MANY_STREAMS])
async def test_two_phones_talk_and_are_recorded_by_few_and_by_many_streams(
    media: MediaEngine, phone: Phone, other_phone: Phone, tmp_path: Path, others: int
) -> None:
    """With many streams sockets are asked by the millisecond, with few each datagram wakes the loop."""
    for _ in range(others):
        media.open("127.0.0.1")
    one, other = opened(media, phone), opened(media, other_phone, Law.PCMU)
    one.bridge(other)
    ended: asyncio.Future[RecordEnd] = asyncio.get_running_loop().create_future()
    recording = one.record(str(tmp_path / "call.wav"), done=ended.set_result)
    await asyncio.gather(talk(phone, one, 25), talk(other_phone, other, 25))
    there = await other_phone.hears(lambda heard: len(heard) == 25)
    back = await phone.hears(lambda heard: len(heard) == 25)
    recording.stop()
    async with asyncio.timeout(5):
        end = await ended
    assert {packet.payload_type for packet in there} == {0}
    assert {packet.payload_type for packet in back} == {8}
    assert end.reason is RecordReason.STOPPED
    assert end.ms >= 480
    left, right = read_wav(tmp_path / "call.wav")
    assert sum(abs(value) > 100 for value in left) >= 20 * 160
    assert sum(abs(value) > 100 for value in right) >= 20 * 160


async def test_streams_may_come_and_go_around_the_threshold(media: MediaEngine, phone: Phone) -> None:
    stream = opened(media, phone)
    pressed: asyncio.Queue[str] = asyncio.Queue()
    stream.on_dtmf = lambda digit, duration: pressed.put_nowait(digit)
    for digit in range(4):
        others = [media.open("127.0.0.1") for _ in range(MANY_STREAMS)]
        phone.press(stream, digit)
        async with asyncio.timeout(5):
            assert await pressed.get() == str(digit)
        for other in others:
            other.close()
        phone.press(stream, 9)
        async with asyncio.timeout(5):
            assert await pressed.get() == "9"
    assert pressed.empty()


async def test_a_key_whose_ends_are_lost_comes_after_silence(media: MediaEngine, phone: Phone) -> None:
    stream = opened(media, phone)
    pressed: asyncio.Queue[str] = asyncio.Queue()
    stream.on_dtmf = lambda digit, duration: pressed.put_nowait(digit)
    phone.press(stream, 4, ends=0)
    async with asyncio.timeout(5):
        assert await pressed.get() == "4"
    phone.press(stream, 4, packets=0, ends=3, timestamp=5000)
    phone.press(stream, 6)
    async with asyncio.timeout(5):
        assert await pressed.get() == "6"
    assert pressed.empty()


@pytest.mark.parametrize("seed", range(3))
async def test_ten_percent_loss_costs_ten_percent(
    media: MediaEngine, phone: Phone, other_phone: Phone, seed: int
) -> None:
    """Item 13 of the must-test list, its media part: nothing but the lost packets is missing, every key arrives."""
    chance = random.Random(seed)
    one, other = opened(media, phone), opened(media, other_phone)
    pressed: asyncio.Queue[str] = asyncio.Queue()
    one.on_dtmf = lambda digit, duration: pressed.put_nowait(digit)
    one.bridge(other, pass_dtmf=False)
    sent = lost = 0
    for digit in range(10):
        for _ in range(20):
            if chance.random() < 0.1:
                phone.sequence, phone.timestamp, lost = phone.sequence + 1, phone.timestamp + 160, lost + 1
            else:
                phone.say(one)
                sent += 1
        packets = [chance.random() >= 0.1 for _ in range(8)]
        packets[0] = packets[0] or not any(packets)
        start = phone.timestamp
        for index, arrives in enumerate(packets):
            if arrives:
                body = bytes([digit, 0x80 * (index >= 5) + 10, 0, 160 * min(index + 1, 6) >> 8 or 1])
                phone.send(one, rtp(phone.sequence, start, body, pt=EVENT, ssrc=phone.ssrc))
            phone.sequence += 1
        phone.timestamp += 160 * 8
    heard = await other_phone.hears(lambda heard: len(heard) == sent)
    async with asyncio.timeout(5):
        assert [await pressed.get() for _ in range(10)] == list("0123456789")
    assert len(heard) == sent
    assert one.stats.lost >= lost - 5


async def test_malformed_datagrams_do_no_harm(media: MediaEngine, phone: Phone, other_phone: Phone) -> None:
    chance = random.Random(7)
    errors: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
    one, other = opened(media, phone), opened(media, other_phone)
    one.bridge(other)
    phone.say(one)
    await other_phone.hears(lambda heard: len(heard) == 1)
    good = rtp(101, 5160, ssrc=phone.ssrc)
    for number in range(2000):
        data = bytearray(good[: chance.randrange(len(good) + 1)])
        for _ in range(chance.randrange(6)):
            if data:
                data[chance.randrange(len(data))] = chance.randrange(256)
        phone.send(one, bytes(data))
        if number % 100 == 0:
            await asyncio.sleep(0.01)
    phone.ssrc = 0xABCDEF
    phone.say(one, b"\x77" * 160)
    heard = await other_phone.hears(lambda heard: heard[-1].payload == b"\x77" * 160)
    assert heard[-1].payload_type == 8
    assert errors == []
    assert one.stats.malformed > 100


async def test_ipv6(media: MediaEngine) -> None:
    try:
        phone = Phone("::1")
    except OSError:
        pytest.skip("no IPv6 loopback here")
    stream = media.open("::1")
    stream.set_remote(("::1", 9), Law.PCMA, EVENT)
    phone.say(stream)
    stream.play("silence_stream://-1", lambda end: None)
    heard = await phone.hears(lambda heard: len(heard) >= 2)
    assert heard[0].payload == b"\xd5" * 160
    assert stream.remote == phone.address
    phone.close()


async def test_ports_come_back(phone: Phone) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.83.2.1", 0))
        base = probe.getsockname()[1] & ~1
    media = MediaEngine(ports=range(base, base + 2))
    media.start()
    stream = media.open("127.83.2.1")
    with pytest.raises(NoPort):
        media.open("127.83.2.1")
    stream.close()
    assert media.open("127.83.2.1").local_port == base
    await media.close()


async def test_close_waits_for_the_recordings(phone: Phone, tmp_path: Path) -> None:
    media = MediaEngine()
    media.start()
    stream = opened(media, phone)
    ends: list[RecordEnd] = []
    stream.record(str(tmp_path / "a.wav"), done=ends.append)
    stream.play("tone_stream://%(1000,0,800)", lambda end: None)
    await phone.hears(lambda heard: len(heard) >= 10)
    await media.close()
    assert len(read_wav(tmp_path / "a.wav")[1]) >= 8 * 180
    await asyncio.sleep(0)
    assert [end.reason for end in ends] == [RecordReason.CLOSED]


async def test_streams_opened_before_the_start_work_after_it(phone: Phone) -> None:
    media = MediaEngine()
    stream = opened(media, phone)
    stream.play("silence_stream://-1", lambda end: None)
    media.start()
    await phone.hears(lambda heard: len(heard) >= 2)
    await media.close()


async def test_silence_of_a_phone_is_noticed(media: MediaEngine, phone: Phone) -> None:
    stream = opened(media, phone)
    noticed: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    stream.inactivity_seconds = 0.5
    stream.on_inactivity = noticed.set_result
    async with asyncio.timeout(5):
        assert await noticed >= 0.5


async def test_a_local_stream_by_name(phone: Phone, tmp_path: Path) -> None:
    write_wav(tmp_path / "music.wav", [5000] * 100)
    media = MediaEngine(local_streams={"moh": str(tmp_path)})
    media.start()
    opened(media, phone).play("local_stream://moh", lambda end: None)
    heard = await phone.hears(lambda heard: len(heard) >= 5)
    assert len({packet.payload for packet in heard}) == 1
    await media.close()
