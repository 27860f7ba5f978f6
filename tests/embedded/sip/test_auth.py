# SPDX-License-Identifier: Apache-2.0
"""Digest at our door: nonces, replay, stale answers, bans by wrong passwords and unknown names."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from engine.embedded.sip.agent import AuthOutcome, BanRules
from engine.embedded.sip.auth import DigestServer, NonceState, credentials_of, ha1, parse_digest
from engine.embedded.sip.bans import Bans
from engine.embedded.sip.syntax import MalformedMessage
from tests.embedded.sip.conftest import Switch, until
from tests.embedded.sip.phone import SDP, Msg, Phone

MakePhone = Callable[..., Awaitable[Phone]]


def test_rfc_2617_example() -> None:
    fields = parse_digest(
        'Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", uri="/dir/index.html", '
        'qop=auth, nc=00000001, cnonce="0a4f113b", response="6629fae49393a05397450978507c4ef1", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
    )
    assert fields is not None
    secret = ha1("Mufasa", "testrealm@host.com", "Circle Of Life")
    assert DigestServer.verify(fields, "GET", secret)
    assert not DigestServer.verify(fields, "POST", secret)
    assert not DigestServer.verify({**fields, "algorithm": "SHA-256"}, "GET", secret)
    assert not DigestServer.verify({**fields, "qop": "auth-int"}, "GET", secret)
    assert not DigestServer.verify({**fields, "response": "é"}, "GET", secret)


def test_nonces() -> None:
    clock = [100.0]
    server = DigestServer(lambda: clock[0], 60)
    challenge = parse_digest(server.challenge("t.test", "10.0.0.1"))
    assert challenge is not None
    fields = {"nonce": challenge["nonce"], "realm": "t.test", "qop": "auth", "nc": "00000001"}
    assert server.accept_nonce(fields, "10.0.0.2") is NonceState.STALE  # another address
    assert server.accept_nonce({**fields, "realm": "x"}, "10.0.0.1") is NonceState.STALE
    assert server.accept_nonce(fields, "10.0.0.1") is NonceState.GOOD
    assert server.accept_nonce(fields, "10.0.0.1") is NonceState.STALE  # replay
    assert server.accept_nonce({**fields, "nc": "00000003"}, "10.0.0.1") is NonceState.GOOD
    assert server.accept_nonce({**fields, "nc": "00000002"}, "10.0.0.1") is NonceState.STALE
    with pytest.raises(MalformedMessage):
        server.accept_nonce({**fields, "nc": "zz"}, "10.0.0.1")
    clock[0] += 61
    assert server.accept_nonce({**fields, "nc": "00000009"}, "10.0.0.1") is NonceState.STALE
    for nonce in ("", ".", "x", "..", "a.b.c", "é.é.é"):
        assert server.accept_nonce({**fields, "nonce": nonce}, "10.0.0.1") is NonceState.STALE
    old = parse_digest(server.challenge("t.test", "10.0.0.1"))
    assert old is not None
    without_qop = {"nonce": old["nonce"], "realm": "t.test"}
    assert server.accept_nonce(without_qop, "10.0.0.1") is NonceState.GOOD
    assert server.accept_nonce(without_qop, "10.0.0.1") is NonceState.STALE
    assert server.accept_nonce({**without_qop, "qop": "auth", "nc": "ffffffff"}, "10.0.0.1") is NonceState.STALE


def test_credentials() -> None:
    assert credentials_of(["Basic abc"]) is None
    with pytest.raises(MalformedMessage):
        credentials_of(['Digest username="u"'])


async def test_stale_nonce_is_challenged_again(switch: Switch, phone: MakePhone) -> None:
    a = await phone(internal=True)
    uri = "sip:t.test"
    raw = a.request("REGISTER", uri, to="<sip:101@t.test>", from_="<sip:101@t.test>;tag=1")
    a.send(raw)
    challenge = await a.get(401)
    name, value = a.credentials(challenge, "REGISTER", uri)
    a.send(a.again(raw, CSeq="2 REGISTER", **{name: value}))
    await a.get(200)
    a.send(a.again(raw, CSeq="3 REGISTER", **{name: value}))  # nc not counted up: a replay
    again = await a.get(401)
    assert "stale=true" in again.get("WWW-Authenticate")
    name, value = a.credentials(again, "REGISTER", uri)
    a.send(a.again(raw, CSeq="4 REGISTER", **{name: value}))
    await a.get(200)
    name, value = a.credentials(again, "REGISTER", uri, nc=2)
    a.send(a.again(raw, CSeq="5 REGISTER", **{name: value}))
    await a.get(200)
    assert switch.core.all("failed") == []


async def test_challenges_leave_nothing_behind(switch: Switch, phone: MakePhone) -> None:
    a = await phone(internal=True)
    for _ in range(50):
        invite = a.request("INVITE", body=SDP)
        a.send(invite)
        a.send(a.ack(invite, await a.get(407)))
        a.send(a.request("REGISTER", "sip:t.test"))
        await a.get(401)
    assert switch.agent.stack.transactions.servers == {}
    assert switch.core.asked == []


async def test_wrong_password_unknown_and_refused(switch: Switch, phone: MakePhone) -> None:
    a = await phone(internal=True)
    assert (await a.register(password="wrong")).code == 403
    assert (await a.register(user="999")).code == 403
    switch.core.answer_with = AuthOutcome.REFUSED
    assert (await a.register()).code == 403
    assert [(who, why) for who, _, why in switch.core.all("failed")] == [
        ("101@t.test", "wrong password"), ("999@t.test", "unknown account"), ("101@t.test", "refused"),
    ]  # fmt: skip
    assert switch.core.all("failed")[0][1] == (a.host, a.port)


async def test_ten_wrong_passwords(switch: Switch, phone: MakePhone) -> None:
    """The account is refused from there without a look at the password; its neighbour and other addresses go on."""
    a, neighbour = await phone(internal=True), await phone(internal=True, user="102")
    elsewhere = await phone(internal=True, host="127.0.0.8")
    for _ in range(10):
        assert (await a.register(password="wrong")).code == 403
    asked = len(switch.core.asked)
    assert (await a.register()).code == 403
    assert len(switch.core.asked) == asked
    assert switch.core.all("failed")[-1][2] == "banned"
    assert (await neighbour.register()).code == 200
    assert (await elsewhere.register()).code == 200
    switch.agent.guard.bans._wrong._banned[("127.0.0.1", "101@t.test")] = 0.0  # the minute is over
    assert (await a.register()).code == 200


async def test_thirty_unknown_names(switch: Switch, phone: MakePhone) -> None:
    known, stranger = await phone(internal=True), await phone(internal=True, user="102")
    await known.register()
    for number in range(30):
        assert (await stranger.register(user=f"9{number}")).code == 403
    asked = len(switch.core.asked)
    assert (await stranger.register(user="902")).code == 403
    assert (await stranger.register()).code == 403  # not seen from here before
    assert len(switch.core.asked) == asked
    assert (await known.register()).code == 200  # goes on, and goes on calling
    invite = known.request("INVITE", body=SDP)
    known.send(invite)
    challenge = await known.get(407)
    name, value = known.credentials(challenge, "INVITE", "sip:200@t.test")
    known.send(known.again(invite, CSeq="2 INVITE", **{name: value}))
    await switch.core.wait("incoming")


async def test_many_answers_at_once_do_not_slip_through(switch: Switch, phone: MakePhone) -> None:
    a = await phone(internal=True)
    switch.core.gate = asyncio.Event()
    uri = "sip:t.test"
    challenges: list[tuple[bytes, Msg]] = []
    for number in range(25):
        raw = a.request("REGISTER", uri, to="<sip:101@t.test>", from_=f"<sip:101@t.test>;tag={number}")
        a.send(raw)
        challenges.append((raw, await a.get(401)))
    for number, (raw, challenge) in enumerate(challenges):
        password = "secret" if number == 24 else f"guess{number}"
        name, value = a.credentials(challenge, "REGISTER", uri, password=password)
        a.send(a.again(raw, CSeq="2 REGISTER", **{name: value}))
    await until(lambda: len(switch.core.asked) == 25)
    switch.core.gate.set()
    for _ in range(25):
        assert (await a.final("REGISTER")).code == 403
    assert [why for *_, why in switch.core.all("failed")].count("wrong password") == 10


async def test_cancel_while_the_account_is_looked_up(switch: Switch, phone: MakePhone) -> None:
    a = await phone(internal=True)
    switch.core.gate = asyncio.Event()
    invite = a.request("INVITE", body=SDP, call_id="x", from_="<sip:101@t.test>;tag=1")
    a.send(invite)
    challenge = await a.get(407)
    name, value = a.credentials(challenge, "INVITE", "sip:200@t.test")
    invite = a.request("INVITE", body=SDP, call_id="x", from_="<sip:101@t.test>;tag=1", cseq=2, branch="z9hG4bKx", extra=[(name, value)])
    a.send(invite)
    await a.get(100)
    a.send(a.request("CANCEL", call_id="x", from_="<sip:101@t.test>;tag=1", cseq=2, branch="z9hG4bKx"))
    await a.get(200, method="CANCEL")
    a.send(a.ack(invite, await a.get(487)))
    switch.core.gate.set()
    await a.silence(0.2, 180)
    assert switch.core.calls == []


def test_ban_memory_is_bounded() -> None:
    clock = [0.0]
    bans = Bans(BanRules(remembered=100), lambda: clock[0])
    for number in range(10_000):
        bans.wrong_password(f"10.{number}", "u@d")
        bans.unknown_name(f"10.{number}")
        bans.trust(f"10.{number}", "u@d")
    assert len(bans._wrong._seen) == len(bans._unknown._seen) == len(bans._trusted) == 100


def test_the_window_slides_and_the_ban_ends() -> None:
    clock = [0.0]
    bans = Bans(BanRules(), lambda: clock[0])
    for _ in range(9):
        bans.wrong_password("a", "u@d")
    clock[0] = 61
    assert not bans.wrong_password("a", "u@d")
    assert not bans.refuses("a", "u@d")
    for _ in range(9):
        bans.wrong_password("a", "u@d")
    assert bans.refuses("a", "u@d")
    clock[0] += 59
    assert bans.refuses("a", "u@d")
    clock[0] += 2
    assert not bans.refuses("a", "u@d")
    for _ in range(9):
        bans.wrong_password("a", "u@d")
    bans.succeeded("a", "u@d")
    assert not bans.wrong_password("a", "u@d")
