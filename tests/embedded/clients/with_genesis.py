# SPDX-License-Identifier: Apache-2.0
"""genesis against a switch with two parked calls: `with_genesis.py HOST PORT PASSWORD UUID SOUND SECOND_UUID`, JSON as above."""

import asyncio
import json
import sys

from genesis import Consumer, Inbound
from genesis.exceptions import AuthenticationError


async def main() -> None:
    host, port, password, uuid, sound, second = sys.argv[1:7]
    said: dict[str, object] = {}
    try:
        async with Inbound(host, int(port), "wrong"):
            pass
    except AuthenticationError as error:
        said["wrong password"] = str(error)

    seen: list[str] = []
    consumer = Consumer(host, int(port), password)

    @consumer.handle("CHANNEL_EXECUTE_COMPLETE")
    async def note(event: dict[str, str]) -> None:
        seen.append(event["Application"])

    @consumer.handle("HEARTBEAT")
    async def beat(event: dict[str, str]) -> None:
        said["heartbeat"] = event["Event-Info"]

    listening = asyncio.create_task(consumer.start())

    async with Inbound(host, int(port), password) as client:
        got: dict[str, asyncio.Future[dict[str, str]]] = {}
        loop = asyncio.get_running_loop()

        def arrived(event: dict[str, str]) -> None:
            for key in (event["Event-Name"], event.get("Application-UUID", ""), event.get("Job-UUID", "")):
                if key in got and not got[key].done() and event.get("Unique-ID", uuid) == uuid:
                    got[key].set_result(event)

        for name in ("CHANNEL_EXECUTE_COMPLETE", "CHANNEL_ANSWER", "CHANNEL_HANGUP_COMPLETE", "BACKGROUND_JOB"):
            client.on(name, arrived)
        said["event"] = (await client.send("events plain ALL"))["Reply-Text"]
        said["filter"] = (await client.send(f"filter Unique-ID {uuid}"))["Reply-Text"]
        await client.send("filter Event-Name BACKGROUND_JOB")
        said["status"] = "session(s) since startup" in ((await client.send("api status")).body or "")
        said["claim"] = (await client.send(f"api sched_del {uuid}")).body
        got["green"] = loop.create_future()
        await client.send("bgapi echo green\nJob-UUID: green")
        said["job"] = (await asyncio.wait_for(got["green"], 10))["Job-Command"]

        async def execute(application: str, argument: str = "") -> dict[str, str]:
            run = f"run-{application}"
            got[run] = loop.create_future()
            await client.send(
                f"sendmsg {uuid}\ncall-command: execute\nexecute-app-name: {application}\nexecute-app-arg: {argument}\n"
                f"Event-UUID: {run}\nevent-lock: true"
            )
            return await asyncio.wait_for(got[run], 10)

        got["CHANNEL_ANSWER"], got["CHANNEL_HANGUP_COMPLETE"] = loop.create_future(), loop.create_future()
        await execute("answer")
        said["answered"] = (await asyncio.wait_for(got["CHANNEL_ANSWER"], 10))["Answer-State"]
        said["played"] = (await execute("playback", sound))["Application-Response"]
        await execute("hangup", "USER_BUSY")
        said["cause"] = (await asyncio.wait_for(got["CHANNEL_HANGUP_COMPLETE"], 10))["Hangup-Cause"]

    # its own idea of a channel: uuid_dump, sendmsg, events of one uuid
    async with Inbound(host, int(port), password) as client:
        await client.send(f"api sched_del {second}")
        channel = await client.get_channel(second)
        await channel.answer()
        await channel.playback(sound)
        await channel.hangup("CALL_REJECTED")
        said["channel"] = str(channel.state)
    said["consumer"] = "playback" in seen
    await consumer.stop()
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    sys.stdout.write(json.dumps(said) + "\n")


asyncio.run(main())
