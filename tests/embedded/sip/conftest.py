# SPDX-License-Identifier: Apache-2.0
"""An agent on ports of its own, a core beside it, phones on demand."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from engine.embedded.sip.agent import Agent, Listener, RegistrarRules, SipOptions, Timers
from tests.embedded.sip.core import Core
from tests.embedded.sip.phone import Phone

FAST = SipOptions(timers=Timers(t1=0.05, t2=0.2, t4=0.2), registrar=RegistrarRules(min_expires=10, grace=0.0))


async def until(condition: Callable[[], object], within: float = 6.0) -> None:
    """Wait for what no message announces (a table running empty); fails after `within` seconds."""
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.01)


@dataclass
class Switch:
    agent: Agent
    core: Core
    internal: tuple[str, int]
    trunk: tuple[str, int]


@pytest.fixture
def options() -> SipOptions:
    return FAST


@pytest.fixture
async def switch(options: SipOptions, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Switch]:
    core = Core()
    agent = Agent(core, options=options)
    internal = await agent.listen(Listener("internal", "127.0.0.1", 0))
    trunk = await agent.listen(Listener("trunk", "127.0.0.1", 0))
    yield Switch(agent, core, ("127.0.0.1", internal), ("127.0.0.1", trunk))
    await agent.close()
    errors = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert errors == []


@pytest.fixture
async def phone(switch: Switch) -> AsyncIterator[Callable[..., Awaitable[Phone]]]:
    """Makes phones: phone() talks to the trunk side (no log-in), phone(internal=True) to the other."""
    opened: list[Phone] = []

    async def make(*, internal: bool = False, host: str = "127.0.0.1", user: str = "101") -> Phone:
        made = await Phone(switch.internal if internal else switch.trunk, user).open(host)
        opened.append(made)
        return made

    yield make
    for made in opened:
        made.close()
