# SPDX-License-Identifier: Apache-2.0
"""The supervised connection against a switch that misbehaves in every way we know."""

import asyncio
import json
import logging
import random
import tracemalloc
from collections.abc import AsyncIterator, Callable

import pytest

from engine.errors import SwitchError
from engine.esl import command
from engine.esl.connection import (
    LOST,
    AccessDeniedError,
    CommandRefusedError,
    Connection,
    NoAnswerError,
    SwitchAwayError,
)
from engine.esl.event import Event
from engine.esl.frame import MAX_BODY, FrameParser, encode_frame, encode_plain_event

from .fake_switch import WAIT, FakeSwitch, event_frame, event_of, reply, response


class Client:
    """A connection with everything it reports."""

    def __init__(self, port: int, **options: float) -> None:
        self.events: list[Event] = []
        self.lost: asyncio.Queue[SwitchError] = asyncio.Queue()
        self.failed: asyncio.Queue[SwitchError] = asyncio.Queue()
        self.ups = 0
        self.arrived = asyncio.Event()
        self.handler: Callable[[Event], None] = self.keep
        settings = {"first_delay": 0.01, "longest_delay": 0.05, **options}
        self.connection = Connection(
            "127.0.0.1", port, "secret", events=["DTMF"], subclasses=["sofia::register"],
            on_event=lambda event: self.handler(event), on_connected=self.up, on_lost=self.lost.put_nowait,
            on_failed=self.failed.put_nowait, **settings,
        )  # fmt: skip

    def up(self) -> None:
        self.ups += 1

    def keep(self, event: Event) -> None:
        self.events.append(event)
        self.arrived.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT):
            while not condition():
                self.arrived.clear()
                await self.arrived.wait()

    async def failure(self) -> SwitchError:
        return await asyncio.wait_for(self.failed.get(), WAIT)


@pytest.fixture
async def client(fake: FakeSwitch) -> AsyncIterator[Client]:
    one = Client(fake.port)
    one.connection.start()
    await one.connection.wait_connected(WAIT)
    yield one
    await one.connection.close()


async def test_it_logs_in_subscribes_and_reports(fake: FakeSwitch, client: Client) -> None:
    assert (await fake.command()).command == "auth secret"
    assert (await fake.command()).command == "event json DTMF BACKGROUND_JOB CUSTOM sofia::register"
    assert client.ups == 1
    assert client.connection.connected
    fake.write(event_frame(Event_Name="DTMF", DTMF_Digit="5"))
    await client.until(lambda: bool(client.events))
    assert client.events[0].digit == "5"


async def test_connected_comes_before_the_first_event(fake: FakeSwitch) -> None:
    order: list[str] = []
    fake.answers["event json"] = lambda frame: reply("+OK") + event_frame(Event_Name="DTMF")
    done = asyncio.Event()

    def on_event(event: Event) -> None:
        order.append(event.name)
        done.set()

    connection = Connection(
        "127.0.0.1", fake.port, "secret", events=["DTMF"], on_event=on_event, on_connected=lambda: order.append("up"),
    )  # fmt: skip
    connection.start()
    async with asyncio.timeout(WAIT):
        await done.wait()
    await connection.close()
    assert order == ["up", "DTMF"]


async def test_a_refused_password_is_said_and_tried_again(fake: FakeSwitch) -> None:
    fake.password = "other"
    client = Client(fake.port)
    client.connection.start()
    error = await client.failure()
    assert isinstance(error, AccessDeniedError)
    assert error is client.connection.last_error
    with pytest.raises(SwitchAwayError, match="password"):
        await client.connection.wait_connected(0.01)
    assert client.ups == 0
    fake.password = "secret"
    await client.connection.wait_connected(WAIT)
    assert client.lost.empty()
    await client.connection.close()


async def test_an_address_that_is_not_let_in(fake: FakeSwitch) -> None:
    fake.greeting = encode_frame({"Content-Type": "text/rude-rejection"}, b"Access Denied, go away.\n")
    client = Client(fake.port)
    client.connection.start()
    assert isinstance(await client.failure(), AccessDeniedError)
    await client.connection.close()


async def test_nobody_listens() -> None:
    server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    client = Client(port)
    client.connection.start()
    assert isinstance(await client.failure(), SwitchAwayError)
    with pytest.raises(SwitchAwayError):
        await client.connection.ask(command.api("status"))
    await client.connection.close()


async def test_a_silent_server_is_left(fake: FakeSwitch) -> None:
    fake.greeting = b""
    client = Client(fake.port, connect_timeout=0.05)
    client.connection.start()
    while "log-in" not in str(await client.failure()):
        pass  # a loaded machine may take longer than that to connect
    await client.connection.close()


async def test_a_dead_peer_is_noticed(fake: FakeSwitch) -> None:
    client = Client(fake.port, reply_timeout=0.1)
    client.connection.start()
    await client.connection.wait_connected(WAIT)
    fake.answers["api status"] = lambda frame: b""
    # nothing is asked here: the connection asks by itself when it hears nothing
    assert "no answer" in str(await asyncio.wait_for(client.lost.get(), WAIT))
    await client.connection.close()


async def test_a_quiet_switch_that_answers_is_kept(fake: FakeSwitch) -> None:
    client = Client(fake.port, reply_timeout=2)
    client.connection.start()
    await fake.command("api status")  # asked when nothing was heard for half of that time
    assert await client.connection.ask(command.api("x")) == "+OK\n"
    assert fake.connections == 1
    await client.connection.close()


async def test_a_drop_in_the_middle_of_a_frame(fake: FakeSwitch, client: Client) -> None:
    fake.answers["api slow"] = lambda frame: b""
    job = asyncio.create_task(client.connection.job("originate x"))
    asked = asyncio.create_task(client.connection.ask(command.api("slow")))
    await fake.command("api slow")
    fake.write(event_frame(Event_Name="DTMF") + event_frame(Event_Name="DTMF")[:-5])
    await client.until(lambda: len(client.events) == 1)
    fake.drop()
    for task in (asked, job):
        with pytest.raises(SwitchAwayError):
            await asyncio.wait_for(task, WAIT)
    await asyncio.wait_for(client.lost.get(), WAIT)
    await client.connection.wait_connected(WAIT)
    assert client.ups == 2
    assert len(client.events) == 1
    fake.write(event_frame(Event_Name="DTMF", DTMF_Digit="1"))
    await client.until(lambda: len(client.events) == 2)
    assert await client.connection.ask(command.api("again")) == "+OK\n"
    assert client.lost.empty()


@pytest.mark.parametrize(
    "junk",
    [b"Content-Length: x\n\n", b"rubbish\n\n", b"Content-Length: 999999999999\n\n", b"x" * 200_000, b"Content-Type: command/reply\n\n"],
    ids=["length", "line", "huge", "endless", "unasked answer"],
)
async def test_a_broken_frame_closes_only_its_connection(fake: FakeSwitch, client: Client, junk: bytes) -> None:
    fake.write(event_frame(Event_Name="DTMF") + junk)
    await asyncio.wait_for(client.lost.get(), WAIT)
    assert len(client.events) == 1
    await client.connection.wait_connected(WAIT)
    assert await client.connection.ask(command.api("again")) == "+OK\n"


async def test_the_switch_says_goodbye(fake: FakeSwitch, client: Client) -> None:
    fake.write(encode_frame({"Content-Type": "text/disconnect-notice"}, b"Disconnected, goodbye.\n"))
    assert "closed" in str(await asyncio.wait_for(client.lost.get(), WAIT))
    await client.connection.wait_connected(WAIT)


async def test_answers_come_in_order(fake: FakeSwitch, client: Client) -> None:
    fake.answers["api"] = lambda frame: response(frame.command.split()[-1])
    answers = await asyncio.gather(*(client.connection.ask(command.api(f"echo {n}")) for n in range(500)))
    assert answers == [str(n) for n in range(500)]


async def test_commands_of_one_turn_leave_in_one_write(fake: FakeSwitch, client: Client) -> None:
    await fake.command("event")
    fake.reads.clear()
    sent = [command.setvar("u", "n", str(n)) for n in range(50)]
    for data in sent:
        client.connection.send(data, lambda text: None)
    for _ in sent:
        await fake.command("api uuid_setvar")
    assert fake.reads == [sum(map(len, sent))]


async def test_an_answer_that_comes_late_is_not_taken_for_the_next(fake: FakeSwitch, client: Client) -> None:
    fake.answers["api slow"] = lambda frame: b""
    with pytest.raises(NoAnswerError):
        await client.connection.ask(command.api("slow"), 0.02)
    fake.write(response("late"))
    assert await client.connection.ask(command.api("next")) == "+OK\n"


async def test_a_refusal_is_raised_or_returned(fake: FakeSwitch, client: Client) -> None:
    fake.answers["api"] = lambda frame: response("-ERR No such channel!\n")
    with pytest.raises(CommandRefusedError, match="No such channel"):
        await client.connection.ask(command.api("x"))
    assert await client.connection.ask_raw(command.api("x")) == "-ERR No such channel!\n"


def job_event(uuid: str, body: str) -> bytes:
    return event_of({"Event-Name": "BACKGROUND_JOB", "Job-UUID": uuid, "_body": body})


async def test_jobs_are_matched_by_their_own_id(fake: FakeSwitch, client: Client) -> None:
    first = asyncio.create_task(client.connection.job("originate a"))
    second = asyncio.create_task(client.connection.job("originate b"))
    one = (await fake.command("bgapi originate a")).headers["job-uuid"]
    two = (await fake.command("bgapi originate b")).headers["job-uuid"]
    fake.write(job_event(two, "-ERR USER_BUSY\n") + job_event("somebody's", "+OK") + job_event(one, "+OK u-1\n"))
    assert await asyncio.wait_for(first, WAIT) == "+OK u-1\n"
    with pytest.raises(CommandRefusedError, match="USER_BUSY"):
        await asyncio.wait_for(second, WAIT)
    assert [event.job_uuid for event in client.events] == ["somebody's"]


async def test_a_job_that_never_ends_is_given_up(fake: FakeSwitch, client: Client) -> None:
    with pytest.raises(NoAnswerError):
        await client.connection.job("originate a", 0.02)
    job_uuid = (await fake.command("bgapi")).headers["job-uuid"]
    fake.write(job_event(job_uuid, "+OK"))
    await client.until(lambda: len(client.events) == 1)


async def test_a_job_that_is_refused_at_once(fake: FakeSwitch, client: Client) -> None:
    fake.answers["bgapi"] = lambda frame: reply("-ERR no such command")
    with pytest.raises(CommandRefusedError, match="no such command"):
        await client.connection.job("nonsense")


async def test_without_a_connection_the_answer_comes_later(caplog: pytest.LogCaptureFixture) -> None:
    connection = Connection("127.0.0.1", 1, "x", events=["DTMF"], on_event=lambda event: None)
    said: list[str] = []
    connection.send(command.answer("u"), said.append)
    assert said == []
    await asyncio.sleep(0)
    assert said == [LOST]


async def test_plain_events_are_understood_too(fake: FakeSwitch, client: Client) -> None:
    body = encode_plain_event({"Event-Name": "DTMF", "DTMF-Digit": "#", "Event-Sequence": "7", "variable_a": "x\ny"}, "hello")
    fake.write(encode_frame({"Content-Type": "text/event-plain"}, body))
    await client.until(lambda: bool(client.events))
    event = client.events[0]
    assert (event.digit, event.sequence, event.variable("a"), event.body) == ("#", 7, "x\ny", "hello")


async def test_a_handler_that_fails_is_logged_with_its_call(fake: FakeSwitch, client: Client, caplog: pytest.LogCaptureFixture) -> None:
    def fail(event: Event) -> None:
        client.keep(event)
        raise RuntimeError("a bug")

    client.handler = fail
    with caplog.at_level(logging.ERROR):
        fake.write(event_of({"Event-Name": "DTMF", "variable_vats_call": "c-1"}) * 2)
        await client.until(lambda: len(client.events) == 2)
    assert [record.__dict__["call"] for record in caplog.records] == ["c-1", "c-1"]
    client.connection.send(command.api("x"), lambda text: 1 / 0)  # type: ignore[arg-type, return-value]  # fails on purpose
    assert await client.connection.ask(command.api("y")) == "+OK\n"
    assert fake.connections == 1


async def test_an_event_that_is_not_understood_is_left_out(fake: FakeSwitch, client: Client) -> None:
    for body in (b"{", b"[1]", b"\xff\xfe"):
        fake.write(encode_frame({"Content-Type": "text/event-json"}, body))
    fake.write(encode_frame({"Content-Type": "text/event-plain"}, b"no colon"))
    fake.write(encode_frame({"Content-Type": "log/data"}, b"a line of the log"))
    fake.write(event_frame(Event_Name="DTMF"))
    await client.until(lambda: bool(client.events))
    assert [event.name for event in client.events] == ["DTMF"]


async def test_pause_holds_events_and_the_switch_back(fake: FakeSwitch, client: Client) -> None:
    def first_only(event: Event) -> None:
        client.keep(event)
        client.connection.pause()

    client.handler = first_only
    frame = event_frame(Event_Name="DTMF", filler="x" * 2000)
    fake.write(frame * 10)
    await client.until(lambda: len(client.events) == 1)
    assert fake.writer is not None
    for _ in range(4000):
        fake.write(frame)
    with pytest.raises(TimeoutError):  # 8 MB do not fit into the sockets: TCP holds the switch back
        async with asyncio.timeout(0.1):
            await fake.writer.drain()
    assert len(client.events) == 1
    client.handler = client.keep
    client.connection.resume()
    await client.until(lambda: len(client.events) == 4010)
    assert client.lost.empty()


async def test_closing_sends_what_waits(fake: FakeSwitch, client: Client) -> None:
    for n in range(1000):
        client.connection.send(command.setvar("u", "n", str(n)), lambda text: None)
    await client.connection.close()
    await asyncio.wait_for(fake.gone.wait(), WAIT)
    last = await fake.command("api uuid_setvar u n 999")
    assert last.command.endswith(" 999")
    assert (await fake.command()).command == "exit"
    assert client.lost.empty()
    assert not client.connection.connected
    await client.connection.close()


async def test_closing_does_not_wait_for_a_switch_that_hangs(fake: FakeSwitch) -> None:
    client = Client(fake.port)
    client.connection.start()
    await client.connection.wait_connected(WAIT)
    fake.answers["api"] = lambda frame: b""
    fake.answers["exit"] = lambda frame: b""
    said: list[str] = []
    client.connection.send(command.api("x"), said.append)
    fake.write(b"Content-Length: 5\n\n")
    await asyncio.wait_for(client.connection.close(0.05), WAIT)
    assert said == [LOST]


async def test_closing_while_it_tries_to_connect(fake: FakeSwitch) -> None:
    fake.greeting = b""
    client = Client(fake.port)
    client.connection.start()
    await asyncio.wait_for(fake.came.wait(), WAIT)
    await asyncio.wait_for(client.connection.close(), WAIT)


def mutate(stream: bytes, chance: random.Random) -> bytes:
    data = bytearray(stream)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(data))
        kind = chance.randrange(5)
        if kind == 0:
            data[at] = chance.randrange(256)
        elif kind == 1:
            del data[at : at + chance.randrange(1, 20)]
        elif kind == 2:
            data[at:at] = chance.randbytes(chance.randrange(1, 20))
        elif kind == 3:
            data[at:at] = chance.choice([b"\n\n", b"Content-Length: 7\n", b"\\u0000", b'"', b"[" * 40, b"99999", b"\xff"])
        else:
            data[at : at + 1] = data[at : at + 1] * chance.randrange(2, 30)
        if not data:
            data = bytearray(b"\n")
    return bytes(data)


@pytest.mark.parametrize("part", range(4))
async def test_mutated_frames_raise_nothing_in_the_loop(part: int) -> None:
    """100,000 mutated frames into the protocol itself: it takes them or closes, in bounded memory."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    errors: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: errors.append(context))
    fields = {"Event-Name": "DTMF", "Unique-ID": "u-1", "DTMF-Digit": "5", "Event-Sequence": "12", "variable_a": ["x", "y"], "_body": "b"}
    good = [
        event_of(dict(fields)), reply("+OK accepted"), response("-ERR x"), job_event("j", "+OK"),
        encode_frame({"Content-Type": "auth/request"}), encode_frame({"Content-Type": "text/disconnect-notice"}, b"bye"),
        encode_frame({"Content-Type": "text/event-plain"}, encode_plain_event({"Event-Name": "A", "b": "c d"}, "body")),
    ]  # fmt: skip
    seen = 0

    def on_event(event: Event) -> None:
        nonlocal seen
        seen += 1
        _ = (event.name, event.uuid, event.sequence, event.headers, event.record_ms, event.originate_causes)

    logging.disable(logging.CRITICAL)
    tracemalloc.start()
    try:
        connection = Connection("127.0.0.1", 1, "secret", events=["DTMF"], on_event=on_event)
        closed = 0
        wire = connection.new_wire()
        for number in range(25_000):
            if wire.reason is not None:
                closed += 1
            if wire.reason is not None or number % 20 == 0:  # a mutated length swallows what follows: begin anew often
                wire.connection_lost(None)
                wire.give_up_replies(LOST)
                wire = connection.new_wire()
                for _ in range(10):
                    wire.send(b"api x\n\n", lambda text: None)
            data = mutate(chance.choice(good), chance) if chance.random() < 0.7 else chance.choice(good)
            while data:
                room = wire.get_buffer(-1)
                assert len(room) > 0
                count = min(len(room), len(data), chance.randrange(1, 400))
                room[:count] = data[:count]
                wire.buffer_updated(count)
                data = data[count:]
            if number % 100 == 0:
                await asyncio.sleep(0)
                assert tracemalloc.get_traced_memory()[0] < MAX_BODY + 4_000_000  # one long body may be under way
        await asyncio.sleep(0)
    finally:
        tracemalloc.stop()
        logging.disable(logging.NOTSET)
    assert errors == []
    assert closed > 100
    assert seen > 1000


def test_the_parser_alone_takes_mutated_streams() -> None:
    """The same for the direction to the switch."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    stream = b"".join([command.answer("u"), command.execute("u", "playback", "/a.wav", run="r"), command.bgapi("x y", "j")])
    for _ in range(5_000):
        parser = FrameParser(commands=True, buffer=64, max_body=5000)
        try:
            for frame in parser.feed(mutate(stream, chance)):
                assert isinstance(frame.command, str)
                assert isinstance(frame.headers, dict)
        except ValueError as error:
            assert type(error).__name__ == "FrameError"  # noqa: PT017 - any other ValueError is a bug
        assert parser.capacity < 100_000


async def test_100_000_events_leave_nothing_behind(fake: FakeSwitch, client: Client) -> None:
    body = json.dumps({"Event-Name": "DTMF", "Unique-ID": "u", **{f"variable_x{n}": "value" * 3 for n in range(40)}}).encode()
    frame = encode_frame({"Content-Type": "text/event-json"}, body)
    count = 0
    done = asyncio.Event()

    def on_event(event: Event) -> None:
        nonlocal count
        count += 1
        if count % 10_000 == 0:
            done.set()

    client.handler = on_event
    assert fake.writer is not None
    tracemalloc.start()
    try:
        for _ in range(10):
            done.clear()
            for _ in range(100):
                fake.write(frame * 100)
                await fake.writer.drain()
            await asyncio.wait_for(done.wait(), WAIT * 3)
        current, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 100_000
    assert current < 3_000_000
