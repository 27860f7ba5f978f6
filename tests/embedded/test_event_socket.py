# SPDX-License-Identifier: Apache-2.0
"""The event socket as a client sees it: log-in, commands, jobs, events in each format, filters, broken and slow clients."""

from __future__ import annotations

import asyncio
import random
import resource

import msgspec
import pytest

from engine.embedded.config import Config
from tests.embedded.conftest import Configure, House, parked
from tests.embedded.esl import Esl


async def test_greeting_and_log_in(house: House) -> None:
    async with house.esl(events="", password="") as esl:
        assert esl.greeting == "auth/request"
        assert (await esl.command("api status"))[0]["Reply-Text"] == "-ERR command not found"
        assert (await esl.command("auth wrong"))[0]["Reply-Text"] == "-ERR invalid"
        async with asyncio.timeout(5):
            await esl.closed.wait()
        assert esl.frames[-1][0]["Content-Type"] == "text/disconnect-notice"


async def test_exit(house: House) -> None:
    async with house.esl() as esl:
        assert (await esl.command("exit"))[0]["Reply-Text"] == "+OK bye"
        async with asyncio.timeout(5):
            await esl.closed.wait()


async def test_everything_in_one_segment(house: House) -> None:
    reader, writer = await asyncio.open_connection(house.address, house.switch.ports["event_socket"])
    writer.write(b"auth secret\n\nsendevent CUSTOM\nEvent-Subclass: a\ncontent-length: 3\n\nxyzapi echo done\n\nexit\n\n")
    async with asyncio.timeout(5):
        said = await reader.read()
    assert said.count(b"Reply-Text: +OK") == 3
    assert b"\n\ndone" in said
    writer.close()


class TestAccess:
    @pytest.fixture
    def configure(self) -> Configure:
        def change(config: Config) -> Config:
            return msgspec.structs.replace(config, event_socket=msgspec.structs.replace(config.event_socket, acl=("10.0.0.0/8",)))

        return change

    async def test_a_stranger_is_sent_away(self, house: House) -> None:
        reader, writer = await asyncio.open_connection(house.address, house.switch.ports["event_socket"])
        async with asyncio.timeout(5):
            assert b"text/rude-rejection" in await reader.read()
        writer.close()


async def test_commands_answer_in_order(house: House) -> None:
    async with house.esl() as esl:
        waiting = [esl.send(f"api echo {number}") for number in range(200)]
        async with asyncio.timeout(10):
            assert [(await one)[1] for one in waiting] == [str(number) for number in range(200)]


async def test_a_slow_command_keeps_the_order_of_its_connection(house: House) -> None:
    async with house.esl() as esl:
        slow = esl.send("api originate user/101@t1.test &park")
        quick = esl.send("api echo after")
        async with asyncio.timeout(10):
            assert (await slow)[1] == "-ERR USER_NOT_REGISTERED\n"
            assert (await quick)[1] == "after"


async def test_line_ends_of_telnet(house: House) -> None:
    async with house.esl() as esl:
        esl.writer.write(b"\r\n\r\napi echo typed\r\n\r\n")
        future = asyncio.get_running_loop().create_future()
        esl._waiting.append(future)
        async with asyncio.timeout(5):
            assert (await future)[1] == "typed"


async def test_what_is_unknown_or_refused(house: House) -> None:
    async with house.esl() as esl:
        assert await esl.api("nonsense x") == "-ERR nonsense Command not found!\n"
        assert await esl.api("conference list") == "-ERR conference is not offered by the embedded switch\n"
        assert (await esl.command("nonsense"))[0]["Reply-Text"] == "-ERR command not found"
        assert (await esl.command("linger"))[0]["Reply-Text"] == "-ERR not controlling a session"
        assert (await esl.command("event json NONSENSE"))[0]["Reply-Text"] == "-ERR no keywords supplied"
        assert (await esl.command("filter Unique-ID"))[0]["Reply-Text"] == "-ERR invalid syntax"
        reply = await esl.command("sendmsg no-such\ncall-command: execute\nexecute-app-name: answer")
        assert reply[0]["Reply-Text"] == "-ERR invalid session id [no-such]"


async def test_jobs(house: House) -> None:
    async with house.esl() as esl:
        reply = (await esl.command("bgapi echo hello\nJob-UUID: my-job"))[0]
        assert reply["Reply-Text"] == "+OK Job-UUID: my-job"
        assert reply["Job-UUID"] == "my-job"
        job = await esl.event("BACKGROUND_JOB", **{"Job-UUID": "my-job"})
        assert (job["Job-Command"], job["Job-Command-Arg"], job["_body"]) == ("echo", "hello", "hello")
        assert job["Content-Length"] == "5"
        unnamed = (await esl.command("bgapi status"))[0]["Job-UUID"]
        assert "session(s) since startup" in await esl.job(unnamed)


@pytest.mark.parametrize("form", ["json", "plain"])
async def test_formats(house: House, form: str) -> None:
    async with house.esl(f"{form} BACKGROUND_JOB CUSTOM my::event") as esl, house.esl("plain CUSTOM other::event") as other:
        text = "ромашка: 100% %0A ok"
        await other.command(f"sendevent CUSTOM\nEvent-Subclass: my::event\nX-Text: {text}\ncontent-length: 4\n\nbody")
        found = await esl.event("CUSTOM")
        assert found["X-Text"] == text
        assert found["Event-Subclass"] == "my::event"
        assert found["_body"] == "body"
        assert found["Core-UUID"] == house.switch.bus.core_uuid
        assert int(found["Event-Date-Timestamp"]) > 1_700_000_000_000_000
        await esl.bgapi("echo")
        await esl.event("BACKGROUND_JOB")
        assert other.events == []


async def test_xml_events(house: House) -> None:
    async with house.esl("xml HEARTBEAT") as esl:
        async with asyncio.timeout(5):
            while not esl.frames:
                esl._news.clear()
                await esl._news.wait()
        head, body = esl.frames[0]
        assert head["Content-Type"] == "text/event-xml"
        assert "<Event-Name>HEARTBEAT</Event-Name>" in body


async def test_heartbeat(house: House) -> None:
    async with house.esl("json HEARTBEAT") as esl:
        beat = await esl.event("HEARTBEAT")
        assert beat["Session-Count"] == "0"
        assert int((await esl.event("HEARTBEAT"))["Event-Sequence"]) > int(beat["Event-Sequence"])


async def _send(esl: Esl, name: str, **headers: str) -> None:
    lines = "\n".join(f"{key.replace('_', '-')}: {value}" for key, value in headers.items())
    await esl.command(f"sendevent CUSTOM\nEvent-Subclass: {name}\n{lines}")


async def test_filters_are_ored_and_deleted(house: House) -> None:
    async with house.esl("plain CUSTOM one two") as esl, house.esl("") as sender:
        assert (await esl.command("filter X-Kind a"))[0]["Reply-Text"] == "+OK filter added. [X-Kind]=[a]"
        assert (await esl.command("filter X-Other b"))[0]["Reply-Text"].startswith("+OK")
        for headers in ({"X_Kind": "a"}, {"X_Kind": "z"}, {"X_Other": "b", "X_Kind": "z"}, {}):
            await _send(sender, "one", X_Id=str(len(headers)) + str(headers), **headers)
        await _send(sender, "two", X_Id="last", X_Kind="A")
        await esl.event("CUSTOM", **{"X-Id": "last"})
        assert [found["X-Id"] for found in esl.events] == ["1{'X_Kind': 'a'}", "2{'X_Other': 'b', 'X_Kind': 'z'}", "last"]
        assert (await esl.command("filter delete X-Kind a"))[0]["Reply-Text"] == "+OK filter deleted. [X-Kind][a]"
        assert (await esl.command("filter delete all"))[0]["Reply-Text"].startswith("+OK filter deleted.")
        await _send(sender, "one", X_Id="free")
        await esl.event("CUSTOM", **{"X-Id": "free"})


async def test_filter_by_pattern_and_negation(house: House) -> None:
    async with house.esl("plain CUSTOM one") as esl, house.esl("") as sender:
        await esl.command("filter X-Number /^7495/")
        await esl.command("filter X-Number -74950000000")
        for number in ("74951", "7812", "74950000000", "74952"):
            await _send(sender, "one", X_Number=number)
        await esl.event("CUSTOM", **{"X-Number": "74952"})
        assert [found["X-Number"] for found in esl.events] == ["74951", "74952"]


async def test_nixevent_and_noevents(house: House) -> None:
    async with house.esl("plain BACKGROUND_JOB CUSTOM one") as esl, house.esl("") as sender:
        await esl.command("event plain HEARTBEAT CUSTOM one two")
        assert (await esl.command("nixevent CUSTOM one"))[0]["Reply-Text"] == "+OK events nixed"
        await _send(sender, "one")
        await _send(sender, "two", X_Id="mark")
        await esl.event("CUSTOM", **{"X-Id": "mark"})
        assert [found["Event-Subclass"] for found in esl.events if found["Event-Name"] == "CUSTOM"] == ["two"]
        assert (await esl.command("noevents"))[0]["Reply-Text"] == "+OK no longer listening for events"
        count = len(esl.events)
        await _send(sender, "two")
        await esl.api("echo")
        assert len(esl.events) == count


async def test_one_encoding_for_all_listeners(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.embedded import events

    encoded = []
    original = events.Event.json
    monkeypatch.setattr(events.Event, "json", lambda self: encoded.append(self.name) or original(self))
    async with house.esl("json CUSTOM x") as one, house.esl("json CUSTOM x") as two, house.esl("json CUSTOM x") as three:
        await _send(one, "x")
        for listener in (one, two, three):
            await listener.event("CUSTOM")
        assert encoded == ["CUSTOM"]


class TestSlow:
    @pytest.fixture
    def configure(self) -> Configure:
        def change(config: Config) -> Config:
            return msgspec.structs.replace(config, event_socket=msgspec.structs.replace(config.event_socket, queue_bytes=400_000))

        return change

    async def test_a_listener_that_does_not_read_is_dropped_and_others_go_on(self, house: House) -> None:
        reader, writer = await asyncio.open_connection(house.address, house.switch.ports["event_socket"], limit=2048)
        writer.write(b"auth secret\n\nevent json CUSTOM bulk\n\n")
        await reader.readuntil(b"enabled json\n\n")
        assert isinstance(writer.transport, asyncio.Transport)
        writer.transport.pause_reading()
        async with house.esl("json CUSTOM bulk") as good:
            sent = 0
            while len(house.switch.event_socket) == 2 and sent < 4000:
                await _send(good, "bulk", X_Fill="x" * 8000)
                sent += 1
            assert len(house.switch.event_socket) == 1
            await good.event("CUSTOM")
            assert len(good.events) == sent
        writer.close()


VALID = [
    b"api status\n\n", b"event json ALL\n\n", b"event plain CHANNEL_PARK CUSTOM sofia::register\n\n", b"filter Unique-ID abc\n\n",
    b"bgapi originate {a='b,c'}user/1@2 &park\nJob-UUID: 1\n\n", b"noevents\n\n", b"nixevent ALL\n\n", b"filter delete all\n\n",
    b"sendmsg abc\ncall-command: execute\nexecute-app-name: playback\nexecute-app-arg: x\nevent-lock: true\n\n",
    b"sendmsg abc\ncall-command: execute\ncontent-type: text/plain\ncontent-length: 5\n\nhello", b"api uuid_dump x json\n\n",
    b"sendevent CUSTOM\nEvent-Subclass: a::b\ncontent-length: 3\n\nxyz", b"api show channels as json\n\n", b"myevents x json\n\n",
    b"api sofia status gateway\n\n", b"api sched_api +1000 g echo\n\n", b"api uuid_setvar_multi x a=1;b=2\n\n", b"log 7\n\n",
    b"api expand ${a${b}}{\n\n", b"api uuid_broadcast a b both\n\n", b"api sched_del zzz\n\n", b"linger\n\n", b"auth x\n\n",
]  # fmt: skip


def mutate(source: random.Random, frame: bytes) -> bytes:
    data = bytearray(frame)
    for _ in range(source.randint(1, 4)):
        kind = source.randrange(6)
        at = source.randrange(len(data)) if data else 0
        if kind == 0 and data:
            data[at] = source.randrange(256)
        elif kind == 1:
            data[at:at] = bytes(source.randrange(256) for _ in range(source.randint(1, 8)))
        elif kind == 2 and data:
            del data[at : at + source.randint(1, 6)]
        elif kind == 3:
            data[at:at] = source.choice(VALID)
        elif kind == 4:
            lengths = [b"99999999999", b"-5", b"12", b"1e3", b""]
            data[at:at] = source.choice([b"\n", b"\r\n", b"content-length: " + source.choice(lengths) + b"\n"])
        else:
            data[at:at] = source.choice([b"'", b"{", b"}", b"[", b"\\", b"${", b"\x00", b"%0A", "я".encode(), b"/(("]) * 3
    return bytes(data)


@pytest.mark.parametrize("count", [8_000, pytest.param(100_000, marks=pytest.mark.slow)])
async def test_mutated_frames_harm_only_their_own_connection(house: House, count: int) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    source = random.Random(seed)
    phones = [await house.phone(str(101 + number)) for number in range(5)]
    async with house.esl("json CHANNEL_PARK BACKGROUND_JOB") as watcher:
        for number, phone in enumerate(phones):
            _, uuid = await parked(watcher, phone, f"70{number}")
            await watcher.execute(uuid, "playback", "local_stream://moh")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        done, connections = 0, 0
        while done < count:
            reader, writer = await asyncio.open_connection(house.address, house.switch.ports["event_socket"])
            connections += 1
            writer.write(b"auth secret\n\n")
            batch = min(10, count - done)  # a broken one ends its connection: few a connection, so that most are read
            for _ in range(batch):
                writer.write(mutate(source, source.choice(VALID)))
            done += batch
            writer.write_eof()
            try:
                async with asyncio.timeout(20):
                    while await reader.read(1 << 20):
                        pass
            except ConnectionError:
                pass
            writer.close()
            assert await watcher.api("echo alive") == "alive"
        growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert growth < 20 * 1024, f"{growth} KiB after {done} frames, seed {seed}"
        assert len(house.switch.event_socket) == 1
        for phone in phones:
            await phone.hears(300)
        assert len(house.switch.channels) == 5
