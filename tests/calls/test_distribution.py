# SPDX-License-Identifier: Apache-2.0
"""Which phones ring when: the five methods seen at the phones, no-answer actions, and what a refused caller is told."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from engine.people import ContactWish
from engine.snapshot import Ref
from plugins.groups.api import Membership
from tests.calls.pbx import Pbx
from tests.calls.telephone import Line

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOGETHER = 0.6
"""Seconds within which phones rung together must have rung, on a busy machine."""


@asynccontextmanager
async def unattended(office: Pbx, *logins: str) -> AsyncIterator[list[Line]]:
    """Registered phones where nobody is."""
    async with AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(office.telephone(login)) for login in logins]
        for line in lines:
            line.unattended = True
        yield lines


def sip(address: str, **wish: int) -> ContactWish:
    return ContactWish(kind="sip", address=address, **{"timeout_seconds": 2, **wish})  # type: ignore[arg-type]


async def refused(office: Pbx) -> int:
    """A call from outside to the number: the status that ends it."""
    async with office.provider() as caller:
        return await (await caller.calls(office.did[1:])).refused(40.0)


@pytest.mark.feature("GRP-3", "R9", "R11")
async def test_one_after_the_other_by_priority(shared: Pbx) -> None:
    first, second = await shared.user("201", sip("201")), await shared.user("202", sip("202"))
    third = await shared.user("203", sip("203"))
    members = (Membership(first, 2), Membership(second, 1), Membership(third, 1))
    await shared.rule(await shared.group("Sales", method="SEQUENTIAL", members=members))
    async with unattended(shared, "201", "202", "203") as (one, two, three):
        assert await refused(shared) == 480
        assert [len(line.rung) for line in (one, two, three)] == [1, 1, 1]
        assert abs(two.rung[0] - three.rung[0]) < TOGETHER  # equal priority
        assert one.rung[0] - two.rung[0] > 0.9  # after both have not answered


@pytest.mark.feature("GRP-3", "R9")
async def test_users_at_once_each_walking_his_contacts(shared: Pbx) -> None:
    first = await shared.user("201", sip("201a"), sip("201b", priority=2))
    second = await shared.user("202", sip("202a"))
    await shared.rule(await shared.group("Sales", first, second, method="BY_USER"))
    async with unattended(shared, "201a", "201b", "202a") as (a, b, other):
        assert await refused(shared) == 480
        assert [len(line.rung) for line in (a, b, other)] == [1, 1, 1]
        assert abs(a.rung[0] - other.rung[0]) < TOGETHER
        assert b.rung[0] - a.rung[0] > 0.9


@pytest.mark.feature("GRP-3")
async def test_everything_at_once(shared: Pbx) -> None:
    first = await shared.user("201", sip("201a"), sip("201b", priority=2))
    second = await shared.user("202", sip("202a"))
    await shared.rule(await shared.group("Sales", method="ALL_AT_ONCE", members=(Membership(first, 1), Membership(second, 5))))
    async with unattended(shared, "201a", "201b", "202a") as lines:
        assert await refused(shared) == 480
        rung = [at for line in lines for at in line.rung]
        assert len(rung) == 3
        assert max(rung) - min(rung) < TOGETHER


@pytest.mark.feature("GRP-3", "R10")
async def test_one_after_the_other_at_random(shared: Pbx) -> None:
    users = [await shared.user(login, sip(login)) for login in ("201", "202", "203")]
    await shared.rule(await shared.group("Sales", *users, method="RANDOM"))
    async with unattended(shared, "201", "202", "203") as lines:
        assert await refused(shared) == 480
        rung = sorted(at for line in lines for at in line.rung)
        assert [len(line.rung) for line in lines] == [1, 1, 1]
        assert all(later - earlier > 0.9 for earlier, later in itertools.pairwise(rung))


@pytest.mark.feature("GRP-3", "R3")
async def test_no_distribution_at_all(shared: Pbx) -> None:
    user = await shared.user("201", sip("201"))
    await shared.rule(await shared.group("Sales", user, method="NONE"))
    async with unattended(shared, "201") as (line,):
        assert await refused(shared) == 480
        assert not line.rung


@pytest.mark.feature("R9", "GRP-3")
async def test_the_first_answer_wins_and_the_others_are_told(shared: Pbx) -> None:
    users = [await shared.user(login) for login in ("201", "202")]
    await shared.rule(await shared.group("Sales", *users, method="ALL_AT_ONCE"))
    async with shared.telephone("201") as one, shared.telephone("202") as two, shared.provider() as caller:
        talk = await caller.calls(shared.did[1:])
        loser = await two.takes()
        winner = await one.answers()
        await talk.answered()
        cancel = await loser.cancelled()
        assert "200" in cancel.get("Reason")  # answered elsewhere: it is no missed call of this phone
        await talk.hang_up()
        await winner.ended()
        (record,) = await shared.records(1)
    assert {leg.label: leg.cause for leg in record.legs if leg.direction == "out"} == {"201": "NORMAL_CLEARING", "202": "LOSE_RACE"}


@pytest.mark.feature("GRP-8", "R2")
async def test_the_no_answer_action(shared: Pbx) -> None:
    first, second = await shared.user("201", sip("201")), await shared.user("202")
    reserve = await shared.group("Reserve", second)
    await shared.rule(await shared.group("Sales", first, no_answer=reserve))
    async with unattended(shared, "201") as (line,), shared.telephone("202") as other, shared.provider() as caller:
        talk = await caller.calls(shared.did[1:])
        answering = await other.answers()
        await talk.answered()
        await talk.hang_up()
        await answering.ended()
        assert len(line.rung) == 1
        (record,) = await shared.records(1)
    assert record.group_title == "Reserve"
    assert not record.missed


@pytest.mark.feature("R11", "R12", "R1")
async def test_what_the_caller_is_told(shared: Pbx) -> None:
    user = await shared.user("201")
    rule = await shared.rule(await shared.group("Sales", user))
    assert await refused(shared) == 480  # nobody is registered
    async with shared.telephone("201") as phone, shared.provider() as caller:
        talk = await caller.calls(shared.did[1:])
        await phone.refuses(486)
        assert await talk.refused() == 486
    async with shared.edit() as edit:
        element = shared.snapshot.element(rule)
        assert element is not None
        await edit.store_of(element).remove(shared.account, element, edit.tx)
    await shared.rule(Ref("core.hangup", 0))
    assert await refused(shared) == 603
    records = await shared.records(3)
    assert [r.missed for r in records] == [True, True, False]


@asynccontextmanager
async def two_phones(office: Pbx, login: str) -> AsyncIterator[tuple[Line, Line]]:
    """Two registered phones of one login."""
    assert office.runtime.engine is not None
    phones = office.runtime.engine.node.phones.registrations
    async with office.telephone(login) as one, office.telephone(login) as other:
        async with asyncio.timeout(20):
            while len(phones.of(office.account, login)) < 2:
                await asyncio.sleep(0.05)
        yield one, other


@pytest.mark.feature("USR-3", "R9", "R12")
@pytest.mark.parametrize("winner", ["first", "second"])
async def test_any_phone_of_a_login_takes_the_call(shared: Pbx, winner: str) -> None:
    await shared.rule(await shared.group("Sales", await shared.user("201", sip("201", timeout_seconds=30))))
    async with two_phones(shared, "201") as pair, shared.provider() as caller:
        talk = await caller.calls(shared.did[1:])
        ringing = [await phone.takes() for phone in pair]
        (taken, phone), (left, _) = sorted(zip(ringing, pair, strict=True), key=lambda each: (each[1] is pair[0]) != (winner == "first"))
        await taken.answer()
        reason = (await left.cancelled()).get("Reason")
        assert "cause=200" in reason, reason  # answered elsewhere
        await talk.answered()
        phone.say(700)
        await caller.hears(700)
        caller.say(500)
        await phone.hears(500)
        assert shared.runtime.engine.node.phones.lines.of(shared.contact("201").id) == 1  # type: ignore[union-attr]
        await talk.hang_up()
        await taken.ended()
    (record,) = await shared.records(1)
    assert record.talked
    assert [step["what"] for step in record.trace].count("rings") == 1


@pytest.mark.feature("USR-3", "R9")
async def test_one_phone_of_a_login_is_busy_and_the_other_rings_on(shared: Pbx) -> None:
    await shared.rule(await shared.group("Sales", await shared.user("201", sip("201", timeout_seconds=30))))
    async with two_phones(shared, "201") as (busy, free), shared.provider() as caller:
        talk = await caller.calls(shared.did[1:])
        ringing = await free.takes()
        await busy.refuses(486)
        await ringing.answer()
        await talk.answered()
        free.say(700)
        await caller.hears(700)
        await talk.hang_up()
        await ringing.ended()


@pytest.mark.feature("USR-3", "R1")
async def test_a_caller_who_leaves_stops_all_phones_of_a_login(shared: Pbx) -> None:
    await shared.rule(await shared.group("Sales", await shared.user("201", sip("201", timeout_seconds=30))))
    async with two_phones(shared, "201") as pair, shared.provider() as caller:
        talk = await caller.calls(shared.did[1:])
        ringing = [await phone.takes() for phone in pair]
        talk.cancel()
        assert await talk.refused() == 487
        for each in ringing:
            await each.cancelled()
    (record,) = await shared.records(1)
    assert record.missed
