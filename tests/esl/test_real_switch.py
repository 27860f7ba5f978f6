# SPDX-License-Identifier: Apache-2.0
"""What is escaped here arrives on a real FreeSWITCH as it was written, and nothing in it is carried out.

Runs with FREESWITCH=/path/to/bin/freeswitch in the environment.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.esl import command
from engine.esl.event import Event
from engine.esl.switch import Refusal, Switch
from tests.switches.freeswitch import FreeSwitch

from .fake_switch import WAIT

BINARY = os.environ.get("FREESWITCH", "")
pytestmark = pytest.mark.skipif(not BINARY, reason="FREESWITCH names no FreeSWITCH")

TEXTS = [
    "Иван, 'Co' \"x\" \\n a=b;c {d} | ^^ [z] < > :_: end\\ ",
    "  two  ", "'", "''", "it's", "$5", "$$ $$$ \\$", "\\", "\\\\", "a\\sb\\tc\\n",
    ",", ";'x", "=", "a=b", "^^:a", "a\nb\rc", "${caller_id_number}", "${system(touch PWNED)}", "$${system(touch PWNED)}",
    "\\${system(touch PWNED)}", "\\\\${system(touch PWNED)}", "$\\'{system(touch PWNED)}", "$\\\\{system(touch PWNED)}", "$\\{x",
    "${", "}{",
]  # fmt: skip


class Probe:
    """A channel to try things on: one end of a loopback call."""

    def __init__(self, real: FreeSwitch, folder: Path) -> None:
        self.refused: asyncio.Queue[Refusal] = asyncio.Queue()
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.pwned = folder / "pwned"
        self.switch = Switch(
            real.esl_host, real.esl_port, real.esl_password, on_event=self.events.put_nowait, on_refused=self.refused.put_nowait
        )

    async def event(self, name: str, uuid: str = "", run: str = "") -> Event:
        async with asyncio.timeout(WAIT):
            while True:
                event = await self.events.get()
                if event.name == name and uuid in ("", event.uuid) and run in ("", event.execution):
                    return event

    async def call(self, uuid: str, values: dict[str, str]) -> str:
        """A channel of this name is parked; returns the other end, which waits for an engine."""
        self.switch.originate(uuid, "loopback/1234/from-phone", {**values, "ignore_early_media": "true"})
        async with asyncio.timeout(WAIT):
            while True:
                other = await self.event("CHANNEL_PARK")
                if other.uuid != uuid:
                    break
        assert await self.switch.sched_del(other.uuid) == 1
        self.switch.answer(other.uuid)
        await self.event("CHANNEL_PARK", uuid)
        return other.uuid

    async def variables(self, uuid: str) -> Event:
        found = await self.switch.dump(uuid)
        assert found is not None
        return found


@pytest.fixture
async def probe(tmp_path: Path) -> AsyncIterator[Probe]:
    real = FreeSwitch(Path(BINARY), tmp_path / "fs", tmp_path / "media", directory_url="http://127.0.0.1:9/", directory_secret="x")
    await real.start()
    one = Probe(real, tmp_path)
    one.switch.start()
    await one.switch.wait_connected(WAIT)
    try:
        yield one
    finally:
        await one.switch.close()
        await real.kill()


def texts(probe: Probe) -> list[str]:
    return [text.replace("PWNED", str(probe.pwned)) for text in TEXTS]


async def test_texts_arrive_and_are_not_carried_out(probe: Probe) -> None:
    wanted = texts(probe)
    given = {f"v{number}": text for number, text in enumerate(wanted)}
    await probe.call("esl-1", given)
    found = await probe.variables("esl-1")
    braces = [command.value(text).replace("{", "(").replace("}", ")").replace(":_:", ":-:") for text in wanted]
    assert [found.variable(name) for name in given] == braces

    probe.switch.setvar_multi("esl-1", {f"m{name}": text for name, text in given.items()})
    for name, text in given.items():
        probe.switch.setvar("esl-1", f"s{name}", text)
    found = await probe.variables("esl-1")
    plain = [command.value(text) for text in wanted]
    assert [found.variable(f"m{name}") for name in given] == plain
    assert [found.variable(f"s{name}") for name in given] == plain

    for application in ("set", "presence"):  # the first expands its argument once more
        for text in wanted:
            run = probe.switch.execute("esl-1", application, "literal=" + command.literal(text))
            done = await probe.event("CHANNEL_EXECUTE_COMPLETE", "esl-1", run)
            assert done.application_data == "literal=" + command.value(text)
    assert not probe.pwned.exists()
    assert probe.refused.empty()
    probe.switch.hupall("NORMAL_CLEARING", "v1", "  two  ")
    assert (await probe.event("CHANNEL_HANGUP_COMPLETE", "esl-1")).hangup_cause == "NORMAL_CLEARING"


async def test_orders_and_queries(probe: Probe) -> None:
    await probe.call("esl-2", {"vats_call": "c-1"})
    first = probe.switch.playback("esl-2", "tone_stream://%(100,20,440)", "silence_stream://100")
    second = probe.switch.playback("esl-2", "/nowhere/it's a, file!.wav")
    looped = probe.switch.playback("esl-2", "tone_stream://%(300,300,440)", loop=True)
    assert (await probe.event("CHANNEL_EXECUTE_COMPLETE", run=first)).application_response == "FILE PLAYED"
    assert (await probe.event("CHANNEL_EXECUTE_COMPLETE", run=second)).application_response == "FILE NOT FOUND"
    assert (await probe.event("CHANNEL_EXECUTE_COMPLETE", run=looped)).application_response == "FILE PLAYED"
    probe.switch.break_("esl-2")
    await probe.event("CHANNEL_EXECUTE_COMPLETE", run=looped)
    after = probe.switch.execute("esl-2", "presence", "x")
    await probe.event("CHANNEL_EXECUTE_COMPLETE", run=after)

    probe.switch.sched_transfer("esl-2", 60, "unavail", "vats")
    assert (await probe.switch.sched_del("esl-2"), await probe.switch.sched_del("esl-2")) == (1, 0)
    assert {row["uuid"] for row in await probe.switch.show_channels()} >= {"esl-2"}
    assert await probe.switch.show_registrations() == []
    assert await probe.switch.getvar("esl-2", "vats_call") == "c-1"
    assert await probe.switch.getvar("esl-2", "nothing") == ""
    assert await probe.switch.exists("esl-2")
    assert not await probe.switch.exists("esl-3")
    assert await probe.switch.dump("esl-3") is None
    probe.switch.answer("esl-3")
    probe.switch.originate("esl-4", "loopback/1/no-such-context", {})
    probe.switch.kill("esl-2", "USER_BUSY")
    gone = await probe.event("CHANNEL_HANGUP_COMPLETE", "esl-2")
    assert (gone.hangup_cause, gone.vats_call) == ("USER_BUSY", "c-1")
    assert gone.created_at is not None
    refused = [await asyncio.wait_for(probe.refused.get(), WAIT) for _ in range(2)]
    assert {(refusal.order, refusal.uuid) for refusal in refused} == {("answer", "esl-3"), ("originate", "esl-4")}
    assert {refusal.cause for refusal in refused if refusal.order == "originate"} == {"NO_ROUTE_DESTINATION"}
