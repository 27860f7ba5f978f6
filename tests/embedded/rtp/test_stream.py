# SPDX-License-Identifier: Apache-2.0
"""One stream: playing, keys, bridges, hold, whose packets are taken. The test turns the clock; sockets are real."""

import asyncio
import struct
from itertools import pairwise
from pathlib import Path

import pytest

from engine.embedded.rtp import Law, PlayEnd
from engine.embedded.rtp.g711 import ALAW_TO_MULAW
from tests.embedded.rtp.conftest import EVENT, Bench, Phone, Rtp, event, rtp, write_wav

STRANGER = ("127.0.0.9", 9)
ENDLESS = "tone_stream://%(1000,0,425);loops=-1"


def ends() -> "asyncio.Queue[PlayEnd]":
    return asyncio.Queue()


async def first(queue: "asyncio.Queue[PlayEnd]") -> PlayEnd:
    async with asyncio.timeout(5):
        return await queue.get()


def in_line(packets: list[Rtp]) -> None:
    """Sequence numbers and timestamps go on without hole or step back."""
    for before, after in pairwise(packets):
        assert (after.sequence - before.sequence) & 0xFFFF == 1
        assert 0 < (after.timestamp - before.timestamp) & 0xFFFFFFFF < 80_000
        assert after.ssrc == before.ssrc


# ---- playing ---------------------------------------------------------------------------------------------------------


async def test_a_play_is_a_row_of_packets(bench: Bench, phone: Phone) -> None:
    done = ends()
    stream = bench.stream(phone, law=Law.PCMU)
    playback = stream.play("tone_stream://%(100,0,425)", done.put_nowait)
    assert stream.playing
    bench.advance(200)
    heard = phone.drain()
    assert await first(done) is PlayEnd.FINISHED
    assert not stream.playing
    assert playback.end is PlayEnd.FINISHED
    assert playback.ms == 100
    assert len(heard) == 5
    assert [packet.marker for packet in heard] == [True, False, False, False, False]
    assert {packet.payload_type for packet in heard} == {0}
    assert {len(packet.payload) for packet in heard} == {160}
    assert {(b.timestamp - a.timestamp) & 0xFFFFFFFF for a, b in pairwise(heard)} == {160}
    in_line(heard)
    assert stream.stats.sent == 5


async def test_the_end_comes_after_the_last_packet_has_had_its_time(bench: Bench, phone: Phone) -> None:
    done = ends()
    stream = bench.stream(phone)
    stream.play("silence_stream://40", done.put_nowait)
    bench.frame()
    bench.frame()
    await asyncio.sleep(0)
    assert len(phone.drain()) == 2
    assert done.empty()
    bench.frame()
    assert await first(done) is PlayEnd.FINISHED


async def test_a_missing_file_ends_at_once_but_not_inside_play(bench: Bench, phone: Phone) -> None:
    done = ends()
    bench.stream(phone).play("/no/such.wav", done.put_nowait)
    assert done.empty()
    assert await first(done) is PlayEnd.MISSING


async def test_stop_and_replace_end_with_broken_once(bench: Bench, phone: Phone) -> None:
    done, second = ends(), ends()
    stream = bench.stream(phone)
    stream.play(ENDLESS, done.put_nowait)
    bench.frame()
    stream.play("silence_stream://-1", second.put_nowait)
    assert await first(done) is PlayEnd.BROKEN
    bench.frame()
    stream.stop()
    stream.stop()
    assert await first(second) is PlayEnd.BROKEN
    bench.advance(100)
    heard = phone.drain()
    assert len(heard) == 2
    assert [packet.marker for packet in heard] == [True, True]
    in_line(heard)
    await asyncio.sleep(0)
    assert done.empty()
    assert second.empty()


async def test_a_pause_between_two_plays_shows_in_the_timestamps(bench: Bench, phone: Phone) -> None:
    stream = bench.stream(phone)
    stream.play("silence_stream://20", lambda end: None)
    bench.advance(500)
    stream.play("silence_stream://20", lambda end: None)
    bench.advance(40)
    one, two = phone.drain()
    assert two.timestamp - one.timestamp & 0xFFFFFFFF == pytest.approx(4000, abs=160)
    in_line([one, two])


async def test_hold_sends_nothing_but_time_goes_on(bench: Bench, phone: Phone) -> None:
    done = ends()
    stream = bench.stream(phone)
    stream.play("silence_stream://200", done.put_nowait)
    bench.advance(100)
    assert len(phone.drain()) == 5
    stream.set_remote(phone.address, Law.PCMA, EVENT, send=False)
    bench.advance(60)
    assert len(phone.drain()) == 5
    stream.set_remote(phone.address, Law.PCMA, EVENT)
    bench.advance(60)
    heard = phone.drain()
    assert len(heard) == 7
    assert heard[5].timestamp - heard[4].timestamp & 0xFFFFFFFF == 640
    in_line(heard)
    assert await first(done) is PlayEnd.FINISHED


async def test_a_change_of_codec_changes_the_play_too(bench: Bench, phone: Phone) -> None:
    stream = bench.stream(phone)
    stream.play("silence_stream://-1", lambda end: None)
    bench.frame()
    stream.set_remote(phone.address, 0, EVENT)
    bench.frame()
    one, two = phone.drain()
    assert (one.payload_type, one.payload[0]) == (8, 0xD5)
    assert two.payload_type == 0
    assert two.payload == one.payload.translate(ALAW_TO_MULAW)


async def test_without_an_address_it_plays_to_where_rtp_comes_from(bench: Bench, phone: Phone) -> None:
    stream = bench.stream()
    for useless in (("phone.example", 4000), ("0.0.0.0", 4000), ("127.0.0.1", 0)):
        stream.set_remote(useless, Law.PCMA, EVENT)
        assert stream.remote is None
    stream.play("silence_stream://-1", lambda end: None)
    bench.advance(100)
    bench.deliver(stream, rtp(1, 160), phone.address)
    bench.frame()
    assert len(phone.drain()) == 1


async def test_what_cannot_be_sent_is_counted_and_harms_nothing(bench: Bench) -> None:
    stream = bench.stream()
    stream.set_remote(("255.255.255.255", 4000), Law.PCMA, EVENT)
    done = ends()
    stream.play("silence_stream://60", done.put_nowait)
    bench.advance(100)
    assert await first(done) is PlayEnd.FINISHED
    assert stream.stats.send_errors == 3
    assert stream.stats.sent == 0


async def test_a_codec_that_is_not_g711_is_refused(bench: Bench, phone: Phone) -> None:
    with pytest.raises(ValueError, match="18"):
        bench.stream().set_remote(phone.address, 18, EVENT)


# ---- keys ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def pressed() -> list[str]:
    return []


async def keys_of(bench: Bench, pressed: list[str]) -> list[str]:
    bench.advance(200)
    await asyncio.sleep(0)
    return pressed


async def test_keys_are_taken_with_the_payload_type_given(bench: Bench, phone: Phone, pressed: list[str]) -> None:
    """Item 7 of the must-test list: the type is the offer's, whatever it is."""
    stream = bench.stream(phone, event_type=96)
    stream.on_dtmf = lambda digit, duration: pressed.append(digit)
    bench.deliver(stream, rtp(1, 160, event(1, 800, end=True), pt=101), phone.address)
    bench.deliver(stream, rtp(2, 960, event(2, 800, end=True), pt=96), phone.address)
    assert await keys_of(bench, pressed) == ["2"]
    stream.send_dtmf("7")
    bench.advance(200)
    assert {packet.payload_type for packet in phone.drain()} == {96}


async def test_a_key_whose_end_is_lost_comes_by_itself(bench: Bench, phone: Phone, pressed: list[str]) -> None:
    stream = bench.stream(phone)
    stream.on_dtmf = lambda digit, duration: pressed.append(f"{digit}/{duration}")
    bench.deliver(stream, rtp(1, 160, event(9, 320), pt=EVENT, marker=True), phone.address)
    bench.advance(60)
    await asyncio.sleep(0)
    assert pressed == []
    assert await keys_of(bench, pressed) == ["9/320"]


async def test_flash_and_rubbish_are_no_keys(bench: Bench, phone: Phone, pressed: list[str]) -> None:
    stream = bench.stream(phone)
    stream.on_dtmf = lambda digit, duration: pressed.append(digit)
    for number, body in enumerate((event(16, 800, end=True), b"", b"\x01", b"\x01\x80\x01", event(255, 9, end=True))):
        bench.deliver(stream, rtp(number, 160 * number, body, pt=EVENT), phone.address)
    assert await keys_of(bench, pressed) == []


async def test_sent_keys_are_paced_with_one_timestamp_each_and_the_marker_first(bench: Bench, phone: Phone) -> None:
    stream = bench.stream(phone)
    stream.send_dtmf("1", 100, 60)
    stream.send_dtmf("#", 100, 60)
    counts = []
    for _ in range(25):
        bench.frame()
        counts.append(len(phone.drain()))
    heard = phone.drain()
    assert all(after - before <= 1 for before, after in pairwise(counts)), "one packet a frame"
    assert [packet.marker for packet in heard] == 2 * ([True] + 6 * [False])
    first_key, second_key = heard[:7], heard[7:]
    for key, code in ((first_key, 1), (second_key, 11)):
        bodies = [struct.unpack("!BBH", packet.payload) for packet in key]
        assert {body[0] for body in bodies} == {code}
        assert [body[1] >> 7 for body in bodies] == [0, 0, 0, 0, 1, 1, 1]
        assert [body[2] for body in bodies] == [160, 320, 480, 640, 800, 800, 800]
        assert len({packet.timestamp for packet in key}) == 1
    assert second_key[0].timestamp - first_key[0].timestamp & 0xFFFFFFFF >= 800 + 480
    assert [b.sequence - a.sequence & 0xFFFF for a, b in pairwise(heard)] == 13 * [1]


async def test_a_play_waits_for_keys_and_goes_on(bench: Bench, phone: Phone) -> None:
    done = ends()
    stream = bench.stream(phone)
    playback = stream.play("silence_stream://100", done.put_nowait)
    bench.advance(40)
    stream.send_dtmf("5", 60, 40)
    bench.advance(400)
    heard = phone.drain()
    assert [packet.payload_type for packet in heard] == [8, 8] + 5 * [EVENT] + 3 * [8]
    assert [packet.marker for packet in heard] == [True, False, True] + 4 * [False] + [True, False, False]
    assert playback.ms == 100
    assert await first(done) is PlayEnd.FINISHED


async def test_a_peer_without_telephone_event_hears_the_tone(bench: Bench, phone: Phone) -> None:
    stream = bench.stream(phone, event_type=None)
    stream.send_dtmf("5", 100)
    bench.advance(400)
    heard = phone.drain()
    assert len(heard) == 7
    assert {packet.payload_type for packet in heard} == {8}
    assert len(set(heard[0].payload)) > 20
    in_line(heard)


# ---- bridge ----------------------------------------------------------------------------------------------------------


async def test_a_bridge_carries_both_ways_in_its_own_numbers(bench: Bench, phone: Phone, other_phone: Phone) -> None:
    one, other = bench.stream(phone), bench.stream(other_phone)
    one.bridge(other)
    assert one.bridged_to is other
    for number in range(3):
        bench.advance(20)
        bench.deliver(one, rtp(number, 160 * number, bytes([number]) * 160), phone.address)
        bench.deliver(other, rtp(65_534 + number, 0xFFFFFF00 + 160 * number, b"\x55" * 160), other_phone.address)
    there, back = other_phone.drain(), phone.drain()
    assert [packet.payload for packet in there] == [bytes([number]) * 160 for number in range(3)]
    for packets, stream in ((there, other), (back, one)):
        assert len(packets) == 3
        assert packets[0].marker
        assert {packet.ssrc for packet in packets} == {stream.ssrc}
        assert stream.ssrc not in (0x1234, 0x9876)
        assert {b.timestamp - a.timestamp & 0xFFFFFFFF for a, b in pairwise(packets)} == {160}
        in_line(packets)


async def test_a_lost_packet_costs_one_frame_only(bench: Bench, phone: Phone, other_phone: Phone) -> None:
    """Item 11 of the must-test list."""
    one, other = bench.stream(phone), bench.stream(other_phone)
    one.bridge(other)
    for number in (0, 1, 2, 4, 5):
        bench.deliver(one, rtp(number, 160 * number, bytes([number]) * 160), phone.address)
    heard = other_phone.drain()
    assert [packet.payload[0] for packet in heard] == [0, 1, 2, 4, 5], "each goes on at once, nothing waits for the lost"
    assert [packet.sequence - heard[0].sequence & 0xFFFF for packet in heard] == [0, 1, 2, 4, 5]
    assert [packet.timestamp - heard[0].timestamp & 0xFFFFFFFF for packet in heard] == [0, 160, 320, 640, 800]
    assert one.stats.lost == 1


async def test_order_and_duplicates(bench: Bench, phone: Phone, other_phone: Phone) -> None:
    one, other = bench.stream(phone), bench.stream(other_phone)
    one.bridge(other)
    for number in (0, 2, 1, 3, 3, 4):
        bench.deliver(one, rtp(number, 160 * number, bytes([number]) * 160), phone.address)
    heard = sorted(other_phone.drain(), key=lambda packet: packet.sequence - other_phone.heard[0].sequence & 0xFFFF)
    assert [packet.payload[0] for packet in heard] == [0, 1, 2, 3, 4]
    assert (one.stats.out_of_order, one.stats.duplicates, one.stats.lost) == (1, 1, 0)


async def test_laws_are_translated(bench: Bench, phone: Phone, other_phone: Phone) -> None:
    one, other = bench.stream(phone, law=Law.PCMA), bench.stream(other_phone, law=Law.PCMU)
    one.bridge(other)
    body = bytes(range(160))
    bench.deliver(one, rtp(1, 160, body), phone.address)
    bench.deliver(other, rtp(1, 160, body.translate(ALAW_TO_MULAW), pt=0), other_phone.address)
    (there,), (back,) = other_phone.drain(), phone.drain()
    assert (there.payload_type, there.payload) == (0, body.translate(ALAW_TO_MULAW))
    assert back.payload_type == 8
    assert sum(a != b for a, b in zip(back.payload, body, strict=True)) <= 16


async def test_keys_cross_a_bridge_in_the_other_ones_payload_type(
    bench: Bench, phone: Phone, other_phone: Phone, pressed: list[str]
) -> None:
    one, other = bench.stream(phone, event_type=101), bench.stream(other_phone, event_type=96)
    one.on_dtmf = lambda digit, duration: pressed.append(digit)
    one.bridge(other)
    bench.deliver(one, rtp(1, 1000), phone.address)
    for number in range(4):
        body = event(5, 160 * (number + 1), end=number == 3)
        bench.deliver(one, rtp(2 + number, 1160, body, pt=101, marker=number == 0), phone.address)
    bench.deliver(one, rtp(6, 1800), phone.address)
    heard = other_phone.drain()
    assert [packet.payload_type for packet in heard] == [8, 96, 96, 96, 96, 8]
    assert [packet.marker for packet in heard] == [True, True, False, False, False, False]
    assert [packet.timestamp - heard[0].timestamp & 0xFFFFFFFF for packet in heard] == [0, 160, 160, 160, 160, 800]
    assert struct.unpack("!BBH", heard[4].payload) == (5, 0x8A, 640)
    assert await keys_of(bench, pressed) == ["5"]


@pytest.mark.parametrize(("event_type", "pass_dtmf"), [(EVENT, False), (None, True)])
async def test_keys_that_are_kept_back_leave_no_hole(
    bench: Bench, phone: Phone, other_phone: Phone, pressed: list[str], event_type: int | None, pass_dtmf: bool
) -> None:
    one, other = bench.stream(phone), bench.stream(other_phone, event_type=event_type)
    one.on_dtmf = lambda digit, duration: pressed.append(digit)
    one.bridge(other, pass_dtmf=pass_dtmf)
    bench.deliver(one, rtp(1, 1000), phone.address)
    for number in range(3):
        bench.deliver(one, rtp(2 + number, 1160, event(5, 160, end=number == 2), pt=EVENT), phone.address)
    bench.deliver(one, rtp(5, 1640), phone.address)
    heard = other_phone.drain()
    assert [packet.payload_type for packet in heard] == [8, 8]
    in_line(heard)
    assert await keys_of(bench, pressed) == ["5"]


async def test_a_new_start_of_the_peer_goes_on_in_our_line(bench: Bench, phone: Phone, other_phone: Phone) -> None:
    one, other = bench.stream(phone), bench.stream(other_phone)
    one.bridge(other)
    starts = ((10, 1000, 1), (40_000, 0xFFFFFFF0, 2), (5, 77, 2), (30_000, 5_000_000, 2))
    for sequence, timestamp, ssrc in starts:
        for number in range(2):
            bench.advance(20)
            bench.deliver(one, rtp(sequence + number, timestamp + 160 * number, ssrc=ssrc), phone.address)
    heard = other_phone.drain()
    assert len(heard) == 8
    assert [packet.marker for packet in heard] == 4 * [True, False]
    in_line(heard)


async def test_play_bridge_and_keys_share_one_line(bench: Bench, phone: Phone, other_phone: Phone) -> None:
    one, other = bench.stream(phone), bench.stream(other_phone)
    other.play("silence_stream://-1", lambda end: None)
    bench.advance(60)
    one.bridge(other)
    bench.deliver(one, rtp(1, 160), phone.address)
    assert len(other_phone.drain()) == 3, "the source has precedence"
    other.stop()
    for number in range(3):
        bench.advance(20)
        bench.deliver(one, rtp(2 + number, 320 + 160 * number), phone.address)
    other.send_dtmf("1", 60)
    bench.advance(200)
    bench.deliver(one, rtp(15, 160 * 15), phone.address)
    other.play("silence_stream://20", lambda end: None)
    bench.advance(60)
    bench.deliver(one, rtp(16, 160 * 16), phone.address)
    heard = other_phone.drain()
    assert [packet.payload_type for packet in heard] == 6 * [8] + 5 * [EVENT] + 3 * [8]
    assert [number for number, packet in enumerate(heard) if packet.marker] == [0, 3, 6, 11, 12, 13]
    assert [b.sequence - a.sequence & 0xFFFF for a, b in pairwise(heard)] == 13 * [1]
    audio = [packet for packet in heard if packet.payload_type == 8]
    assert all(b.timestamp - a.timestamp & 0xFFFFFFFF >= 160 for a, b in pairwise(audio))


async def test_own_sound_comes_after_relayed_sound_that_ran_ahead(
    bench: Bench, phone: Phone, other_phone: Phone
) -> None:
    one, other = bench.stream(phone), bench.stream(other_phone)
    one.bridge(other)
    for number in range(20):  # 400 ms of sound at once
        bench.deliver(one, rtp(number, 160 * number), phone.address)
    other.play("silence_stream://20", lambda end: None)
    bench.frame()
    in_line(other_phone.drain())
    assert len(other_phone.heard) == 21


async def test_unbridge_and_another_bridge(bench: Bench, phone: Phone, other_phone: Phone) -> None:
    one, other, third = bench.stream(phone), bench.stream(other_phone), bench.stream()
    one.bridge(other)
    third.bridge(one)
    assert other.bridged_to is None
    assert one.bridged_to is third
    one.unbridge()
    assert third.bridged_to is None
    bench.deliver(one, rtp(1, 160), phone.address)
    one.bridge(one)
    bench.deliver(one, rtp(2, 320), phone.address)
    assert other_phone.drain() == []
    assert phone.drain() == []
    third.close()
    one.bridge(third)
    assert one.bridged_to is None


async def test_comfort_noise_and_unknown_types_are_not_relayed(bench: Bench, phone: Phone, other_phone: Phone) -> None:
    one, other = bench.stream(phone), bench.stream(other_phone)
    one.bridge(other)
    for number, pt in enumerate((8, 13, 18, 111, 8)):
        bench.deliver(one, rtp(number, 160 * number, pt=pt), phone.address)
    heard = other_phone.drain()
    assert [packet.payload_type for packet in heard] == [8, 8]
    in_line(heard)


async def test_who_holds_is_not_heard(bench: Bench, phone: Phone, other_phone: Phone) -> None:
    one, other = bench.stream(phone), bench.stream(other_phone)
    one.bridge(other)
    one.set_remote(phone.address, Law.PCMA, EVENT, send=False, receive=False)
    bench.deliver(one, rtp(1, 160), phone.address)
    bench.deliver(other, rtp(1, 160), other_phone.address)
    assert phone.drain() == []
    assert other_phone.drain() == []


# ---- whose packets ---------------------------------------------------------------------------------------------------


async def test_a_stranger_is_neither_heard_nor_followed(
    bench: Bench, phone: Phone, other_phone: Phone, pressed: list[str]
) -> None:
    one, other = bench.stream(phone), bench.stream(other_phone)
    one.on_dtmf = lambda digit, duration: pressed.append(digit)
    one.bridge(other)
    bench.deliver(one, rtp(1, 160), phone.address)
    for number in range(2, 60):
        bench.advance(20)
        bench.deliver(one, rtp(number, 160 * number, b"\x2a" * 160, ssrc=0x1234), STRANGER)
        bench.deliver(one, rtp(number, 160 * number, event(1, 800, end=True), pt=EVENT, ssrc=7), STRANGER)
        bench.deliver(one, rtp(number, 160 * number), phone.address)
    assert one.remote == phone.address
    assert one.stats.foreign == 2 * 58
    heard = other_phone.drain()
    assert len(heard) == 59
    assert {packet.payload for packet in heard} == {b"\xd5" * 160}
    assert await keys_of(bench, pressed) == []


async def test_a_phone_behind_a_nat_is_found_and_found_again(bench: Bench, phone: Phone, other_phone: Phone) -> None:
    stream = bench.stream()
    stream.set_remote(("10.255.255.1", 4000), Law.PCMA, EVENT)
    bench.deliver(stream, rtp(1, 160), phone.address)
    stream.play("silence_stream://-1", lambda end: None)
    bench.advance(60)
    assert len(phone.drain()) == 3
    stream.set_remote(("10.255.255.1", 4000), Law.PCMA, EVENT)
    bench.advance(60)
    assert len(phone.drain()) == 6, "the same SDP again keeps what was learnt"
    bench.deliver(stream, rtp(2, 320), other_phone.address)
    bench.frame()
    assert len(other_phone.drain()) == 1, "the NAT gave it a new port; the SSRC is the same"
    assert stream.stats.source_changes == 1


async def test_after_two_seconds_of_silence_a_new_source_is_taken(bench: Bench, phone: Phone) -> None:
    stream = bench.stream(phone)
    bench.deliver(stream, rtp(1, 160), phone.address)
    bench.advance(1960)
    bench.deliver(stream, rtp(900, 9, ssrc=5), STRANGER)
    assert stream.remote == phone.address
    bench.advance(40)
    bench.deliver(stream, rtp(901, 169, ssrc=5), STRANGER)
    assert stream.remote == STRANGER


async def test_silence_is_told_once_until_rtp_comes_back(bench: Bench, phone: Phone) -> None:
    silences: list[float] = []
    stream = bench.stream(phone)
    stream.inactivity_seconds = 3
    stream.on_inactivity = silences.append
    bench.deliver(stream, rtp(1, 160), phone.address)
    for seconds in (2, 1, 1, 1):
        bench.advance(1000 * seconds)
        stream.check_inactivity(bench.pacer.clock)
    await asyncio.sleep(0)
    assert silences == [3.0]
    bench.deliver(stream, rtp(2, 320), phone.address)
    stream.check_inactivity(bench.pacer.clock)
    stream.set_remote(phone.address, Law.PCMA, EVENT, receive=False)
    bench.advance(5000)
    stream.check_inactivity(bench.pacer.clock)
    await asyncio.sleep(0)
    assert len(silences) == 1, "a held phone may be silent"
    stream.set_remote(phone.address, Law.PCMA, EVENT)
    stream.check_inactivity(bench.pacer.clock)
    bench.advance(3000)
    stream.check_inactivity(bench.pacer.clock)
    await asyncio.sleep(0)
    assert len(silences) == 2


# ---- the end ---------------------------------------------------------------------------------------------------------


async def test_close_ends_everything_and_a_closed_stream_is_harmless(
    bench: Bench, phone: Phone, other_phone: Phone, tmp_path: Path
) -> None:
    done, after = ends(), ends()
    stream, other = bench.stream(phone), bench.stream(other_phone)
    stream.bridge(other)
    stream.play(ENDLESS, done.put_nowait)
    stream.close()
    stream.close()
    assert await first(done) is PlayEnd.BROKEN
    assert other.bridged_to is None
    stream.play(ENDLESS, after.put_nowait)
    assert await first(after) is PlayEnd.BROKEN
    stream.send_dtmf("1")
    stream.set_remote(phone.address, Law.PCMU, None)
    stream.bridge(other)
    stream.stop()
    recorded: asyncio.Queue[object] = asyncio.Queue()
    stream.record(str(tmp_path / "a.wav"), done=recorded.put_nowait)
    async with asyncio.timeout(5):
        await recorded.get()
    bench.deliver(stream, rtp(1, 160), phone.address)
    bench.advance(100)
    assert phone.drain() == []


async def test_a_play_of_a_file_list_is_gapless_on_the_wire(bench: Bench, phone: Phone, tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", [4000] * 250)
    write_wav(tmp_path / "b.wav", [-4000] * 230)
    stream = bench.stream(phone)
    stream.play(f"file_string://{tmp_path}/a.wav!{tmp_path}/b.wav", lambda end: None)
    bench.advance(200)
    sound = b"".join(packet.payload for packet in phone.drain())
    assert len(sound) == 480
    assert len(set(sound[:250])) == 1
    assert len(set(sound[250:])) == 1
    assert sound[0] != sound[-1]
