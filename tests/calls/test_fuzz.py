# SPDX-License-Identifier: Apache-2.0
"""A running PBX with live calls is thrown mutated SIP datagrams and event socket frames through its sockets, and takes no notice.

Seeds are printed; VATS_FUZZ_SEED repeats a run. The full numbers are `slow`; a fifth of them is part of every run.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.db import models
from engine.people import ContactWish
from tests.calls import fuzzing
from tests.calls.apart import Apart, ApartPbx, apart
from tests.calls.installation import REAL
from tests.calls.load import PACKET_NS, LoadPhone, speaking
from tests.embedded.telephone import Answering, Talk

pytestmark = pytest.mark.skipif(REAL, reason="FreeSWITCH is not ours to fuzz")

CALLS = 5
FULL = 100_000
MIB = 1024 * 1024
LARGEST_GROWTH = 20 * MIB
sizes = pytest.mark.parametrize("count", [FULL // 5, pytest.param(FULL, marks=pytest.mark.slow)])


@pytest.fixture
def rng() -> random.Random:
    seed = int(os.environ.get("VATS_FUZZ_SEED") or random.SystemRandom().randrange(2**32))
    print(f"VATS_FUZZ_SEED={seed}")
    return random.Random(seed)


@dataclass
class Pair:
    """A talk between two employees."""

    caller: LoadPhone
    callee: LoadPhone
    talk: Talk
    answering: Answering

    @property
    def phones(self) -> tuple[LoadPhone, LoadPhone]:
        return self.caller, self.callee


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[ApartPbx]:
    async with apart(tmp_path) as made:
        for index in range(CALLS + 1):
            for extension in (f"20{index}", f"30{index}"):
                await made.user(extension, ContactWish(kind="sip", address=extension, timeout_seconds=30))
        yield made
        assert list(fuzzing.complaints(made.house.log.read_text())) == []
        assert list(fuzzing.complaints((made.house.settings.state / "switch" / "switch.log").read_text())) == []


@contextlib.asynccontextmanager
async def talking(office: ApartPbx) -> AsyncIterator[list[Pair]]:
    """Five talks and a sixth; all twelve phones speak all the time."""
    pairs: list[Pair] = []
    phones: list[LoadPhone] = []
    mouth = asyncio.create_task(speaking(phones))
    try:
        for index in range(CALLS + 1):
            caller, callee = (LoadPhone(office.internal, n, office.domain, office.passwords[n]) for n in (f"20{index}", f"30{index}"))
            phones += [await callee.open(office.phones_at), await caller.open(office.phones_at)]
            assert (await callee.register()).code == 200
            talk = await caller.call(callee.user)
            answering = await callee.takes()
            await answering.answer()
            await talk.answered()
            pairs.append(Pair(caller, callee, talk, answering))
        for phone in phones:
            await phone.hears_on(time.time_ns())
        yield pairs
    finally:
        mouth.cancel()
        await asyncio.gather(mouth, return_exceptions=True)
        for phone in phones:
            phone.close()


@contextlib.asynccontextmanager
async def watching(office: ApartPbx, talks: list[Pair]) -> AsyncIterator[fuzzing.Watch]:
    """While the block runs: a phone registers again and again, memory is looked at. Afterwards: all talk, all has been answered."""
    house = office.house
    assert house.engine is not None
    watch = fuzzing.Watch({"engine": house.engine.pid, "switch": house.switch_pid})
    phone = LoadPhone(office.internal, "305", office.domain, office.passwords["305"])
    await phone.open(office.phones_at)

    done = asyncio.Event()

    async def register() -> None:
        while not done.is_set():
            await registration(phone, watch)
            watch.look()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), 0.5)

    began = time.time_ns()
    task = asyncio.create_task(register())
    try:
        yield watch
        done.set()
        await task
        await registration(phone, watch)
        watch.look()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        phone.close()
    now = time.time_ns()
    for pair in talks:
        for one in pair.phones:
            assert not one.over.is_set()
            await one.hears_on(now)
    gaps = {one.user: largest_gap(one, began, now) for pair in talks for one in pair.phones}
    heard = {one.user: share(one, began, now) for pair in talks for one in pair.phones}
    print(f"{(now - began) / 1e9:.1f} s; largest gap {max(gaps.values()):.0f} ms, least heard {min(heard.values()):.3f};")
    print(f"{watch.registered} registrations, slowest answer {watch.slowest * 1000:.0f} ms;")
    print("; ".join(f"{name} grew {grown / MIB:.1f} MiB from {watch.before[name] / MIB:.0f}" for name, grown in watch.growth.items()))
    assert min(heard.values()) > 0.95, heard
    assert max(gaps.values()) < 1000, gaps
    assert watch.registered >= 2
    assert watch.slowest <= 1.0
    assert max(watch.growth.values()) <= LARGEST_GROWTH, watch.growth


async def registration(phone: LoadPhone, watch: fuzzing.Watch) -> None:
    """A REGISTER, its challenge, the answer: both within the time allowed."""
    began = time.monotonic()
    assert (await phone.register()).code == 200
    watch.answered(began)


def share(phone: LoadPhone, since: int, until: int) -> float:
    """Of what was said to a phone in that time, as far as it is known from what arrived, the share that arrived."""
    numbers = [p.number for p in phone.got if since <= p.sent <= until]
    return len(set(numbers)) / (max(numbers) - min(numbers) + 1) if numbers else 0.0


def largest_gap(phone: LoadPhone, since: int, until: int) -> float:
    """Milliseconds between two packets, less what the one who spoke was late."""
    came = [p for p in phone.got if since <= p.arrived <= until]
    late = [b.sent - a.sent - (b.number - a.number) * PACKET_NS for a, b in itertools.pairwise(came)]
    return max(b.arrived - a.arrived - max(0, behind) for (a, b), behind in zip(itertools.pairwise(came), late, strict=True)) / 1e6


async def still_served(office: ApartPbx, pairs: list[Pair]) -> None:
    """The engine knows its calls, takes another one, and closes them all."""
    await office.until(lambda calls: len([c for c in calls if c["talk_started_at"]]) >= CALLS)
    known = {c["caller"] for c in await office.live()}
    assert {p.caller.user for p in pairs[:CALLS]} <= known
    for pair in pairs[:CALLS]:
        await pair.talk.hang_up()
        await asyncio.wait_for(pair.callee.over.wait(), 10)
    await office.house.ask("hupall NORMAL_CLEARING")  # the sixth, which may not understand its phones any more
    await office.until(lambda calls: not calls)
    one, other = pairs[0].phones
    for phone in (one, other):  # a strange event may have told of another address; as phones do every few minutes
        assert (await phone.register()).code == 200
    again = await one.call(other.user)
    try:
        answering = await other.takes()
    except TimeoutError:
        record = await models.CallRecord.of(office.account).order_by("-id").first()
        raise AssertionError(f"not rung: {await office.live()}\n{record and record.trace}") from None
    await answering.answer()
    await again.answered()
    await office.until(lambda calls: len(calls) == 1)
    await again.hang_up()
    await office.until(lambda calls: not calls)


# -- SIP -----------------------------------------------------------------------------------------------------------------------


def of_a_talk(pair: Pair) -> list[bytes]:
    """Good requests within a talk, of either side; none that would end it."""
    assert pair.talk.response is not None
    caller, callee, invite, response = pair.caller, pair.callee, pair.talk.invite, pair.talk.response
    dtmf, signal = [("Content-Type", "application/dtmf-relay")], "Signal=1\r\nDuration=100\r\n"
    refer = [("Refer-To", "<sip:555@nowhere.test?Replaces=abc%40x%3Bto-tag%3Dt1%3Bfrom-tag%3Df1>")]
    made = [
        caller.in_dialog("INVITE", invite, response, cseq=20, body=caller.sdp()), caller.in_dialog("UPDATE", invite, response, cseq=21),
        caller.in_dialog("INFO", invite, response, cseq=22, body=signal, extra=dtmf),
        caller.in_dialog("OPTIONS", invite, response, cseq=23),
        caller.in_dialog("REFER", invite, response, cseq=24, extra=refer), caller.in_dialog("NOTIFY", invite, response, cseq=25),
        caller.ack(invite, response), invite,
    ]  # fmt: skip
    theirs = pair.answering
    for number, method in enumerate(("INVITE", "UPDATE", "INFO", "OPTIONS")):
        body = callee.sdp() if method == "INVITE" else ""
        made.append(callee.callee_request(method, theirs.invite, theirs.tag, cseq=200 + number, body=body))
    return made


def datagrams(rng: random.Random, office: ApartPbx, count: int, sixth: Pair) -> Iterator[tuple[fuzzing.Intruder, bytes]]:
    """From strangers, who must not be banned before they have done their worst; now and then from the provider, or within a talk."""
    network = office.address.rpartition(".")[0].rpartition(".")[0]
    strangers = [fuzzing.Intruder(f"{network}.250.{number}") for number in range(1, 31)]
    provider = fuzzing.Intruder(office.phones_at)
    good = {one: one.samples(office.domain, "301", "300") for one in strangers}
    good[provider] = provider.samples(office.address, "301", "74950000000")
    within = of_a_talk(sixth)
    for number in range(count):
        sender = provider if number % 100 == 0 else rng.choice(strangers)
        yield sender, fuzzing.mutated(rng, rng.choice(within if number % 10 == 5 else good[sender]))


@sizes
async def test_datagrams(office: ApartPbx, rng: random.Random, count: int) -> None:
    """Half of them to the phones' side, half to the providers'; the kernel says that the switch has taken every one."""
    await office.house.start()
    async with talking(office) as pairs:
        doors = [fuzzing.Door(office.internal), fuzzing.Door(office.trunk)]
        async with watching(office, pairs[:CALLS]):
            for number, (sender, data) in enumerate(datagrams(rng, office, count, pairs[CALLS])):
                sender.send(data, doors[rng.randrange(2)].address)
                if number % 40 == 39:
                    await asyncio.sleep(0)
                    for door in doors:
                        await door.emptied()
            for door in doors:
                await door.emptied()
                assert door.dropped == 0
        await still_served(office, pairs)


# -- event socket ----------------------------------------------------------------------------------------------------------------


def event_socket(house: Apart) -> tuple[tuple[str, int], str]:
    """Where the switch itself listens, and the password."""
    return (house.address, house._ready.event_socket_port), (house.settings.state / "esl.password").read_text().strip()


@contextlib.asynccontextmanager
async def behind_a_proxy(office: ApartPbx) -> AsyncIterator[fuzzing.Proxy]:
    """The engine adopts the switch that it has left running, whose file now names the proxy's port."""
    house = office.house
    await house.start()
    where, _ = event_socket(house)
    await house.end(signal.SIGTERM)
    file = house.settings.state / "switch" / "ready.json"
    async with fuzzing.proxy(house.address, where) as (between, port):
        said = file.read_text()
        file.write_text(said.replace(str(where[1]), str(port)))
        await house.start()
        file.write_text(said)  # others still go straight to the switch
        assert between.connections == 1
        yield between


@sizes
async def test_frames_of_bad_clients(office: ApartPbx, rng: random.Random, count: int) -> None:
    """Mutated commands from clients with the password and without; each harms its own connection at most."""
    await office.house.start()
    where, password = event_socket(office.house)
    async with talking(office) as pairs:
        async with watching(office, pairs[:CALLS]):
            answered = connections = 0
            while answered < count:
                answered += await fuzzing.bad_client(rng, where, password if rng.random() < 0.95 else "", 100)
                connections += 1
            print(f"{answered} answers on {connections} connections")
        async with office.house.event_socket() as good:
            assert await good.api("echo alive") == "alive"
        await still_served(office, pairs)


@sizes
async def test_frames_towards_the_engine(office: ApartPbx, rng: random.Random, count: int) -> None:
    """Mutated events harm nothing; a frame that breaks the stream costs that connection only, which comes back and is swept."""
    async with behind_a_proxy(office) as between, talking(office) as pairs:
        async with office.house.event_socket() as esl:
            own = [c["uuid"] for c in json.loads(await esl.api("show channels as json"))["rows"]]
        async with watching(office, pairs[:CALLS]):
            breaks = max(20, count // 1000)
            for _ in range(breaks):
                before = between.connections
                for _ in range(count // 2 // breaks):
                    await between.to_engine(fuzzing.strange(rng, rng.choice(between.events), own))
                assert between.connections == before, office.house.log.read_text()[-2000:]
                await (between.to_engine if rng.random() < 0.8 else between.to_switch)(fuzzing.broken(rng))
                await between.connected(before + 1)
        await still_served(office, pairs)
