# SPDX-License-Identifier: Apache-2.0
"""Session descriptions: what we take from an offer, what our answer mirrors (must-test 7), what we decline."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.embedded.sip.sdp import (
    Codec,
    Direction,
    NoCommonCodec,
    SdpError,
    Session,
    answer,
    offer,
    parse_answer,
    parse_offer,
)

BOTH = [Codec.PCMA, Codec.PCMU]


def described(*media: str, session: str = "c=IN IP4 10.0.0.1\r\n") -> bytes:
    return ("v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\n" + session + "t=0 0\r\n" + "".join(m + "\r\n" for m in media)).encode()


@pytest.mark.parametrize("payload_type", [96, 101, 127])
def test_telephone_event_mirrors_the_offer(payload_type: int) -> None:
    """Must-test 7."""
    theirs = parse_offer(described(f"m=audio 5000 RTP/AVP 18 0 8 {payload_type}", f"a=rtpmap:{payload_type} telephone-event/8000"))
    assert theirs.codecs == (Codec.PCMU, Codec.PCMA)
    body, media = answer(theirs, "10.9.9.9", 6000, BOTH)
    text = body.decode()
    assert f"m=audio 6000 RTP/AVP 0 {payload_type}\r\n" in text
    assert f"a=rtpmap:{payload_type} telephone-event/8000" in text
    assert media.telephone_event == payload_type
    assert (media.address, media.port, media.codec) == ("10.0.0.1", 5000, Codec.PCMU)


def test_no_telephone_event_offered_none_answered() -> None:
    body, media = answer(parse_offer(described("m=audio 5000 RTP/AVP 8")), "10.9.9.9", 6000, BOTH)
    assert b"telephone-event" not in body
    assert media.telephone_event is None
    wide = parse_offer(described("m=audio 5000 RTP/AVP 8 100", "a=rtpmap:100 telephone-event/16000"))
    assert wide.telephone_event is None


def test_codecs_in_the_order_of_the_offer_among_the_wanted() -> None:
    theirs = parse_offer(described("m=audio 5000 RTP/AVP 0 8"))
    assert answer(theirs, "1.1.1.1", 2, BOTH)[1].codec is Codec.PCMU
    assert answer(theirs, "1.1.1.1", 2, [Codec.PCMA])[1].codec is Codec.PCMA
    with pytest.raises(NoCommonCodec):
        answer(parse_offer(described("m=audio 5000 RTP/AVP 18 9")), "1.1.1.1", 2, BOTH)
    with pytest.raises(NoCommonCodec):
        answer(parse_offer(described("m=audio 5000 RTP/SAVP 8")), "1.1.1.1", 2, BOTH)
    assert parse_offer(described("m=audio 5000 RTP/AVP 8", "a=rtpmap:8 G729/8000")).codecs == ()


def test_other_lines_are_declined_in_place() -> None:
    theirs = parse_offer(
        described("m=video 7000 RTP/AVP 96 97", "m=audio 0 RTP/AVP 8", "m=audio 5000 RTP/AVP 8", "m=image 9 udptl t38")
    )
    assert theirs.port == 5000
    lines = [line for line in answer(theirs, "1.1.1.1", 2, BOTH)[0].decode().split("\r\n") if line.startswith("m=")]
    assert lines == ["m=video 0 RTP/AVP 96 97", "m=audio 0 RTP/AVP 8", "m=audio 2 RTP/AVP 8", "m=image 0 UDPTL t38"]


@pytest.mark.parametrize(
    ("theirs", "wanted", "ours"),
    [("sendrecv", "sendrecv", "sendrecv"), ("sendonly", "sendrecv", "recvonly"), ("recvonly", "sendrecv", "sendonly"),
     ("inactive", "sendrecv", "inactive"), ("sendrecv", "sendonly", "sendonly"), ("sendonly", "sendonly", "inactive")],
)  # fmt: skip
def test_direction(theirs: str, wanted: str, ours: str) -> None:
    parsed = parse_offer(described("m=audio 5000 RTP/AVP 8", f"a={theirs}"))
    body, media = answer(parsed, "1.1.1.1", 2, BOTH, Direction(wanted))
    assert f"a={ours}\r\n" in body.decode()
    assert media.direction is Direction(theirs)


def test_hold_of_old_phones_and_session_level_direction() -> None:
    assert parse_offer(described("m=audio 5000 RTP/AVP 8", "c=IN IP4 0.0.0.0")).direction is Direction.SENDONLY
    assert parse_offer(described("m=audio 5000 RTP/AVP 8", session="c=IN IP4 1.1.1.1\r\na=inactive\r\n")).direction is Direction.INACTIVE
    assert parse_offer(described("m=audio 5000 RTP/AVP 8", "a=ptime:30")).ptime == 30


def test_our_offer_and_their_answer() -> None:
    session = Session()
    first, second = offer("10.1.1.1", 4000, BOTH, session=session).decode(), offer("10.1.1.1", 4000, BOTH, session=session).decode()
    assert "m=audio 4000 RTP/AVP 8 0 101\r\n" in first
    assert first.split("\r\n")[1].split()[1] == second.split("\r\n")[1].split()[1]
    assert int(second.split("\r\n")[1].split()[2]) == int(first.split("\r\n")[1].split()[2]) + 1
    media = parse_answer(described("m=audio 5000 RTP/AVP 0 99", "a=rtpmap:99 telephone-event/8000", "a=recvonly"), BOTH)
    assert (media.codec, media.telephone_event, media.direction) == (Codec.PCMU, 99, Direction.RECVONLY)
    assert parse_answer(described("m=audio 0 RTP/AVP 8"), BOTH).port == 0
    assert parse_answer(described("m=audio 0 RTP/AVP 19"), BOTH).port == 0
    for bad in (described("m=audio 5 RTP/AVP 18"), described("m=video 5 RTP/AVP 8"), described("m=audio 5 RTP/AVP 8", session="")):
        with pytest.raises(SdpError):
            parse_answer(bad, BOTH)
    assert "IN IP6 ::1" in offer("::1", 4000, BOTH).decode()


@pytest.mark.parametrize("body", [b"", b"x", b"v=0", b"v=0\r\n", b"\xff" * 50, described("m=audio x RTP/AVP 8"), described("m=audio"),
                                  described("m=audio 99999 RTP/AVP 8"), described("m=audio 5 RTP/AVP 8", "c=foo"),
                                  described(*["m=audio 5 RTP/AVP 8"] * 40)])  # fmt: skip
def test_what_is_no_description(body: bytes) -> None:
    with pytest.raises(SdpError):
        parse_offer(body)


@given(st.binary(max_size=300), st.integers(0, 200), st.integers(1, 40))
def test_damaged_descriptions_raise_nothing_else(noise: bytes, position: int, length: int) -> None:
    good = described("m=audio 5000 RTP/AVP 8 0 101", "a=rtpmap:101 telephone-event/8000", "a=sendonly", "a=ptime:20")
    body = good[:position] + noise + good[position + length :]
    try:
        parsed = parse_offer(body)
        answer(parsed, "10.0.0.1", 4000, BOTH)
        parse_answer(body, BOTH)
    except SdpError:
        pass
