# SPDX-License-Identifier: Apache-2.0
"""Headers, URIs and addresses in all the spellings RFC 3261 allows (torture cases of RFC 4475), and what must be refused."""

from __future__ import annotations

import pytest

from engine.embedded.sip.message import Request, build, build_response, parse
from engine.embedded.sip.nat import OwnAddresses, behind_nat, shown_address
from engine.embedded.sip.syntax import (
    MalformedMessage,
    format_name_addr,
    parse_name_addr,
    parse_params,
    parse_uri,
    parse_via,
    split_list,
)

HEAD = (
    "INVITE sip:u@d SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:u@d>\r\nCall-ID: c\r\n"
    "CSeq: 1 INVITE\r\n"
)


def request(text: str | bytes) -> Request:
    message = parse(text.encode() if isinstance(text, str) else text)
    assert isinstance(message, Request)
    return message


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("sip:user@example.com", ("sip", "user", "example.com", None)),
        ("SIP:user:pw@EXAMPLE.com:5070;transport=TCP;lr", ("sip", "user", "example.com", 5070)),
        ("sip:example.com", ("sip", "", "example.com", None)),
        ("sip:%31%32%33@[2001:db8::1]:5060", ("sip", "123", "2001:db8::1", 5060)),
        ("sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
         ("sip", "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*", "example.com", None)),
        ("sip:u@d;a=1;b?Replaces=x%3By&h=1", ("sip", "u", "d", None)),
        ("tel:+7-495-123.45(67);ext=1", ("tel", "+74951234567", "", None)),
        ("sips:u@d", ("sips", "u", "d", None)),
    ],
)  # fmt: skip
def test_uris(text: str, parts: tuple[str, str, str, int | None]) -> None:
    uri = parse_uri(text)
    assert (uri.scheme, uri.user, uri.host, uri.port) == parts
    assert parse_uri(str(uri)) == uri


@pytest.mark.parametrize("text", ["", "sip:", "u@d", "sip:u@", "sip:u@d:0", "sip:u@d:70000", "sip:u@d:5x", "sip:u@d d", "http://x",
                                  "sip:u@[::1", "tel:", "tel:xyz", "sip:u@d:٥", "sip:<u@d>"])  # fmt: skip
def test_bad_uris(text: str) -> None:
    with pytest.raises(MalformedMessage):
        parse_uri(text)


def test_name_addr() -> None:
    one = parse_name_addr('"Caller, \\"the\\" <one>" <sip:a@b;x=1>;tag=abc;q="a;b"')
    assert (one.display, one.uri_text, one.tag, one.params["q"]) == ('Caller, "the" <one>', "sip:a@b;x=1", "abc", "a;b")
    two = parse_name_addr("sip:a@b;tag=t")
    assert (two.uri_text, two.tag) == ("sip:a@b", "t")
    three = parse_name_addr("  Иван Петров   <sip:a@b> ; TAG=T")
    assert (three.display, three.tag) == ("Иван Петров", "T")
    for bad in ('"x" sip:a@b', "<sip:a@b", "", "<>", "a b c"):
        with pytest.raises(MalformedMessage):
            parse_name_addr(bad)
    tricky = 'a"b\\c\r\nEvil: 1'
    assert parse_name_addr(format_name_addr(tricky, "sip:a@b", "t")).display == 'a"b\\c Evil: 1'


def test_lists_and_params() -> None:
    assert split_list('"a,b" <sip:x,y@z>;t="1,2", <sip:c>, ,d') == ['"a,b" <sip:x,y@z>;t="1,2"', "<sip:c>", "d"]
    assert parse_params(';A=1;b;A=2;c="x;\\"y"') == {"a": "1", "b": "", "c": 'x;"y'}


def test_via() -> None:
    via = parse_via("SIP / 2.0 / TCP  [::1]:5061 ;branch=z9hG4bKx; rport")
    assert (via.transport, via.host, via.port, via.branch, via.params["rport"]) == ("tcp", "::1", 5061, "z9hG4bKx", "")
    for bad in ("", "SIP/2.0/UDP", "HTTP/1.1/TCP h", "SIP/2.0 h", "SIP/2.0/UDP h:x"):
        with pytest.raises(MalformedMessage):
            parse_via(bad)


def test_spellings_of_headers() -> None:
    message = request(
        "INVITE sip:u@d SIP/2.0\r\nv:SIP/2.0/UDP h;branch=z9hG4bK1\r\nFROM : <sip:a@b>;tag=1\r\nt:\r\n <sip:u@d>\r\ni:c\r\n"
        "CSEQ:\t1\r\n\tINVITE\r\nk: a, b\r\nSupported: C\r\nno colon here\r\nX-Empty:\r\nl:2\r\n\r\nabc"
    )
    message.check()
    assert message.cseq == (1, "INVITE")
    assert message.tokens("supported") == {"a", "b", "c"}
    assert message.header("x-EMPTY") == ""
    assert message.header("missing") is None
    assert message.body == b"ab"


def test_bare_line_feeds_are_forgiven() -> None:
    message = request(HEAD.replace("\r\n", "\n") + "\nbody")
    message.check()
    assert message.body == b"body"


def test_foreign_encodings_are_mirrored_byte_for_byte() -> None:
    name = "Иван".encode("cp1251")
    message = request(HEAD.encode().replace(b"<sip:a@b>", b'"' + name + b'" <sip:a@b>') + b"\r\n")
    message.check()
    assert name in build_response(message, 200)


@pytest.mark.parametrize("text", ["", "INVITE\r\n\r\n", "INVITE sip:x\r\n\r\n", "INVITE  SIP/2.0\r\n\r\n", "IN VITE x SIP/2.0\r\n\r\n",
                                  "SIP/2.0 20 OK\r\n\r\n", "SIP/2.0 ٢٠٠ OK\r\n\r\n", "SIP/1.0 200 OK\r\n\r\n", "SIP/2.0 099 x\r\n\r\n",
                                  "SIP/2.0 700 x\r\n\r\n", "A x SIP/2.0\r\nB: \0\r\n\r\n", "A x SIP/2.0\r\n" + "a: b\r\n" * 300 + "\r\n",
                                  "A x SIP/2.0\r\nB: c"])  # fmt: skip
def test_unreadable(text: str) -> None:
    with pytest.raises(MalformedMessage):
        parse(text.encode())


def test_nobody_smuggles_in_a_header() -> None:
    raw = build("X", [("A", "1\r\nEvil: 2"), ("B", "\n\n3"), ("C", "4\r")], b"body")
    assert raw.count(b"\r\n") == 6
    assert b"\nEvil" not in raw


def test_addresses_on_either_side_of_a_nat() -> None:
    def nat(contact: str, source: str) -> bool:
        return behind_nat(parse_uri(f"sip:u@{contact}"), (source, 5060))

    assert nat("192.168.1.2", "85.1.1.1")
    assert nat("10.0.0.2", "192.168.50.1")
    assert nat("100.64.0.1", "85.1.1.1")
    assert nat("127.0.0.1", "85.1.1.1")
    assert nat("abc123.invalid", "85.1.1.1")
    assert nat("[fe80::1]", "85.1.1.1")
    assert not nat("85.1.1.1", "85.1.1.1")
    assert not nat("85.1.1.9", "85.1.1.1")
    assert not nat("192.168.1.2", "192.168.1.2")
    assert not nat("127.0.0.5", "127.0.0.1")
    assert not nat("phone.example.com", "85.1.1.1")


def test_own_address_per_peer() -> None:
    own = OwnAddresses()
    assert shown_address("0.0.0.0", None, "127.0.0.7", own) == "127.0.0.1"
    assert shown_address("127.0.0.5", None, "127.0.0.7", own) == "127.0.0.5"
    assert shown_address("10.0.0.5", "85.1.1.1", "85.2.2.2", own) == "85.1.1.1"
    assert shown_address("10.0.0.5", "85.1.1.1", "10.0.0.9", own) == "10.0.0.5"
    assert shown_address("0.0.0.0", "10.0.0.5", "127.0.0.1", own) == "10.0.0.5"
    assert shown_address("0.0.0.0", "pbx.example.com", "127.0.0.1", own) == "pbx.example.com"
