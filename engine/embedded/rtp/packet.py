# SPDX-License-Identifier: Apache-2.0
"""The RTP fixed header (RFC 3550 section 5.1), read and written by Stream for every packet."""

import struct

HEADER = struct.Struct("!BBHII")
VERSION_2 = 0x80
MARKER = 0x80
MAX_DATAGRAM = 2048

_unpack = HEADER.unpack_from
_u16 = struct.Struct("!H").unpack_from

Packet = tuple[int, int, int, int, int, bytes]
"""marker (0 or 0x80), payload type, sequence number, timestamp, SSRC, payload."""


def parse(data: bytes) -> Packet | None:
    """None for everything that is no RTP: short, another version, RTCP, lying about CSRCs, extension or padding."""
    if len(data) < 12:
        return None
    first, second, sequence, timestamp, ssrc = _unpack(data)
    if first == VERSION_2:
        payload = data[12:]
    else:
        if first & 0xC0 != VERSION_2:
            return None
        start, end = 12 + 4 * (first & 0x0F), len(data)
        if first & 0x10:
            if end < start + 4:
                return None
            start += 4 + 4 * _u16(data, start + 2)[0]
        if first & 0x20:
            end -= data[-1]
            if data[-1] == 0:
                return None
        if start > end:
            return None
        payload = data[start:end]
    payload_type = second & 0x7F
    if 72 <= payload_type <= 79:  # RTCP packet types 200…207 on the RTP port (RFC 5761)
        return None
    return second & MARKER, payload_type, sequence, timestamp, ssrc, payload


def ahead(one: int, other: int) -> int:
    """How far timestamp `one` is after `other`, negative when before; wraps at 32 bits."""
    return ((one - other + 0x80000000) & 0xFFFFFFFF) - 0x80000000


def ahead16(one: int, other: int) -> int:
    """The same for sequence numbers."""
    return ((one - other + 0x8000) & 0xFFFF) - 0x8000
