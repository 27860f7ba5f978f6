# SPDX-License-Identifier: Apache-2.0
"""Consultations by code when something else happens meanwhile: colleagues who are recorded or closed, phones that transfer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import pytest_asyncio

from engine.db import models
from engine.people import ContactWish
from plugins.schedules.part import Schedule
from plugins.schedules.service import save_schedule
from tests.calls.pbx import Pbx
from tests.calls.scene import CALLER, FIRST, OTHER, SECOND, Scene, meet, one_recording, steps, talking
from tests.calls.telephone import Line
from tests.embedded.telephone import Answering, Talk, replaces
from tests.phones import sound

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass
class Consultation(Scene):
    """201 has put the caller on hold and talks with 202. 203, 205 and 206, who is rung for a second only, have plugged no phone in yet."""

    office: Pbx
    stack: AsyncExitStack
    consulted: Answering

    async def plug_in(self, login: str, *, register: bool = True) -> Line:
        return await self.stack.enter_async_context(self.office.telephone(login, register=register))

    async def goes_on_at(self, login: str, talk: Answering) -> tuple[Line, Talk]:
        """This phone takes the place of the one that talks here (INVITE with Replaces)."""
        line = await self.plug_in(login)
        return line, await takes_the_place(line, talk.tags)


@dataclass
class Inside:
    """201 has called 202; everybody says a tone of his own."""

    one: Line
    talk: Talk
    two: Line
    served: Answering

    async def types(self, keys: str) -> None:
        """201 presses keys."""
        self.one.quiet()
        await self.one.press(keys)
        self.one.say(CALLER)


@pytest_asyncio.fixture(loop_scope="session")
async def stack(shared: Pbx) -> AsyncIterator[AsyncExitStack]:
    """What a test has plugged in is unplugged at its end."""
    async with AsyncExitStack() as plugged:
        yield plugged


@pytest_asyncio.fixture(loop_scope="session")
async def consultation(shared: Pbx, stack: AsyncExitStack) -> Consultation:
    for login in ("203", "205"):
        await shared.user(login)
    await shared.user("206", ContactWish(kind="sip", address="206", timeout_seconds=1))
    scene = await talking(shared, stack)
    await scene.types("*2202")
    consulted = await scene.two.answers()
    scene.two.say(SECOND)
    await scene.one.hears(SECOND)
    await scene.two.hears(FIRST)
    scene.forget()
    return Consultation(**vars(scene), office=shared, stack=stack, consulted=consulted)


async def inside(office: Pbx, stack: AsyncExitStack) -> Inside:
    """Phones of 201 and 202, who are there, are plugged in."""
    one, two = [await stack.enter_async_context(office.telephone(login)) for login in ("201", "202")]
    talk = await one.call("202")
    served = await two.answers()
    await talk.answered()
    one.say(CALLER)
    two.say(FIRST)
    await one.hears(FIRST)
    return Inside(one, talk, two, served)


def two_lines(login: str) -> ContactWish:
    return ContactWish(kind="sip", address=login, timeout_seconds=30, lines=2)


async def takes_the_place(line: Line, tags: tuple[str, str, str]) -> Talk:
    call_id, remote, local = tags
    talk = await line.call("202", extra=[("Replaces", f"{call_id};to-tag={remote};from-tag={local}")])
    await talk.answered()
    line.say(OTHER)
    return talk


async def recorded_from_the_hand_over(office: Pbx, record: models.CallRecord) -> None:
    """The recording has nothing of the talk before, and both sides of the one after."""
    await one_recording(office, record)
    _, right = sound.read(office.media / record.recordings[0].path)
    assert sound.strength(right[4000:8000], FIRST) < 0.1


@pytest.mark.feature("R13", "R20")
@pytest.mark.parametrize("whose", ["user", "group"])
async def test_a_talk_handed_over_to_whoever_is_recorded_is_recorded(shared: Pbx, stack: AsyncExitStack, whose: str) -> None:
    third = await shared.user("203", recording=whose == "user")
    if whose == "group":
        await shared.group("Recorded", third, extension="300", recording=True)
    scene = await talking(shared, stack)
    three = await stack.enter_async_context(shared.telephone("203"))
    await scene.types("*2203" if whose == "user" else "*2300")
    ringing = await three.answers()
    three.say(SECOND)
    await scene.one.hears(SECOND)
    await scene.served.hang_up()
    await scene.caller.hears(SECOND)
    await scene.caller.listen(1.5)
    await scene.talk.hang_up()
    await ringing.ended()
    (record,) = await shared.records(1)
    await recorded_from_the_hand_over(shared, record)


@pytest.mark.feature("R13")
@pytest.mark.parametrize("whose", ["user", "group"])
async def test_a_talk_handed_over_by_a_phone_to_whoever_is_recorded_is_recorded(shared: Pbx, stack: AsyncExitStack, whose: str) -> None:
    """REFER with Replaces."""
    first = await shared.user("201", two_lines("201"))
    third = await shared.user("203", recording=whose == "user")
    await shared.rule(await shared.group("Sales", first))
    await shared.group("Recorded", third, extension="300", recording=whose == "group")
    scene = await meet(shared, stack, second="203")
    await scene.served.hold()
    second = await scene.one.call("203" if whose == "user" else "300")
    ringing = await scene.two.answers()
    await second.answered()
    scene.two.say(SECOND)
    await scene.one.hears(SECOND)
    assert await scene.served.refer(replaces(second.tags, f"203@{shared.domain}")) == 202
    await scene.caller.hears(SECOND)
    await scene.caller.listen(1.5)
    await scene.talk.hang_up()
    await ringing.ended()
    records = await shared.records(2)
    (record,) = [r for r in records if r.direction == "in"]
    await one_recording(shared, record)


@pytest.mark.feature("PBX-6", "GRP-4", "GRP-9", "SCH-1")
async def test_a_group_is_consulted_with_the_groups_inside_it_and_without_whoever_is_closed(shared: Pbx, stack: AsyncExitStack) -> None:
    logins = ("203", "204", "205")
    async with shared.edit() as edit:
        never = await save_schedule(edit, Schedule(id=0, title="Never", days=()))
    third, fourth, fifth = [await shared.user(login, schedule=never.ref if login == "205" else None) for login in logins]
    outer = await shared.group("Department", fifth, extension="300")
    await shared.group("Team", third, parent=outer)
    await shared.group("Night shift", fourth, parent=outer, active=False)
    scene = await talking(shared, stack)
    three, four, five = [await stack.enter_async_context(shared.telephone(login)) for login in logins]
    await scene.types("*2300")
    ringing = await three.answers()
    three.say(SECOND)
    await scene.one.hears(SECOND)
    await scene.served.hang_up()
    await scene.caller.hears(SECOND)
    await scene.talk.hang_up()
    await ringing.ended()
    await shared.records(1)
    assert (four.rung, five.rung) == ([], [])


@pytest.mark.feature("PBX-6", "GRP-9", "R6")
async def test_a_closed_group_is_not_consulted(shared: Pbx, stack: AsyncExitStack) -> None:
    await shared.group("Night shift", await shared.user("203"), extension="300", active=False)
    scene = await talking(shared, stack)
    three = await stack.enter_async_context(shared.telephone("203"))
    await scene.types("*2300")
    await shared.step("code_refused", why="empty")
    await scene.one.hears(425, seconds=0.1, since=0)
    await scene.the_two_talk_again()
    await shared.records(1)
    assert three.rung == []


@pytest.mark.feature("PBX-6", "R15", "R20", "R13")
@pytest.mark.parametrize("then", ["the caller is handed over", "cancelled", "the colleague hangs up"])
async def test_the_ringing_of_a_consultation_is_picked_up(shared: Pbx, stack: AsyncExitStack, then: str) -> None:
    """Whoever picks it up talks with the one who consults; the caller goes on waiting."""
    users = [await shared.user(login, two_lines(login)) for login in ("203", "204")]
    await shared.group("Department", *users, extension="300", recording=True)
    scene = await talking(shared, stack)
    three, four = [await stack.enter_async_context(shared.telephone(login)) for login in ("203", "204")]
    await scene.types("*2300")
    rings, ringing = await four.takes(), await three.takes()
    picks = await four.call("*7")
    await picks.answered()
    await ringing.cancelled()
    await rings.cancelled()
    four.say(SECOND)
    await scene.one.hears(SECOND)
    await four.hears(FIRST)
    scene.forget()
    await scene.caller.listen(0.5)
    assert scene.caller.strength(FIRST) + scene.caller.strength(SECOND) < 0.1
    if then == "the caller is handed over":
        await scene.served.hang_up()
        await scene.caller.hears(SECOND)
        await four.hears(CALLER)
        await scene.caller.listen(1.5)
        await scene.talk.hang_up()
        await picks.ended()
    else:
        if then == "cancelled":
            await scene.types("*4")
            await picks.ended()
        else:
            await picks.hang_up()
        await scene.the_two_talk_again()
    records = await shared.records(2)
    (record,) = [r for r in records if r.direction == "in"]
    assert record.talked
    assert steps(record, "picked_up") == ["picked_up"]
    if then == "the caller is handed over":
        await recorded_from_the_hand_over(shared, record)


@pytest.mark.feature("PBX-6", "R15", "R20")
async def test_the_ringing_of_a_consultation_by_who_has_called_is_picked_up(shared: Pbx, stack: AsyncExitStack) -> None:
    """He is the one served until then."""
    logins = ("201", "202", "203", "204")
    users = [await shared.user(login, two_lines(login)) for login in logins]
    await shared.group("Department", *users[2:], extension="300")
    scene = await inside(shared, stack)
    three, four = [await stack.enter_async_context(shared.telephone(login)) for login in logins[2:]]
    await scene.types("*2300")
    rings, ringing = await four.takes(), await three.takes()
    picks = await four.call("*7")
    await picks.answered()
    await ringing.cancelled()
    await rings.cancelled()
    four.say(SECOND)
    await scene.one.hears(SECOND)
    await four.hears(CALLER)
    await scene.talk.hang_up()
    await scene.two.hears(SECOND)
    await four.hears(FIRST)
    await scene.served.hang_up()
    await picks.ended()
    await shared.records(2)


@pytest.mark.feature("R20")
@pytest.mark.parametrize(
    ("leave", "stays"),
    [
        (("transferor", "caller"), "consulted"),
        (("caller", "transferor"), "consulted"),
        (("transferor", "consulted"), "caller"),
        (("consulted", "transferor"), "caller"),
        (("consulted", "caller"), "transferor"),
        (("caller", "consulted"), "transferor"),
    ],
)
async def test_nobody_is_left_alone_when_two_hang_up_in_the_same_moment(
    shared: Pbx, consultation: Consultation, leave: tuple[str, str], stays: str
) -> None:
    scene, ringing = consultation, consultation.consulted
    parties = {"transferor": scene.served, "consulted": ringing, "caller": scene.talk}
    for who in leave:
        parties[who].request("BYE")
    await parties[stays].ended()
    (record,) = await shared.records(1)
    assert record.talked


@pytest.mark.feature("R20", "R21")
async def test_who_consults_sends_the_caller_elsewhere_by_his_phone(shared: Pbx, consultation: Consultation) -> None:
    """REFER: the consultation is over, and the one who waits goes where the phone says."""
    scene, ringing = consultation, consultation.consulted
    three = await scene.plug_in("203")
    assert await scene.served.refer(f"sip:203@{shared.domain}") == 202
    taken = await three.answers()
    await ringing.ended()
    await scene.served.ended()
    three.say(OTHER)
    await scene.caller.hears(OTHER)
    await three.hears(CALLER)
    await scene.talk.hang_up()
    await taken.ended()
    (record,) = await shared.records(1)
    assert steps(record, "talk", "transfer_asked") == ["talk", "transfer_asked", "talk"]


@pytest.mark.feature("R20", "R21")
async def test_who_consults_sends_the_caller_to_the_one_consulted_by_his_phone(shared: Pbx, consultation: Consultation) -> None:
    scene, ringing = consultation, consultation.consulted
    assert await scene.served.refer(f"sip:202@{shared.domain}") == 202
    await scene.served.ended()
    await scene.caller.hears(SECOND)
    await scene.two.hears(CALLER)
    await scene.talk.hang_up()
    await ringing.ended()
    await shared.records(1)


@pytest.mark.feature("R20", "R21")
async def test_who_has_turned_back_to_the_caller_sends_him_elsewhere_by_his_phone(shared: Pbx, consultation: Consultation) -> None:
    scene, ringing = consultation, consultation.consulted
    three = await scene.plug_in("203")
    await scene.types("*3")
    await scene.caller.hears(FIRST)
    assert await scene.served.refer(f"sip:203@{shared.domain}") == 202
    taken = await three.answers()
    await ringing.ended()
    await scene.served.ended()
    three.say(OTHER)
    await scene.caller.hears(OTHER)
    await scene.talk.hang_up()
    await taken.ended()
    await shared.records(1)


@pytest.mark.feature("R20", "R21")
@pytest.mark.parametrize("then", ["answers", "hands over while it rings", "cancels while it rings", "nobody answers", "nobody there"])
async def test_who_is_consulted_sends_the_employee_to_a_colleague_by_his_phone(shared: Pbx, consultation: Consultation, then: str) -> None:
    """REFER: the colleague is consulted then, and the caller goes on waiting."""
    scene, ringing = consultation, consultation.consulted
    whom = "206" if then == "nobody answers" else "203"
    three = await scene.plug_in(whom, register=then != "nobody there")
    assert await ringing.refer(f"sip:{whom}@{shared.domain}") == 202
    await ringing.ended()
    three_rings = await three.takes() if then != "nobody there" else None
    if three_rings is not None:
        assert "sip:201@" in three_rings.invite.get("From")  # R19: it sees who consults
    if then == "hands over while it rings":
        await scene.served.hang_up()
    if then in ("answers", "hands over while it rings"):
        assert three_rings is not None
        await three_rings.answer()
        three.say(OTHER)
    if then == "answers":
        await scene.one.hears(OTHER)
        await three.hears(FIRST)
        await scene.caller.listen(0.5)
        assert scene.caller.strength(FIRST) + scene.caller.strength(OTHER) < 0.1
        await scene.types("*3")
        await scene.caller.hears(FIRST)
        await scene.served.hang_up()
    if then in ("answers", "hands over while it rings"):
        assert three_rings is not None
        await scene.caller.hears(OTHER)
        await three.hears(CALLER)
        await scene.talk.hang_up()
        await three_rings.ended()
    else:
        if three_rings is not None:
            if then == "cancels while it rings":
                await scene.types("*4")
            await three_rings.cancelled()
        await scene.the_two_talk_again()
    (record,) = await shared.records(1)
    assert record.talked


@pytest.mark.feature("R20", "R21")
async def test_who_is_consulted_sends_nobody_out_of_the_house_by_his_phone(shared: Pbx, consultation: Consultation) -> None:
    """He has left, and the two talk again."""
    scene, ringing = consultation, consultation.consulted
    assert await ringing.refer(f"sip:89031234567@{shared.domain}") == 202
    await ringing.ended()
    await scene.the_two_talk_again()
    (record,) = await shared.records(1)
    assert steps(record, "transfer_refused") == ["transfer_refused"]


@pytest.mark.feature("R20", "R21")
@pytest.mark.parametrize("then", ["the caller is handed over", "the third hangs up", "the caller hangs up"])
async def test_who_is_consulted_goes_on_at_another_phone(shared: Pbx, consultation: Consultation, then: str) -> None:
    scene, ringing = consultation, consultation.consulted
    other, taken = await scene.goes_on_at("205", ringing)
    await ringing.ended()
    await scene.one.hears(OTHER)
    await other.hears(FIRST)
    await shared.step("consultation", who="205")
    if then == "the third hangs up":
        await taken.hang_up()
        await scene.the_two_talk_again()
    elif then == "the caller hangs up":
        await scene.talk.hang_up()
        await shared.step("talk", who="205")
        scene.forget()
        await scene.one.hears(OTHER)
        await scene.served.hang_up()
        await taken.ended()
    else:
        await scene.served.hang_up()
        await scene.caller.hears(OTHER)
        await other.hears(CALLER)
        await scene.talk.hang_up()
        await taken.ended()
    (record,) = await shared.records(1)
    assert record.talked


@pytest.mark.feature("R20", "R21")
@pytest.mark.parametrize("then", ["the caller is handed over", "the third hangs up", "cancelled"])
async def test_who_consults_goes_on_at_another_phone(shared: Pbx, consultation: Consultation, then: str) -> None:
    scene, ringing = consultation, consultation.consulted
    other, taken = await scene.goes_on_at("205", scene.served)
    await scene.served.ended()
    await scene.two.hears(OTHER)
    await other.hears(SECOND)
    await shared.step("consultation", by="205")
    if then == "the caller is handed over":
        await taken.hang_up()
        await scene.caller.hears(SECOND)
        await scene.two.hears(CALLER)
        await scene.talk.hang_up()
        await ringing.ended()
    else:
        if then == "cancelled":
            other.quiet()
            await other.press("*4")
            other.say(OTHER)
            await ringing.ended()
        else:
            await ringing.hang_up()
        await scene.caller.hears(OTHER)
        await other.hears(CALLER)
        await scene.talk.hang_up()
        await taken.ended()
    (record,) = await shared.records(1)
    assert record.talked


@pytest.mark.feature("R20", "R21")
@pytest.mark.parametrize("then", ["REFER", "another phone", "the other two leave"])
async def test_the_same_by_an_employee_who_has_called(shared: Pbx, stack: AsyncExitStack, then: str) -> None:
    """He is the one served until then."""
    for login in ("201", "202", "203", "204", "205"):
        await shared.user(login)
    scene = await inside(shared, stack)
    three = await stack.enter_async_context(shared.telephone("203"))
    await scene.types("*2203")
    second = await three.answers()
    three.say(SECOND)
    await scene.one.hears(SECOND)
    await three.hears(CALLER)
    scene.two.heard.clear()
    if then == "REFER":
        four = await stack.enter_async_context(shared.telephone("204"))
        assert await scene.talk.refer(f"sip:204@{shared.domain}") == 202
        taken: Answering | Talk = await four.answers()
        await second.ended()
        await scene.talk.ended()
        four.say(OTHER)
        await scene.two.hears(OTHER)
        await four.hears(FIRST)
        await scene.served.hang_up()
        await taken.ended()
    elif then == "another phone":
        taken = await takes_the_place(await stack.enter_async_context(shared.telephone("205")), scene.talk.tags)
        await scene.talk.ended()
        await three.hears(OTHER)
        await shared.step("consultation", by="205")
        await taken.hang_up()
        await scene.two.hears(SECOND)
        await three.hears(FIRST)
        await scene.served.hang_up()
        await second.ended()
    else:
        scene.served.request("BYE")
        second.request("BYE")
        await scene.talk.ended()
    (record,) = await shared.records(1)
    assert record.talked
