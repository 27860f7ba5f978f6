# SPDX-License-Identifier: Apache-2.0
"""The frame parser: any chunking gives the same frames, limits hold, a broken stream says so."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.esl.frame import (
    Frame,
    FrameError,
    FrameParser,
    encode_frame,
    encode_plain_event,
    parse_plain_event,
)

names = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,15}", fullmatch=True).filter(lambda name: not name.lower().startswith("content"))
values = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0"), max_size=40)
frames = st.tuples(
    st.dictionaries(names, values, max_size=5), st.sampled_from(["text/event-json", "api/response"]), st.binary(max_size=300)
)


def build(parts: list[tuple[dict[str, str], str, bytes]], gaps: list[int]) -> bytes:
    out = b""
    for number, (headers, kind, body) in enumerate(parts):
        out += b"\n" * (gaps[number] if number < len(gaps) else 0)
        out += encode_frame({**headers, "Content-Type": kind}, body)
    return out


def parse(chunks: list[bytes], **options: int) -> list[Frame]:
    parser = FrameParser(**options)  # type: ignore[arg-type]  # only whole numbers are given
    return [frame for chunk in chunks for frame in parser.feed(chunk)]


def cut(stream: bytes, points: list[int]) -> list[bytes]:
    edges = [0, *sorted(point % (len(stream) + 1) for point in points), len(stream)]
    return [stream[a:b] for a, b in pairwise(edges)]


@given(st.lists(frames, max_size=6), st.lists(st.integers(0, 3), max_size=6), st.lists(st.integers(0, 10_000), max_size=20))
def test_any_chunking_gives_the_frames_that_were_sent(
    parts: list[tuple[dict[str, str], str, bytes]], gaps: list[int], points: list[int]
) -> None:
    stream = build(parts, gaps)
    found = parse(cut(stream, points), buffer=64)
    assert [(frame.content_type, frame.body) for frame in found] == [(kind, body) for _, kind, body in parts]
    for frame, (headers, _, _) in zip(found, parts, strict=True):
        for name, value in {name.lower(): value for name, value in headers.items()}.items():
            assert frame.headers[name] == value.strip(" \t\x0b\x0c")
    assert found == parse([stream]) == parse([stream[i : i + 1] for i in range(len(stream))])


PIECES = [b"\n", b"\n\n", b"a: b", b"x", b":", b"Content-Length: 3", b"content-length:7", b"Content-Length: 101", b"zz" * 40]


def outcome(chunks: list[bytes]) -> tuple[list[Frame], bool]:
    parser = FrameParser(buffer=32, max_head=60, max_body=100)
    found: list[Frame] = []
    try:
        for chunk in chunks:
            for frame in parser.feed(chunk):
                found.append(frame)  # extend would lose what came before the error
    except FrameError:
        return found, True
    return found, False


@given(
    st.lists(st.sampled_from(PIECES), max_size=25),
    st.lists(st.integers(0, 10_000), max_size=10),
)
def test_broken_streams_break_at_the_same_frame_however_they_are_cut(pieces: list[bytes], points: list[int]) -> None:
    stream = b"".join(pieces)
    assert outcome(cut(stream, points)) == outcome([stream])


@pytest.mark.parametrize(
    "stream",
    [
        b"Content-Length: five\n\n",
        b"Content-Length: -5\n\n",
        b"Content-Length: +5\n\n",
        b"Content-Length: 1_0\n\n",
        b"Content-Length: \xd9\xa3\n\n",
        b"Content-Length: " + b"9" * 5000 + b"\n\n",
        b"Content-Length: 99999999\n\n",
        b"no colon here\n\n",
        b"x: " + b"y" * 70_000 + b"\n\n",
        b"y" * 70_000,
    ],
    ids=lambda stream: stream[:24].decode("latin-1"),
)
def test_a_stream_that_cannot_be_understood_raises(stream: bytes) -> None:
    with pytest.raises(FrameError):
        parse([stream])


def test_a_length_beyond_the_limit_takes_no_memory() -> None:
    parser = FrameParser(max_body=1_000_000)
    with pytest.raises(FrameError, match="longer than 1000000"):
        list(parser.feed(b"Content-Length: 1000001\n\n"))
    assert parser.capacity == 256 * 1024


def test_the_buffer_grows_for_a_large_frame_and_shrinks_after_it() -> None:
    parser = FrameParser(buffer=32 * 1024)
    body = random.Random(1).randbytes(3_000_000)
    stream = encode_frame({"Content-Type": "api/response"}, body)
    found = [frame for i in range(0, len(stream), 50_000) for frame in parser.feed(stream[i : i + 50_000])]
    assert [frame.body for frame in found] == [body]
    assert parser.capacity > 3_000_000
    assert [frame.body for frame in parser.feed(encode_frame({"Content-Type": "a/b"}, b"small"))] == [b"small"]
    assert len(parser.get_buffer()) > 0
    assert parser.capacity == 32 * 1024


def test_bytes_of_an_unfinished_frame_stay_pending() -> None:
    parser = FrameParser()
    assert list(parser.feed(b"Content-Length: 4\n\nab")) == []
    assert parser.pending == 2
    assert [frame.body for frame in parser.feed(b"cd\n\n")] == [b"abcd"]
    assert list(parser.feed(b"\n\n")) == []
    assert parser.pending == 0


def test_commands_are_read_with_their_headers_and_body() -> None:
    stream = b"\napi uuid_kill 1: 2\n\nsendmsg u-1\ncall-command: execute\ncontent-length: 3\n\nabcexit\n\n"
    kill, send, leave = FrameParser(commands=True).feed(stream)
    assert kill.command == "api uuid_kill 1: 2"
    assert kill.headers == {}
    assert (send.command, send.headers["call-command"], send.body) == ("sendmsg u-1", "execute", b"abc")
    assert leave.command == "exit"


@pytest.mark.parametrize("headers", [{"a\nb": "c"}, {"a": "b\nc: d"}, {"a": "b\r"}, {"a": "\0"}])
def test_a_header_cannot_be_injected(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="line ends"):
        encode_frame(headers)


def test_the_length_is_the_bodys() -> None:
    assert encode_frame({"Content-Length": "7", "A": "b"}, "ёж".encode()) == "Content-Length: 4\nA: b\n\nёж".encode()
    assert encode_frame({"Reply-Text": "+OK"}) == b"Reply-Text: +OK\n\n"


plain_values = st.text(st.characters(codec="utf-8"), max_size=40).map(lambda text: text.strip())


@given(st.dictionaries(names, plain_values, max_size=8), st.text(st.characters(codec="utf-8"), max_size=50))
def test_plain_events_come_back_as_they_were(headers: dict[str, str], body: str) -> None:
    found = parse_plain_event(encode_plain_event(headers, body))
    if body:
        assert found.pop("_body") == body
        assert found.pop("Content-Length") == str(len(body.encode()))
    assert found == headers


def test_an_encoded_line_end_makes_no_header() -> None:
    assert parse_plain_event(b"A: x%0AB: y\nC: %D0%98\n\n") == {"A": "x\nB: y", "C": "И"}


def test_a_broken_plain_event_raises() -> None:
    with pytest.raises(FrameError):
        parse_plain_event(b"A: x\nnonsense\n\n")
