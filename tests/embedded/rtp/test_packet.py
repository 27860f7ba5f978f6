# SPDX-License-Identifier: Apache-2.0
"""Reading RTP headers: what counts as a packet, and that nothing raises."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from engine.embedded.rtp.packet import ahead, ahead16, parse

BODY = bytes(range(160))


def packet(first: int = 0x80, pt: int = 8) -> bytes:
    return struct.pack("!BBHII", first, pt, 7, 160, 99)


def test_a_plain_packet() -> None:
    assert parse(packet(pt=0x88) + BODY) == (0x80, 8, 7, 160, 99, BODY)


def test_contributors_extension_and_padding_are_left_out() -> None:
    extension = struct.pack("!HH", 0xBEDE, 2) + bytes(8)
    data = packet(0x80 | 0x20 | 0x10 | 2) + bytes(8) + extension + BODY + b"\0\0\0\x04"
    assert parse(data) == (0, 8, 7, 160, 99, BODY)


def test_what_is_no_rtp() -> None:
    assert parse(b"") is None
    assert parse(b"\x80\x08\0\x07") is None
    assert parse(packet(0x40) + BODY) is None, "version 1"
    assert parse(packet(0x8F) + b"abc") is None, "fifteen contributors in three bytes"
    assert parse(packet(0x90) + b"\xbe\xde") is None, "half an extension header"
    assert parse(packet(0x90) + b"\xbe\xde\xff\xff" + BODY) is None, "an extension longer than the packet"
    assert parse(packet(0xA0) + b"\0" * 20) is None, "padding of length 0"
    assert parse(packet(0xA0) + b"\0\0\xff") is None, "padding longer than the packet"
    assert parse(packet(pt=200 & 0x7F | 0x80) + BODY) is None, "an RTCP sender report"


@given(st.binary(max_size=80))
def test_no_bytes_raise(data: bytes) -> None:
    found = parse(data)
    assert found is None or len(found[5]) <= len(data) - 12


def test_differences_wrap() -> None:
    assert ahead(5, 0xFFFFFFFB) == 10
    assert ahead(0xFFFFFFFB, 5) == -10
    assert ahead16(2, 0xFFFF) == 3
    assert ahead16(0xFFFF, 2) == -3
