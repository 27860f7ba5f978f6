# SPDX-License-Identifier: Apache-2.0
"""Feature codes typed on live calls: transfers with and without consultation, mailbox, pickup; the other party hears no key of a code."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest

from engine.db import models
from engine.people import ContactWish
from engine.snapshot import Ref
from plugins.groups.api import Membership
from tests.calls.installation import REAL, own_address
from tests.calls.pbx import Pbx
from tests.calls.scene import CALLER, FIRST, SECOND, one_recording, steps, talking
from tests.calls.test_voicemail import speaks_after_the_beep
from tests.phones import sound

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.feature("PBX-6", "R13", "R19", "R20", "R21")
@pytest.mark.parametrize("code", ["*1202", "*8202#"])
async def test_a_transfer_by_code_without_consultation(shared: Pbx, code: str) -> None:
    async with AsyncExitStack() as stack:
        scene = await talking(shared, stack, recording=True)
        await scene.types(code)
        ringing = await scene.two.takes()
        assert "9271234567" in ringing.invite.get("From")  # R19
        await ringing.answer()
        await scene.served.ended()
        scene.two.say(SECOND)
        await scene.caller.hears(SECOND)
        await scene.two.hears(CALLER)
        await scene.caller.listen(1.0)
        await scene.talk.hang_up()
        await ringing.ended()
        (record,) = await shared.records(1)
        assert scene.caller.events_heard == []
    assert record.talked
    assert [leg.label for leg in sorted(record.legs, key=lambda x: x.started_at)][1:] == ["201", "202"]
    assert steps(record, "talk", "transfer_asked") == ["talk", "transfer_asked", "talk"]
    await one_recording(shared, record)


@pytest.mark.feature("R20", "R21")
async def test_a_cancelled_transfer_gives_the_caller_back_at_once(shared: Pbx) -> None:
    async with AsyncExitStack() as stack:
        scene = await talking(shared, stack)
        await scene.types("*1202")
        ringing = await scene.two.takes()
        heard = len(scene.one.heard)
        await scene.one.listen(0.5)
        assert scene.one.strength(425) > 0.5 or scene.one.loudness() < 100, heard  # ringback, not the caller
        await scene.types("*4")
        await ringing.cancelled()
        await scene.caller.hears(FIRST)
        await scene.one.hears(CALLER)
        await scene.talk.hang_up()
        await scene.served.ended()
        (record,) = await shared.records(1)
        assert scene.caller.events_heard == []
    assert steps(record, "talk", "transfer_asked", "transfer_cancelled") == ["talk", "transfer_asked", "transfer_cancelled", "talk"]


@pytest.mark.feature("PBX-6", "R13", "R19", "R20", "R21")
async def test_a_transfer_by_code_with_consultation(shared: Pbx) -> None:
    async with AsyncExitStack() as stack:
        scene = await talking(shared, stack, recording=True)
        await scene.types("*2202")
        ringing = await scene.two.takes()
        assert "sip:201@" in ringing.invite.get("From")  # R19: the one who consults
        await ringing.answer()
        scene.two.say(SECOND)
        await scene.one.hears(SECOND)
        await scene.two.hears(FIRST)
        await scene.caller.listen(0.5)
        assert scene.caller.strength(FIRST) < 0.1
        assert scene.caller.loudness() > 100  # music
        await scene.types("*3")
        await scene.caller.hears(FIRST)
        await scene.one.hears(CALLER)
        await scene.types("*3")
        await scene.one.hears(SECOND)
        await scene.served.hang_up()
        await scene.caller.hears(SECOND)
        await scene.two.hears(CALLER)
        await scene.caller.listen(1.0)
        await scene.talk.hang_up()
        await ringing.ended()
        (record,) = await shared.records(1)
        assert scene.caller.events_heard == []
        assert scene.two.events_heard == []
    assert record.talked
    assert [leg.label for leg in sorted(record.legs, key=lambda x: x.started_at)][1:] == ["201", "202"]
    told = ["talk", "consults", "consultation", "toggled", "toggled", "handed_over", "talk"]
    assert steps(record, *told) == told
    await one_recording(shared, record)


@pytest.mark.feature("R19")
@pytest.mark.skipif(REAL, reason="FreeSWITCH tells only makes of phones that it knows")
async def test_the_consulted_phone_shows_the_caller_after_the_transfer(shared: Pbx) -> None:
    async with AsyncExitStack() as stack:
        scene = await talking(shared, stack)
        await scene.types("*2202")
        ringing = await scene.two.takes()
        scene.two.take(ringing.invite.body)
        able = [("Allow", "INVITE, ACK, CANCEL, BYE, UPDATE, OPTIONS"), ("User-Agent", "Desk phone")]
        scene.two.send(scene.two.reply(ringing.invite, 200, tag=ringing.tag, body=scene.two.sdp(), extra=able))
        await scene.two.get("ACK")
        scene.two.say(SECOND)
        await scene.one.hears(SECOND)
        await scene.served.hang_up()
        contact = [("Contact", f"<{scene.two.contact}>")]
        while "9271234567" not in (update := await scene.two.get("UPDATE")).get("P-Asserted-Identity"):
            scene.two.send(scene.two.reply(update, 200, extra=contact))
        scene.two.send(scene.two.reply(update, 200, extra=contact))
        await scene.caller.hears(SECOND)
        await scene.talk.hang_up()
        await ringing.ended()
        await shared.records(1)


@pytest.mark.feature("R20", "R21")
@pytest.mark.parametrize("waits", [True, False], ids=["listens", "has hung up"])
async def test_a_transfer_by_code_that_nobody_takes_comes_back(shared: Pbx, waits: bool) -> None:
    async with AsyncExitStack() as stack:
        await shared.user("203", ContactWish(kind="sip", address="203", timeout_seconds=1))
        scene = await talking(shared, stack)
        third = await stack.enter_async_context(shared.telephone("203"))
        await scene.types("*1203")
        ringing = await third.takes()
        if waits:
            await ringing.cancelled()
        else:
            await scene.served.hang_up()
            await ringing.cancelled()
            scene.served = await scene.one.answers()  # R20
        scene.forget()
        await scene.caller.hears(FIRST)
        await scene.one.hears(CALLER)
        await scene.talk.hang_up()
        await scene.served.ended()
        (record,) = await shared.records(1)
    assert steps(record, "talk", "transfer_asked", "transfer_returns") == ["talk", "transfer_asked", "transfer_returns", "talk"]


@pytest.mark.feature("R20", "R21")
@pytest.mark.parametrize("end", ["cancels while it rings", "cancels in the talk", "the third hangs up", "the caller hangs up"])
async def test_the_end_of_a_consultation(shared: Pbx, end: str) -> None:
    async with AsyncExitStack() as stack:
        scene = await talking(shared, stack)
        await scene.types("*2202")
        ringing = await scene.two.takes()
        if end == "cancels while it rings":
            await scene.types("*4")
            await ringing.cancelled()
        else:
            await ringing.answer()
            scene.two.say(SECOND)
            await scene.one.hears(SECOND)
            if end == "cancels in the talk":
                await scene.types("*4")
                await ringing.ended()
            elif end == "the third hangs up":
                await ringing.hang_up()
        if end == "the caller hangs up":
            await scene.talk.hang_up()
            await shared.step("talk", who="202")
            await scene.one.listen(0.5)
            await scene.one.hears(SECOND)  # the two talk on
            await scene.served.hang_up()
            await ringing.ended()
        else:
            await scene.caller.hears(FIRST)
            await scene.one.hears(CALLER)
            await scene.talk.hang_up()
            await scene.served.ended()
        (record,) = await shared.records(1)
        assert scene.caller.events_heard == []
        assert scene.two.events_heard == []
    assert record.talked


@pytest.mark.feature("R20", "R13")
@pytest.mark.parametrize("code", ["*1202", "*2202"])
async def test_an_employee_who_has_called_transfers_by_code(shared: Pbx, code: str) -> None:
    """The outside party is the one dialled; the employee's leg is the one that the call began with."""
    async with AsyncExitStack() as stack:
        for login in ("201", "202"):
            await shared.user(login, recording=True)
        one, two = [await stack.enter_async_context(shared.telephone(login)) for login in ("201", "202")]
        provider = await stack.enter_async_context(shared.provider())
        trunk = await shared.line(server=provider.host, port=provider.port)
        await shared.number("+74956670010" if code == "*1202" else "+74956670011", trunk)
        async with shared.edit() as edit:
            await models.Did.of(shared.account, edit.tx).filter(number=shared.did).update(trunk_id=trunk.id)
        talk = await one.call("89031234567")
        outside = await provider.answers()
        await talk.answered()
        provider.say(CALLER)
        one.say(FIRST)
        await one.hears(CALLER)
        await provider.hears(FIRST)
        await shared.step("talk")
        await one.listen(1.0)
        one.quiet()
        await one.press(code)
        ringing = await two.answers()
        two.say(SECOND)
        if code == "*2202":
            await one.hears(SECOND)
            await talk.hang_up()
        else:
            await talk.ended()
        await provider.hears(SECOND)
        await two.hears(CALLER)
        await provider.listen(1.0)
        await outside.hang_up()
        await ringing.ended()
        (record,) = await shared.records(1)
        assert provider.events_heard == []
    assert record.talked
    (recording,) = record.recordings  # one file, though it went over to the leg that stays (R13); nobody changes sides
    left, right = sound.read(shared.media / recording.path)
    beginning, end = slice(2000, 6000), slice(-6000, -2000)
    assert [sound.strength(side[beginning], tone) > 0.8 for side, tone in ((left, FIRST), (right, CALLER))] == [True, True]
    assert [sound.strength(side[end], tone) > 0.8 for side, tone in ((left, SECOND), (right, CALLER))] == [True, True]
    assert recording.seconds == pytest.approx(len(left) / sound.RATE, abs=0.1)
    assert recording.seconds > 2.5


@pytest.mark.feature("PBX-6", "R21", "R16")
async def test_a_consultation_with_somebody_outside(shared: Pbx) -> None:
    async with AsyncExitStack() as stack:
        scene = await talking(shared, stack)
        outside = await stack.enter_async_context(shared.provider("+79031234567", address=own_address()))
        trunk = await shared.line(server=outside.host, port=outside.port)
        await shared.number("+74956670012", trunk)
        await scene.talk.hang_up()
        await scene.served.ended()
        talk = await scene.caller.calls(shared.did[1:])
        served = await scene.one.answers()
        await talk.answered()
        await scene.types("*989031234567")  # ended by the pause
        ringing = await outside.answers()
        assert "74956670012" in ringing.invite.get("From")  # R19
        outside.say(SECOND)
        await scene.one.hears(SECOND)
        await served.hang_up()
        await scene.caller.hears(SECOND)
        await outside.hears(CALLER)
        await talk.hang_up()
        await ringing.ended()
        await shared.records(2)
        assert outside.events_heard == []


@pytest.mark.feature("R21")
async def test_other_keys_arrive_whole(shared: Pbx) -> None:
    async with AsyncExitStack() as stack:
        scene = await talking(shared, stack)
        await scene.types("1*05#")
        await scene.caller.keys(1, 10, 0, 5, 11, within=10)
        await scene.types("*")  # it may begin a code, for two seconds
        await scene.caller.keys(1, 10, 0, 5, 11, 10, within=10)
        scene.caller.quiet()
        await scene.caller.press("*1202")  # no code: he is no employee
        await scene.one.keys(10, 1, 2, 0, 2, within=10)
        await scene.talk.hang_up()
        await scene.served.ended()
        (record,) = await shared.records(1)
    assert len(record.legs) == 2


@pytest.mark.feature("PBX-6", "R15", "VM-1")
async def test_to_the_mailbox_of_the_first_group(shared: Pbx) -> None:
    async with AsyncExitStack() as stack:
        scene = await talking(shared, stack)
        await scene.types("*6")
        await scene.served.ended()
        await speaks_after_the_beep(scene.caller, 2.0)
        await scene.talk.hang_up()
        (record,) = await shared.records(1)
    assert record.talked
    assert steps(record, "voicemail", "message_left") == ["voicemail", "message_left"]


@pytest.mark.feature("PBX-6", "RST-1")
async def test_what_may_not_be_called_is_not_transferred_to(shared: Pbx) -> None:
    async with AsyncExitStack() as stack:
        scene = await talking(shared, stack, forbidden_prefixes=("810",))
        refused = {"*8810442071234567#": "gate", "*1999": "no_such_number", "*1201": "already_in_call", "*3": "nothing_to_cancel"}
        for typed, why in refused.items():
            await scene.types(typed)
            await shared.step("code_refused", why=why)
            await scene.one.hears(425, seconds=0.1, since=0)  # he is told by tones
            await scene.caller.hears(FIRST)
        await scene.talk.hang_up()
        await scene.served.ended()
        (record,) = await shared.records(1)
        assert scene.caller.events_heard == []
    assert steps(record, "talk") == ["talk"]


@pytest.mark.feature("PBX-6", "R15", "R12")
async def test_pickup_takes_the_longest_waiting_call_of_the_own_groups(shared: Pbx) -> None:
    users = {login: await shared.user(login) for login in ("201", "203", "204")}
    members = (Membership(users["201"], 1), Membership(users["204"], 2))
    await shared.rule(await shared.group("Sales", members=members, recording=True))
    await shared.group("Support", users["203"])
    async with AsyncExitStack() as stack:
        rung, stranger, picker = [await stack.enter_async_context(shared.telephone(login)) for login in users]
        nothing = await picker.call("*7")
        assert await nothing.refused() == 480
        first = await stack.enter_async_context(shared.provider("+79270000011"))
        second = await stack.enter_async_context(shared.provider("+79270000012"))
        talk = await first.calls(shared.did[1:])
        ringing = await rung.takes()
        denied = await stranger.call("*7")  # it rings in none of his groups
        assert await denied.refused() == 480
        later = await second.calls(shared.did[1:])
        own = await picker.takes()  # 201 is busy
        fetched = await picker.call("*7")
        await fetched.answered()
        await talk.answered()
        await ringing.cancelled()
        first.say(CALLER)
        picker.say(SECOND)
        await first.hears(SECOND)
        await picker.hears(CALLER)
        later.cancel()
        assert await later.refused() == 487
        await own.cancelled()
        await first.listen(1.0)
        await talk.hang_up()
        await fetched.ended()
        records = await shared.records(5)
    (record,) = [r for r in records if r.caller_number == "+79270000011"]
    assert (record.talked, record.missed) == (True, False)
    assert steps(record, "picked_up") == ["picked_up"]
    assert {leg.label: leg.cause for leg in record.legs}["201"] in ("LOSE_RACE", "PICKED_OFF")
    await one_recording(shared, record)


@pytest.mark.feature("PBX-2", "R14")
@pytest.mark.parametrize("otherwise", ["no-answer action", "the holder again"])
async def test_who_is_held_for_too_long_is_not_kept(shared: Pbx, otherwise: str) -> None:
    async with AsyncExitStack() as stack:
        async with shared.edit() as edit:
            await models.Account.filter(id=shared.account).using_db(edit.tx).update(max_hold_seconds=2)
        two = Ref("core.user", await shared.user("203"))
        scene = await talking(shared, stack, **({"no_answer": two} if otherwise == "no-answer action" else {}))
        third = await stack.enter_async_context(shared.telephone("203"))
        await scene.served.hold()
        await scene.caller.listen(0.5)
        assert scene.caller.strength(FIRST) < 0.1
        await shared.step("hold_expired")
        if otherwise == "no-answer action":
            await scene.served.ended()
        line = third if otherwise == "no-answer action" else scene.one
        while (answered := await line.incoming()).invite.tag("To"):
            pass  # FreeSWITCH asks the phone to end its hold before it hangs it up
        await answered.answer()
        line.say(SECOND)
        await scene.caller.hears(SECOND)
        await scene.talk.hang_up()
        await answered.ended()
        (record,) = await shared.records(1)
    assert record.talked
    assert "hold_expired" in steps(record, "hold_expired")


@pytest.mark.feature("PBX-6", "R15")
async def test_a_colleagues_own_call_to_outside_is_nobodys_to_pick_up(shared: Pbx) -> None:
    """It shows the number of the group, but rings for the one who was called."""
    async with AsyncExitStack() as stack:
        users = [await shared.user(login) for login in ("201", "202")]
        await shared.group("Sales", *users)
        one, two = [await stack.enter_async_context(shared.telephone(login)) for login in ("201", "202")]
        provider = await stack.enter_async_context(shared.provider())
        trunk = await shared.line(server=provider.host, port=provider.port)
        await shared.number("+74956670021", trunk)
        talk = await one.call("89031234567")
        ringing = await provider.takes()
        await shared.step("phone_rings")
        nothing = await two.call("*7")
        assert await nothing.refused() >= 400
        await ringing.answer()
        await talk.answered()
        provider.say(CALLER)
        await one.hears(CALLER)
        await talk.hang_up()
        await ringing.ended()
        await shared.records(2)
