# SPDX-License-Identifier: Apache-2.0
"""Telephone events: item 12 of the must-test list of the embedded switch."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.embedded.rtp.dtmf import DtmfReceiver, event_packets
from tests.embedded.rtp.conftest import event


class Keys:
    def __init__(self) -> None:
        self.pressed: list[tuple[str, int]] = []
        self.receiver = DtmfReceiver(lambda digit, duration: self.pressed.append((digit, duration)))
        self.clock = 0

    def packet(
        self, digit: int, timestamp: int, duration: int, *, end: bool = False, marker: bool = False, ssrc: int = 1
    ) -> None:
        self.clock += 160
        self.receiver.packet(marker << 7, timestamp, ssrc, event(digit, duration, end=end), self.clock)

    def wait(self, ms: int) -> None:
        self.clock += 8 * ms
        self.receiver.tick(self.clock)


@pytest.fixture
def keys() -> Keys:
    return Keys()


def test_one_key_is_reported_once_at_its_end(keys: Keys) -> None:
    keys.packet(5, 1000, 160, marker=True)
    keys.packet(5, 1000, 320)
    assert keys.pressed == []
    for _ in range(3):
        keys.packet(5, 1000, 480, end=True)
    keys.wait(1000)
    assert keys.pressed == [("5", 480)]


def test_a_late_end_packet_does_not_repeat_the_key(keys: Keys) -> None:
    keys.packet(5, 1000, 160)
    keys.packet(5, 1000, 320, end=True)
    keys.packet(6, 5000, 160)
    keys.packet(5, 1000, 320, end=True)
    keys.packet(6, 5000, 320, end=True)
    keys.packet(5, 1000, 320, end=True)
    keys.wait(1000)
    assert keys.pressed == [("5", 320), ("6", 320)]


def test_an_overtaken_key_does_not_split_the_one_being_pressed(keys: Keys) -> None:
    keys.packet(6, 5000, 160)
    keys.packet(5, 1000, 320)
    keys.packet(6, 5000, 320, end=True)
    keys.wait(1000)
    assert keys.pressed == [("6", 320)]


def test_the_first_packet_may_be_the_end(keys: Keys) -> None:
    keys.packet(11, 1000, 800, end=True)
    assert keys.pressed == [("#", 800)]


def test_all_end_packets_lost_then_another_key(keys: Keys) -> None:
    keys.packet(1, 1000, 160)
    keys.packet(1, 1000, 320)
    keys.packet(1, 4000, 160, marker=True)
    assert keys.pressed == [("1", 320)]
    keys.packet(1, 4000, 320, end=True)
    assert keys.pressed == [("1", 320), ("1", 320)]


def test_all_end_packets_lost_then_silence(keys: Keys) -> None:
    keys.packet(10, 1000, 320)
    keys.wait(60)
    assert keys.pressed == []
    keys.wait(60)
    assert keys.pressed == [("*", 320)]
    keys.packet(10, 1000, 640, end=True)
    keys.wait(1000)
    assert keys.pressed == [("*", 320)], "the same press came back to life"


def test_short_payloads_flash_and_unknown_events_are_ignored(keys: Keys) -> None:
    for payload in (b"", b"\x05", b"\x05\x8a\x01"):
        keys.receiver.packet(0, 1000, 1, payload, 0)
    keys.packet(16, 2000, 160, marker=True)
    keys.packet(16, 2000, 320, end=True)
    keys.packet(200, 3000, 320, end=True)
    keys.wait(1000)
    assert keys.pressed == []


def test_all_sixteen_keys(keys: Keys) -> None:
    for code in range(16):
        keys.packet(code, 10_000 * code + 7, 400, end=True)
    assert "".join(digit for digit, _ in keys.pressed) == "0123456789*#ABCD"


def test_a_very_long_press_in_segments_is_one_key(keys: Keys) -> None:
    """RFC 4733 section 2.5.1.3: when the duration is full, a new segment begins without marker."""
    keys.packet(7, 0, 0xFF00, marker=True)
    keys.packet(7, 0, 0xFFFF)
    keys.packet(7, 0xFFFF, 160)
    keys.packet(7, 0xFFFF, 320, end=True)
    assert [digit for digit, _ in keys.pressed] == ["7"]


def test_a_new_ssrc_starts_anew(keys: Keys) -> None:
    keys.packet(3, 9_000, 320, end=True)
    keys.packet(4, 500, 320, end=True, ssrc=2)
    assert [digit for digit, _ in keys.pressed] == ["3", "4"]


def test_timestamps_wrap_between_two_keys(keys: Keys) -> None:
    keys.packet(3, 0xFFFFFF00, 320, end=True)
    keys.packet(4, 0x00000200, 320, end=True)
    assert [digit for digit, _ in keys.pressed] == ["3", "4"]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2**32 - 1), st.binary(max_size=8)), max_size=30))
def test_nothing_raises(packets: list[tuple[bool, int, bytes]]) -> None:
    keys = Keys()
    for marker, timestamp, payload in packets:
        keys.receiver.packet(marker << 7, timestamp, 1, payload, keys.clock)
    keys.wait(500)
    assert len(keys.pressed) <= len(packets)
    assert not keys.receiver.active


def test_sent_keys_grow_and_end_three_times() -> None:
    packets = list(event_packets("5", 100, 60))
    bodies = [struct.unpack("!BBH", packet.payload) for packet in packets if packet.payload is not None]
    assert [duration for _, _, duration in bodies] == [160, 320, 480, 640, 800, 800, 800]
    assert [flags >> 7 for _, flags, _ in bodies] == [0, 0, 0, 0, 1, 1, 1]
    assert {code for code, _, _ in bodies} == {5}
    assert [packet.first for packet in packets if packet.payload is not None] == [True] + 6 * [False]
    assert packets[-1].payload is None, "a gap after the key"


def test_pauses_and_strange_characters() -> None:
    assert sum(packet.payload is None for packet in event_packets("w", 100, 60)) == 25
    assert sum(packet.payload is None for packet in event_packets("W", 100, 60)) == 50
    assert list(event_packets("xyz!", 100, 60)) == []
    assert [packet.digit for packet in event_packets("a#", 40, 20) if packet.first] == ["A", "#"]
