# SPDX-License-Identifier: Apache-2.0
"""What operators play before the answer (“the subscriber is unavailable”, their own ringing) is heard by whoever calls out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from tests.calls.pbx import Pbx
from tests.calls.telephone import Line, Provider
from tests.embedded.telephone import Answering, Talk
from tests.phones import sound

pytestmark = pytest.mark.asyncio(loop_scope="session")

ANNOUNCEMENT, EMPLOYEE, OUTSIDE = 700, 500, 1300


@dataclass
class Office:
    one: Line
    provider: Provider
    did: str

    async def announced(self) -> tuple[Talk, Answering]:
        """201 calls outside and hears what the operator plays."""
        talk = await self.one.call("89031234567")
        call = await self.provider.incoming()
        call.early()
        self.provider.say(ANNOUNCEMENT)
        await talk.early()
        await self.one.hears(ANNOUNCEMENT)
        return talk, call


@asynccontextmanager
async def calling_out(shared: Pbx, number: str, **employee: object) -> AsyncIterator[Office]:
    await shared.user("201", **employee)
    async with shared.provider() as provider, shared.telephone("201") as one:
        trunk = await shared.line(server=provider.host, port=provider.port)
        did = await shared.number(number, trunk)
        yield Office(one, provider, did.number)


def steps(record: object, *kinds: str) -> list[str]:
    return [s["what"] for s in record.trace if s["what"] in kinds]  # type: ignore[attr-defined]


@pytest.mark.feature("OUT-2", "R13")
async def test_an_announcement_then_the_answer(shared: Pbx) -> None:
    async with calling_out(shared, "+74956691001", recording=True) as office:
        one, provider = office.one, office.provider
        talk, call = await office.announced()
        assert not any(m.code == 200 and m.cseq[1] == "INVITE" for m in one.seen)  # nobody pays for what he hears
        one.say(EMPLOYEE)
        await one.listen(0.5)
        heard = len(one.heard)
        provider.say(OUTSIDE)
        await call.answer()
        await talk.answered()
        await one.hears(OUTSIDE, since=heard)
        await provider.hears(EMPLOYEE)
        await one.listen(1.0)
        await call.hang_up()
        await talk.ended()
        (record,) = await shared.records(1)
    assert record.talked
    assert record.answered_at is not None
    assert steps(record, "early_media", "answered", "record", "talk") == ["early_media", "answered", "record", "talk"]
    assert record.wait_seconds + record.talk_seconds > 0
    (recording,) = record.recordings
    left, right = sound.read(shared.media / recording.path)
    assert sound.strength(right[-6000:-2000], OUTSIDE) > 0.8
    assert sound.strength(left[-6000:-2000], EMPLOYEE) > 0.8
    assert sound.starts_at(right, ANNOUNCEMENT) is None  # it begins with the answer


@pytest.mark.feature("OUT-2")
@pytest.mark.parametrize("code", [404, 480, 486])
async def test_an_announcement_then_a_refusal(shared: Pbx, code: int) -> None:
    async with calling_out(shared, f"+74956692{code}") as office:
        talk, call = await office.announced()
        await call.refuse(code)
        assert await talk.refused() == code
        (record,) = await shared.records(1)
    assert not record.talked
    assert record.answered_at is None
    assert steps(record, "early_media", "no") == ["early_media", "no"]  # the engine ended it, not the switch by itself


@pytest.mark.feature("OUT-2", "R16")
async def test_the_next_line_takes_over_from_one_that_has_only_played_something(shared: Pbx) -> None:
    async with calling_out(shared, "+74956691002") as office, shared.provider() as second:
        reserve = await shared.line(title="Reserve", server=second.host, port=second.port)
        async with shared.edit() as edit:
            reserve.may_show = [str(d.ref) for d in shared.snapshot.core.dids if d.number == office.did]
            await reserve.save(using_db=edit.tx)
        talk, call = await office.announced()
        await call.refuse(503)
        again = await second.incoming()
        again.early()
        heard = len(office.one.heard)
        second.say(OUTSIDE)
        await office.one.hears(OUTSIDE, since=heard)
        await again.answer()
        await talk.answered()
        office.one.say(EMPLOYEE)
        await second.hears(EMPLOYEE)
        await talk.hang_up()
        await again.ended()
        (record,) = await shared.records(1)
    assert record.talked
    assert steps(record, "line_failed", "early_media") == ["early_media", "line_failed", "early_media"]


@pytest.mark.feature("OUT-2")
async def test_the_caller_leaves_during_an_announcement(shared: Pbx) -> None:
    async with calling_out(shared, "+74956691003") as office:
        talk, call = await office.announced()
        talk.cancel()
        assert await talk.refused() == 487
        await call.cancelled()
        (record,) = await shared.records(1)
    assert not record.talked
    assert {leg.cause for leg in record.legs} == {"ORIGINATOR_CANCEL"}


@pytest.mark.feature("OUT-2", "R20")
async def test_a_caller_who_is_sent_outside_hears_the_announcement_and_comes_back(shared: Pbx) -> None:
    """He was answered long ago; nobody takes the call outside, so who has sent him has him again."""
    async with calling_out(shared, "+74956691004") as office, shared.provider("+79261112233") as caller:
        user = shared.snapshot.extension("201")
        assert user is not None
        await shared.rule(user)
        talk = await caller.calls(shared.did[1:])
        served = await office.one.answers()
        await talk.answered()
        office.one.say(EMPLOYEE)
        await caller.hears(EMPLOYEE)
        assert await served.refer(f"sip:89031234567@{shared.domain}") == 202
        call = await office.provider.incoming()
        call.early()
        office.provider.say(ANNOUNCEMENT)
        await caller.hears(ANNOUNCEMENT)
        await call.refuse(480)
        back = await office.one.answers()
        caller.heard.clear()
        office.one.say(EMPLOYEE)
        await caller.hears(EMPLOYEE)
        await talk.hang_up()
        await back.ended()
        (record,) = await shared.records(1)
    assert steps(record, "talk", "transfer_asked", "early_media", "transfer_returns") == [
        "talk", "transfer_asked", "early_media", "transfer_returns", "talk",
    ]  # fmt: skip


@pytest.mark.feature("OUT-2")
async def test_an_answer_right_behind_the_first_sound(shared: Pbx) -> None:
    """183 and 200 within a millisecond, and 183 twice: one talk, whichever the engine hears of first."""
    async with calling_out(shared, "+74956691005") as office:
        for _ in range(5):
            talk = await office.one.call("89031234567")
            call = await office.provider.incoming()
            call.early()
            call.early()
            await call.answer()
            office.provider.say(OUTSIDE)
            await talk.answered()
            office.one.heard.clear()
            await office.one.hears(OUTSIDE)
            office.one.say(EMPLOYEE)
            await office.provider.hears(EMPLOYEE)
            office.one.quiet()
            office.provider.quiet()
            await talk.hang_up()
            await call.ended()
            office.provider.heard.clear()
        records = await shared.records(5)
    assert all(record.talked for record in records)
