# SPDX-License-Identifier: Apache-2.0
"""Our side of the event socket benchmarks, run as a process of its own: `python -m benchmarks.esl_clients ROLE PORT …`.

Roles: `split` (frames are split and counted), `events` (real dispatch into per-call handlers), `events-cold` (the handler
also reads a header that is decoded on demand), `calls` (a controller drives calls; the last argument names it).
"""

import asyncio
import gc
import importlib
import json
import sys
import time
from collections.abc import Callable
from typing import Protocol

from benchmarks.esl_feeder import CALLS
from benchmarks.esl_parts import PASSWORD, uuid_of
from engine.esl import command
from engine.esl.connection import Connection
from engine.esl.event import Event
from engine.esl.frame import FrameParser
from engine.esl.switch import Switch


class Controller(Protocol):
    """What drives the calls of `esl_calls`: answers each parked one, plays one sound, hangs up; see `engine_controller`."""

    def __init__(self, host: str, port: int, password: str) -> None: ...
    async def start(self) -> None: ...
    async def close(self) -> None: ...


class MinimalController:
    """The least there can be on a Switch: a dict of calls."""

    def __init__(self, host: str, port: int, password: str) -> None:
        self.switch = Switch(host, port, password, on_event=self.on_event)
        self.playing: dict[str, str] = {}

    async def start(self) -> None:
        self.switch.start()
        await self.switch.wait_connected(10)

    async def close(self) -> None:
        await self.switch.close()

    def on_event(self, event: Event) -> None:
        name, uuid = event.name, event.uuid
        if name == "CHANNEL_PARK":
            self.switch.answer(uuid)
            self.playing[uuid] = self.switch.playback(uuid, "/prompts/welcome.wav")
        elif name == "CHANNEL_EXECUTE_COMPLETE":
            if self.playing.get(uuid) == event.execution:
                self.switch.kill(uuid)
        elif name == "CHANNEL_HANGUP_COMPLETE":
            self.playing.pop(uuid, None)


class CallHandler:
    """Stands for a call: takes its events and reads five headers of each."""

    def __init__(self, cold: bool) -> None:
        self.cold = cold
        self.taken = 0
        self.seen: tuple[str, ...] = ()

    def take(self, event: Event) -> None:
        self.taken += 1
        fifth = event.destination_number if self.cold else event.direction
        self.seen = (event.name, event.uuid, event.vats_call, event.answer_state, fifth)


class Meter:
    """From the first event to the last: wall and CPU time."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.done = asyncio.Event()
        self.left = count
        self.wall = self.cpu = 0.0

    def one(self) -> None:
        if self.left == self.count:
            self.wall, self.cpu = time.perf_counter(), time.process_time()
        self.left -= 1
        if not self.left:
            self.wall, self.cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
            self.done.set()

    def result(self) -> dict[str, float]:
        return {"per_second": self.count / self.wall, "cpu_us": 1e6 * self.cpu / self.count}


class Splitter(asyncio.BufferedProtocol):
    """Only the framing."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.parser = FrameParser()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.write(command.auth(PASSWORD) + command.subscribe(["ALL"]))

    def get_buffer(self, sizehint: int) -> memoryview:
        return self.parser.get_buffer()

    def buffer_updated(self, nbytes: int) -> None:
        self.parser.received(nbytes)
        while (frame := self.parser.next_frame()) is not None:
            if frame.content_type == "text/event-json":
                self.meter.one()


async def control(port: int, line: str) -> None:
    """Tell the feeder what to do and wait until it is done."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(command.auth(PASSWORD) + command.api(line))
    parser = FrameParser()
    while data := await reader.read(4096):
        if any(frame.content_type == "api/response" for frame in parser.feed(data)):
            break
    writer.close()


async def events(port: int, count: int, cold: bool) -> dict[str, float]:
    meter = Meter(count)
    calls = {uuid_of(number): CallHandler(cold) for number in range(CALLS)}

    def on_event(event: Event) -> None:
        handler = calls.get(event.uuid)
        if handler is not None:
            handler.take(event)
            meter.one()

    connection = Connection("127.0.0.1", port, PASSWORD, events=["ALL"], on_event=on_event)
    connection.start()
    await connection.wait_connected(10)
    await control(port, f"feed {count}")
    await meter.done.wait()
    await connection.close()
    assert sum(handler.taken for handler in calls.values()) == count
    return meter.result()


async def split(port: int, count: int) -> dict[str, float]:
    meter = Meter(count)
    transport, _ = await asyncio.get_running_loop().create_connection(lambda: Splitter(meter), "127.0.0.1", port)
    await asyncio.sleep(0.2)  # the feeder has taken the subscription
    await control(port, f"feed {count}")
    await meter.done.wait()
    transport.close()
    return meter.result()


async def calls(port: int, count: int, at_once: int, name: str, script: str) -> dict[str, float]:
    module, _, attribute = name.partition(":")
    make: Callable[[str, int, str], Controller] = getattr(importlib.import_module(module), attribute)
    controller = make("127.0.0.1", port, PASSWORD)
    await controller.start()
    gc.collect()
    gc.freeze()  # as the engine's process does before its first call
    wall, cpu = time.perf_counter(), time.process_time()
    await control(port, f"calls {count} {at_once} {script}")
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    await controller.close()
    return {"per_second": count / wall, "cpu_us": 1e6 * cpu / count}


def main(role: str, port: str, count: str, *rest: str) -> None:
    if role == "split":
        work = split(int(port), int(count))
    elif role == "calls":
        work = calls(int(port), int(count), int(rest[0]), rest[1], rest[2])
    else:
        work = events(int(port), int(count), role == "events-cold")
    print(json.dumps(asyncio.run(work)))


if __name__ == "__main__":
    main(*sys.argv[1:])
