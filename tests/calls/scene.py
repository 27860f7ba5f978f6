# SPDX-License-Identifier: Apache-2.0
"""Two who talk while a third is at hand: how tests of codes and consultations begin, and what they look at in the end."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass

from engine.db import models
from tests.calls.pbx import Pbx
from tests.calls.telephone import Line, Provider
from tests.embedded.telephone import Answering, Talk
from tests.phones import sound

CALLER, FIRST, SECOND, OTHER = 500, 1300, 900, 700
"""What each says, in Hz: the caller, who serves him, the third, and whoever comes in later."""


@dataclass
class Scene:
    """A caller from outside talks with 201; everybody says a tone of his own. `two`, mostly 202, is idle."""

    caller: Provider
    talk: Talk
    one: Line
    served: Answering
    two: Line

    async def types(self, keys: str) -> None:
        """201 presses keys: a phone sends no sound meanwhile."""
        self.one.quiet()
        await self.one.press(keys)
        self.one.say(FIRST)
        self.forget()

    def forget(self) -> None:
        """What is heard from now on is new."""
        for line in (self.caller, self.one, self.two):
            line.heard.clear()

    async def the_two_talk_again(self) -> None:
        """The caller and 201, until the caller hangs up."""
        await self.caller.hears(FIRST)
        await self.one.hears(CALLER)
        await self.talk.hang_up()
        await self.served.ended()


async def meet(office: Pbx, stack: AsyncExitStack, second: str = "202") -> Scene:
    """Phones are plugged in and the call comes to 201; the PBX is set up so that it does."""
    one, two = [await stack.enter_async_context(office.telephone(login)) for login in ("201", second)]
    caller = await stack.enter_async_context(office.provider())
    talk = await caller.calls(office.did[1:])
    served = await one.answers()
    await talk.answered()
    caller.say(CALLER)
    one.say(FIRST)
    await caller.hears(FIRST)
    await one.hears(CALLER)
    return Scene(caller, talk, one, served, two)


async def talking(office: Pbx, stack: AsyncExitStack, **group: object) -> Scene:
    """201 and 202 are in one group each, 201 is rung first."""
    first, second = await office.user("201"), await office.user("202")
    await office.rule(await office.group("Sales", first, **group))
    await office.group("Support", second)
    return await meet(office, stack)


def steps(record: models.CallRecord, *kinds: str) -> list[str]:
    return [s["what"] for s in record.trace if s["what"] in kinds]


async def one_recording(office: Pbx, record: models.CallRecord) -> None:
    """Both sides of the end of the talk are in the one recording (R13)."""
    assert len(record.recordings) == 1
    left, right = sound.read(office.media / record.recordings[0].path)
    assert sound.strength(left[-6000:-2000], CALLER) > 0.8
    assert sound.strength(right[-6000:-2000], SECOND) > 0.8
