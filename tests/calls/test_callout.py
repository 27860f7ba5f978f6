# SPDX-License-Identifier: Apache-2.0
"""CallOut with real calls: by number, by PIN, wrong PINs and their block, the next number when the other party has hung up."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from engine import people
from engine.db import models
from engine.people import ContactWish
from plugins.callout.actions import CALL_OUT
from plugins.callout.facts import WrongPin
from plugins.callout.service import recent_wrong_pins
from tests.calls.pbx import Pbx
from tests.calls.telephone import Provider
from tests.embedded.telephone import Talk

pytestmark = pytest.mark.asyncio(loop_scope="session")

MOBILE = "+79031230001"
STRANGER = "+79031230002"
OWN = (f"+7495666100{n}" for n in range(1, 10))
B_PARTY = "+74951112233"
NUMBER, BAD_NUMBER, PIN, BAD_PIN = (f"prompts/callout-{name}.wav" for name in ("number", "bad-number", "pin", "bad-pin"))


class Scene:
    """The office with Anna (201, PIN 4711, the flagged mobile number) and Boris (202), an outgoing line; the DID leads to CallOut."""

    def __init__(self, office: Pbx, outside: Provider, anna: int, own: str) -> None:
        self.office, self.outside, self.anna, self.own = office, outside, anna, own
        """`own`: the number that Anna's calls show."""

    async def asked(self, sound: str, times: int = 1, within: float = 20.0) -> None:
        """Wait until the live call has played this so often."""
        async with asyncio.timeout(within):
            while sum(s.what == "play" and s.facts["sound"] == sound for c in self.office.calls for _, s in c.steps) < times:
                await asyncio.sleep(0.02)

    async def call(self, caller: Provider) -> Talk:
        talk = await caller.calls(self.office.did[1:])
        await talk.answered()
        return talk


@pytest_asyncio.fixture(loop_scope="session")
async def scene(shared: Pbx) -> AsyncIterator[Scene]:
    anna = await shared.user("201", ContactWish(kind="phone", address=MOBILE, by_number=True), pin="4711")
    await shared.user("202")
    async with shared.provider() as outside:
        own = await shared.number(next(OWN), await shared.line(server=outside.host, port=outside.port))
        async with shared.edit() as edit:
            await models.User.of(shared.account, edit.tx).filter(id=anna).update(outbound_did_id=own.id)
        await shared.rule(CALL_OUT)
        yield Scene(shared, outside, anna, own.number)


@pytest.mark.feature("CO-1", "CO-2", "R23", "ACT-15", "R1", "BIL-10")
async def test_by_number_to_an_outside_number_and_then_to_the_next(scene: Scene) -> None:
    shared, outside = scene.office, scene.outside
    async with shared.provider(MOBILE) as caller, shared.telephone("202") as boris:
        await shared.registered("202")
        talk = await scene.call(caller)
        await scene.asked(NUMBER)
        await caller.press(f"8{B_PARTY[2:]}#")
        b = await outside.answers()
        assert b.invite.uri.startswith(f"sip:{B_PARTY[1:]}@")
        assert f"sip:{scene.own[1:]}@" in b.invite.get("From")  # Anna's own number, not the one she has called
        caller.say(500)
        outside.say(1300)
        await outside.hears(500)
        await caller.hears(1300)
        await b.hang_up()
        await scene.asked(NUMBER, 2)
        caller.quiet()  # one who speaks and presses at once would mix both up
        await caller.press("202")  # without #: the pause ends it
        inside = await boris.answers()
        boris.say(900)
        await caller.hears(900)
        await talk.hang_up()
        await inside.ended()
        (record,) = await shared.records(1)
    assert record.talked
    assert not record.missed
    legs = {leg.label: leg for leg in record.legs}
    assert (legs[B_PARTY].reason, legs[B_PARTY].user_id) == ("callout", scene.anna)
    assert legs["202"].reason == "member"
    assert PIN not in str(record.trace)


@pytest.mark.feature("CO-1", "R23")
async def test_by_pin_which_is_told_nowhere(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    shared = scene.office
    caplog.set_level(logging.DEBUG)
    async with shared.provider(STRANGER) as caller:
        talk = await scene.call(caller)
        await scene.asked(PIN)
        await caller.press("4711#")
        await scene.asked(NUMBER)
        await caller.press(f"8{B_PARTY[2:]}#")
        b = await scene.outside.answers()
        await talk.hang_up()
        await b.ended()
        (record,) = await shared.records(1)
    assert "4711" not in str(record.trace)
    assert "4711" not in caplog.text
    assert not [s for s in record.trace if s["what"] == "key"]
    assert "callout_by_pin" in [s["what"] for s in record.trace]
    facts = await models.FactRow.of(shared.account).all()
    assert "4711" not in "".join(str(f.data) for f in facts)


@pytest.mark.feature("CO-1", "R23")
async def test_three_wrong_pins_and_nine_block_the_number(scene: Scene) -> None:
    shared = scene.office
    async with shared.provider(STRANGER) as caller:
        for round_ in range(3):
            talk = await scene.call(caller)
            for attempt in range(3):
                await scene.asked(PIN, attempt + 1)
                await caller.press("1234#")
                if attempt < 2 or round_ < 2:
                    await scene.asked(BAD_PIN, attempt + 1)
            await talk.ended()
            await shared.records(round_ + 1)
        await scene.call(caller)
        await shared.step("callout_blocked")
        await shared.left_with(0)
        records = await shared.records(4)
    assert [s["what"] for s in records[0].trace].count("callout_wrong_pin") == 3
    assert not records[3].missed
    assert len([f for f in await recent_wrong_pins() if f.account == shared.account]) == 9  # what another engine would begin with
    assert all(isinstance(f, WrongPin) for f in await recent_wrong_pins())
    async with shared.provider(MOBILE) as known:  # nobody else is kept out
        talk = await scene.call(known)
        await scene.asked(NUMBER)
        await talk.hang_up()
        await shared.left_with(0)


@pytest.mark.feature("R23")
async def test_somebody_who_is_switched_off_is_refused(scene: Scene) -> None:
    shared = scene.office
    anna = shared.snapshot.users[scene.anna]
    async with shared.edit() as edit:
        await people.edit_user(edit, scene.anna, people.UserWish(title=anna.title, extension=anna.extension, pin="4711", active=False))
    async with AsyncExitStack() as stack:
        caller = await stack.enter_async_context(shared.provider(MOBILE))
        await scene.call(caller)
        await shared.step("callout_inactive")
        await shared.left_with(0)
    assert not scene.outside.rung


@pytest.mark.feature("CO-3")
async def test_a_bad_number_is_asked_for_again(scene: Scene) -> None:
    async with scene.office.provider(MOBILE) as caller:
        talk = await scene.call(caller)
        await scene.asked(NUMBER)
        await caller.press("99#")
        await scene.asked(BAD_NUMBER)
        await scene.asked(NUMBER, 2)
        await talk.hang_up()
        await scene.office.left_with(0)
