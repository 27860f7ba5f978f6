# SPDX-License-Identifier: Apache-2.0
"""Ten percent of all datagrams lost both ways: no call fails (must-test 13, the signalling part)."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.embedded.sip.agent import Agent, CallState, Hop, InviteTarget, Listener, SipCall
from tests.embedded.sip.conftest import FAST, Switch, until
from tests.embedded.sip.core import ANSWER, Core, Events

CALLS = 300


def answer_at_once(call: SipCall) -> None:
    call.ring()
    call.answer(ANSWER)


def lossy(agent: Agent, rng: random.Random) -> list[int]:
    """Every tenth datagram the agent sends is lost; the list counts [lost, sent]."""
    counts = [0, 0]
    for listener in agent.stack.transports.listeners.values():
        send = listener.send_datagram

        def sending(data: bytes, remote: tuple[str, int], send: Callable[[bytes, tuple[str, int]], bool] = send) -> bool:
            counts[1] += 1
            if rng.random() < 0.1:
                counts[0] += 1
                return True
            return send(data, remote)

        listener.send_datagram = sending  # type: ignore[method-assign]
    return counts


@pytest.mark.parametrize("seed", [11, 12])
async def test_no_call_fails(switch: Switch, seed: int) -> None:
    switch.core.on_call = lambda call: answer_at_once(call)
    caller = Agent(Core(), options=FAST)
    await caller.listen(Listener("trunk", "127.0.0.1", 0, tcp=False))
    rng = random.Random(seed)
    lost = [lossy(caller, rng), lossy(switch.agent, rng)]
    made: list[tuple[SipCall, Events]] = []
    hop = Hop(*switch.trunk)
    for number in range(CALLS):
        events = Events()
        made.append((caller.invite(InviteTarget("trunk", f"sip:{number}@{hop.host}:{hop.port}", "7", hop=hop), events, ANSWER), events))
        if number % 10 == 9:
            await made[-10][1].wait("answered", within=10)
    for call, events in made:
        await events.wait("answered", within=10)
        assert call.state is CallState.CONFIRMED
    assert len(switch.core.calls) == CALLS
    for call, events in switch.core.calls:
        await events.wait("acked", within=10)
        number = int(call.request.uri.user)  # type: ignore[union-attr]
        (call if number % 2 else made[number][0]).hangup(q850=16)
    for _, events in [*made, *switch.core.calls]:
        ended = await events.wait("ended", within=10)
        assert ended.code is None
        assert not ended.timed_out
    for dropped, sent in lost:
        assert dropped > sent / 20
    await until(lambda: not switch.agent.stack.dialogs and not caller.stack.dialogs)
    await caller.close()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("sipp") is None, reason="needs sipp")
async def test_no_call_of_sipp_fails(tmp_path: Path) -> None:
    """The same with an independent phone and real timers; sipp itself loses a tenth of what it sends and receives."""
    core = Core()
    core.on_call = lambda call: answer_at_once(call)
    agent = Agent(core)
    port = await agent.listen(Listener("trunk", "127.0.0.1", 0, tcp=False))
    process = await asyncio.create_subprocess_exec(
        "sipp", "-sn", "uac", "-lost", "10", "-m", str(CALLS), "-r", "50", "-d", "500", "-i", "127.0.0.1", "-nostdin",
        "-timeout", "90", f"127.0.0.1:{port}", cwd=tmp_path, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await asyncio.wait_for(process.wait(), 100) == 0
    assert len(core.calls) == CALLS
    await agent.close()
