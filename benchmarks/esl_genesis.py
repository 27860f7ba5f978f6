# SPDX-License-Identifier: Apache-2.0
"""The rival's side of the event socket benchmarks; runs alone in genesis's own environment: `python esl_genesis.py ROLE PORT …`.

Genesis is used as its documents say: its Inbound connection, plain events, asynchronous handlers, the handler registered
for the channel where it is known (its fastest route), commands awaited. Its log is switched off.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping

from genesis.inbound import Inbound

Handler = Callable[[Mapping[str, str]], Awaitable[None]]
PASSWORD = "bench"
NAMES = ("CHANNEL_PARK", "CHANNEL_ANSWER", "CHANNEL_EXECUTE_COMPLETE", "CHANNEL_BRIDGE", "CHANNEL_HANGUP_COMPLETE")


def uuid_of(number: int) -> str:
    return f"4f1c9e9e-7c1a-4c52-9d3f-{number:012d}"


async def control(port: int, line: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"auth {PASSWORD}\n\napi {line}\n\n".encode())
    seen = b""
    while b"api/response" not in seen:
        data = await reader.read(4096)
        if not data:
            break
        seen += data
    writer.close()


async def events(port: int, count: int) -> dict[str, float]:
    left = count
    began = ended = (0.0, 0.0)
    done = asyncio.Event()

    def handler() -> Handler:
        async def take(event: Mapping[str, str]) -> None:
            nonlocal left, began, ended
            if left == count:
                began = time.perf_counter(), time.process_time()
            _ = (event["Event-Name"], event["Unique-ID"], event["variable_vats_call"], event["Answer-State"], event["Call-Direction"])
            left -= 1
            if not left:
                ended = time.perf_counter(), time.process_time()
                done.set()

        return take

    async with Inbound("127.0.0.1", port, PASSWORD) as client:
        await client.send("events plain ALL")
        for number in range(200):
            take = handler()
            for name in NAMES:
                client.register_channel_handler(uuid_of(number), name, take)
        await control(port, f"feed {count}")
        await done.wait()
    return {"per_second": count / (ended[0] - began[0]), "cpu_us": 1e6 * (ended[1] - began[1]) / count}


async def calls(port: int, count: int, at_once: int) -> dict[str, float]:
    over = 0

    async with Inbound("127.0.0.1", port, PASSWORD) as client:

        async def parked(event: Mapping[str, str]) -> None:
            nonlocal over
            uuid = event["Unique-ID"]
            played, gone = asyncio.Event(), asyncio.Event()

            async def on_played(event: Mapping[str, str]) -> None:
                played.set()

            async def on_gone(event: Mapping[str, str]) -> None:
                gone.set()

            client.register_channel_handler(uuid, "CHANNEL_EXECUTE_COMPLETE", on_played)
            client.register_channel_handler(uuid, "CHANNEL_HANGUP_COMPLETE", on_gone)
            await client.send(f"api uuid_answer {uuid}")
            await client.send(
                f"sendmsg {uuid}\ncall-command: execute\nexecute-app-name: playback\n"
                f"execute-app-arg: /prompts/welcome.wav\nevent-lock: true"
            )
            await played.wait()
            await client.send(f"api uuid_kill {uuid} NORMAL_CLEARING")
            await gone.wait()
            client.unregister_channel_handler(uuid, "CHANNEL_EXECUTE_COMPLETE", on_played)
            client.unregister_channel_handler(uuid, "CHANNEL_HANGUP_COMPLETE", on_gone)
            over += 1

        client.on("CHANNEL_PARK", parked)
        await client.send("events plain ALL")
        wall, cpu = time.perf_counter(), time.process_time()
        await control(port, f"calls {count} {at_once}")
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {"per_second": count / wall, "cpu_us": 1e6 * cpu / count}


def main(role: str, port: str, count: str, *rest: str) -> None:
    import logging

    logging.disable(logging.CRITICAL)
    work = events(int(port), int(count)) if role == "events" else calls(int(port), int(count), int(rest[0]))
    print(json.dumps(asyncio.run(work)))


if __name__ == "__main__":
    main(*sys.argv[1:])
