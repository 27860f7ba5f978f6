# SPDX-License-Identifier: Apache-2.0
"""Hold and transfers, asked by real softphones: blind by REFER, attended by REFER with Replaces; one talk, one CDR."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from engine.db import models
from engine.people import ContactWish
from tests.calls.pbx import Pbx
from tests.calls.telephone import Line, Provider
from tests.embedded.telephone import Answering, Talk, replaces
from tests.phones import sound
from tests.phones.pjsua import PjsuaPhone

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Scene:
    """A caller talks with the softphone 201; 202 is a telephone in this process."""

    def __init__(self, caller: Provider, talk: Talk, phone: PjsuaPhone, call: str, other: Line) -> None:
        self.caller, self.talk, self.phone, self.call, self.other = caller, talk, phone, call, other


async def talking(office: Pbx, stack: AsyncExitStack, *, recording: bool = False) -> Scene:
    await office.rule(await office.group("Sales", await office.user("201"), recording=recording))
    await office.user("202")
    says = sound.tone(office.folder / "201-says.wav", 1300)
    phone = await stack.enter_async_context(office.phone("201", speak=str(says), hear=str(office.folder / "201-hears.wav")))
    other = await stack.enter_async_context(office.telephone("202"))
    caller = await stack.enter_async_context(office.provider())
    await phone.registered()
    await office.registered("201")
    talk = await caller.calls(office.did[1:])
    call = str((await phone.incoming(20))["call"])
    phone.answer(call)
    await phone.talking(call, 20)
    await talk.answered()
    caller.say(500)
    await caller.hears(1300)
    return Scene(caller, talk, phone, call, other)


@pytest.mark.feature("R20", "OUT-1")
async def test_a_blind_transfer_by_the_callee(shared: Pbx) -> None:
    async with AsyncExitStack() as stack:
        scene = await talking(shared, stack)
        scene.phone.do("transfer", call=scene.call, uri=f"sip:202@{shared.domain}")
        ringing = await scene.other.takes()
        assert "9271234567" in ringing.invite.get("From")  # R19: the target sees the caller
        await scene.phone.over(scene.call, 20)
        await ringing.answer()
        scene.other.say(900)
        await scene.caller.hears(900)
        await scene.other.hears(500)
        await scene.talk.hang_up()
        await ringing.ended()
        (record,) = await shared.records(1)
    assert record.talked
    assert [leg.label for leg in sorted(record.legs, key=lambda x: x.started_at)][1:] == ["201", "202"]


@pytest.mark.feature("R20")
async def test_a_blind_transfer_that_nobody_takes_comes_back(shared: Pbx) -> None:
    async with AsyncExitStack() as stack:
        await shared.user("203", ContactWish(kind="sip", address="203", timeout_seconds=1))
        scene = await talking(shared, stack)
        third = await stack.enter_async_context(shared.telephone("203"))
        scene.phone.do("transfer", call=scene.call, uri=f"sip:203@{shared.domain}")
        await third.takes()
        await scene.phone.over(scene.call, 20)
        scene.caller.heard.clear()  # nothing may have come since: what he hears below is new
        back = str((await scene.phone.incoming(20))["call"])
        scene.phone.answer(back)
        await scene.caller.hears(1300)
        await scene.talk.hang_up()
        (record,) = await shared.records(1)
    assert record.talked
    assert [s["what"] for s in record.trace if s["what"] in ("talk", "transfer_returns")] == ["talk", "transfer_returns", "talk"]


@pytest.mark.feature("R20")
async def test_a_second_blind_transfer_that_nobody_takes_comes_back_to_who_has_made_it(shared: Pbx) -> None:
    async with AsyncExitStack() as stack:
        users = [await shared.user(login) for login in ("201", "202")]
        await shared.user("203", ContactWish(kind="sip", address="203", timeout_seconds=1))
        await shared.rule(await shared.group("Sales", users[0]))
        one, two, three = [await stack.enter_async_context(shared.telephone(login)) for login in ("201", "202", "203")]
        caller = await stack.enter_async_context(shared.provider())
        talk = await caller.calls(shared.did[1:])
        first = await one.answers()
        await talk.answered()
        caller.say(500)
        await one.hears(500)
        assert await first.refer(f"sip:202@{shared.domain}") == 202
        await first.ended()
        second = await two.answers()
        await two.hears(500)
        assert await second.refer(f"sip:203@{shared.domain}") == 202
        await second.ended()
        await three.takes()
        back = await two.answers()
        two.heard.clear()
        await two.hears(500)
        await talk.hang_up()
        await back.ended()
        (record,) = await shared.records(1)
        assert len(one.rung) == 1
    assert [s["facts"]["by"] for s in record.trace if s["what"] == "transfer_asked"] == ["201", "202"]


@pytest.mark.feature("R20", "R13", "R19")
async def test_an_attended_transfer_keeps_the_talk_and_one_record(shared: Pbx) -> None:
    async with AsyncExitStack() as stack:
        scene = await talking(shared, stack, recording=True)
        scene.phone.do("hold", call=scene.call)
        await shared.step("held")
        second = await scene.phone.call("202")
        ringing = await scene.other.answers()
        assert "sip:201@" in ringing.invite.get("From")
        await scene.phone.talking(second, 20)
        scene.other.say(900)
        await scene.other.hears(1300)  # the consultation
        scene.phone.do("transfer_replaces", call=scene.call, other=second)
        await scene.caller.hears(900)
        await scene.other.hears(500)
        await scene.phone.over(scene.call, 20)
        await shared.left_with(1)  # the consultation is over
        await scene.talk.hang_up()
        await ringing.ended()
        await shared.quiet()
        records = await shared.records(2)
    outside = [r for r in records if r.direction == "in"]
    assert len(outside) == 1  # the talk itself; the consultation was a call of its own
    assert len(records) == 2
    (record,) = outside
    assert record.talked
    assert {leg.label for leg in record.legs} >= {"201", "202"}
    assert len(record.recordings) == 1
    left, right = sound.read(shared.media / record.recordings[0].path)
    assert sound.strength(right[-8000:-2000], 900) > 0.8  # R13: the recording goes on through the transfer
    assert sound.strength(left[-8000:-2000], 500) > 0.8


@pytest.mark.feature("PBX-3")
async def test_hold_and_resume(shared: Pbx, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        scene = await talking(shared, stack)
        scene.phone.do("hold", call=scene.call)
        await shared.step("held")
        await scene.caller.listen(0.5)
        assert scene.caller.strength(1300) < 0.1
        assert scene.caller.loudness() > 100  # music
        scene.phone.do("unhold", call=scene.call)
        await shared.step("resumed")
        await scene.caller.hears(1300)
        scene.phone.hangup(scene.call)
        await scene.phone.over(scene.call, 20)
        await scene.talk.ended()
        (record,) = await shared.records(1)
    assert record.talked
    assert sound.hears(shared.folder / "201-hears.wav", 500) > 0.3


@pytest.mark.feature("PBX-3", "PBX-4")
async def test_the_companys_own_music_on_hold(shared: Pbx) -> None:
    async with AsyncExitStack() as stack:
        music = await shared.file("Music", sound.tone(shared.folder / "music.wav", 700, seconds=5))
        async with shared.edit() as edit:
            row = await models.Account.filter(id=shared.account).using_db(edit.tx).get()
            row.hold_music_kind, row.hold_music_id = music.kind, music.id
            await row.save(using_db=edit.tx)
        scene = await talking(shared, stack)
        scene.phone.do("hold", call=scene.call)
        await scene.caller.hears(700)
        scene.phone.do("unhold", call=scene.call)
        await scene.caller.hears(1300)
        await scene.talk.hang_up()
        await scene.phone.over(scene.call, 20)
        await shared.records(1)


@pytest.mark.feature("R20", "R8")
async def test_a_blind_transfer_by_an_employee_who_called(shared: Pbx) -> None:
    """The caller sends his callee on to a colleague and leaves."""
    async with AsyncExitStack() as stack:
        for login in ("201", "202", "203"):
            await shared.user(login, recording=login == "201")
        one, two, three = [await stack.enter_async_context(shared.telephone(login)) for login in ("201", "202", "203")]
        talk = await one.call("202")
        ringing = await two.answers()
        await talk.answered()
        one.say(500)
        two.say(900)
        await one.hears(900)
        await two.listen(0.5)
        assert await talk.refer(f"sip:203@{shared.domain}") == 202
        third = await three.answers()
        three.say(1300)
        await two.hears(1300)
        await three.hears(900)
        await three.listen(1.0)
        await ringing.hang_up()
        await third.ended()
        (record,) = await shared.records(1)
    assert record.talked
    (recording,) = record.recordings  # one file (R13): 202 stays on his side, 203 comes to that of 201
    left, right = sound.read(shared.media / recording.path)
    assert [sound.strength(part, tone) > 0.8 for part, tone in ((left[2000:4000], 500), (right[2000:4000], 900))] == [True, True]
    assert [sound.strength(part[-6000:-2000], tone) > 0.8 for part, tone in ((left, 1300), (right, 900))] == [True, True]


@pytest.mark.feature("R20")
@pytest.mark.parametrize("direction", ["in", "out"])
async def test_an_outside_party_transfers_nobody(shared: Pbx, direction: str) -> None:
    """It would make us dial, at the customer's cost, whatever a stranger likes."""
    await shared.rule(await shared.group("Sales", await shared.user("201")))
    await shared.user("202")
    async with shared.telephone("201") as phone, shared.telephone("202") as other, shared.provider() as provider:
        trunk = await shared.line(server=provider.host, port=provider.port)
        await shared.number("+74956670001" if direction == "in" else "+74956670002", trunk)
        outside: Talk | Answering
        inside: Talk | Answering
        if direction == "in":
            outside = await provider.calls(shared.did[1:])
            inside = await phone.answers()
            await outside.answered()
        else:
            inside = await phone.call("89031234567")
            outside = await provider.answers()
            await inside.answered()
        await provider.hears_nothing(within=10)
        for target in (f"sip:202@{shared.domain}", f"sip:89099999999@{shared.domain}", f"sip:810123456789@{provider.host}"):
            assert await outside.refer(target) in (403, 405)
        phone.say(1300)
        await provider.hears(1300)  # the talk goes on
        assert not other.rung
        await outside.hang_up()
        await inside.ended()
        (record,) = await shared.records(1)
    assert len(record.legs) == 2


@pytest.mark.feature("PBX-3")
@pytest.mark.parametrize("holder", ["caller", "callee"])
async def test_the_music_of_a_hold_is_that_of_the_leg_that_holds(shared: Pbx, holder: str) -> None:
    """The variable `hold_music` may name a file; that of the other leg counts for nothing."""
    music = {"caller": sound.tone(shared.folder / "one.wav", 1500, 0.5), "callee": sound.tone(shared.folder / "other.wav", 1900, 0.5)}
    for login in ("201", "202"):
        await shared.user(login)
    async with shared.telephone("201") as one, shared.telephone("202") as other:
        talk = await one.call("202")
        ringing = await other.answers()
        await talk.answered()
        one.say(500)
        other.say(1300)
        await one.hears(1300)
        await other.hears(500)
        await shared.step("talk")
        for channel in await shared.channels():
            file = music["caller" if channel["direction"] == "inbound" else "callee"]
            assert "+OK" in await shared.house.ask(f"uuid_setvar {channel['uuid']} hold_music {file}")
        await (talk.hold() if holder == "caller" else ringing.hold())
        held = other if holder == "caller" else one
        (one if holder == "caller" else other).quiet()
        await held.hears(1500 if holder == "caller" else 1900)
        await talk.hang_up()
        await ringing.ended()
        await shared.records(1)


@pytest.mark.feature("R20", "R12", "R13")
@pytest.mark.parametrize("after", ["gives up", "answers too late"])
async def test_a_transfer_of_a_consultation_that_still_rings(shared: Pbx, after: str) -> None:
    """The employee calls a colleague, does not wait for him, and sends the caller there (REFER with Replaces)."""
    async with AsyncExitStack() as stack:
        await shared.rule(await shared.group("Sales", await shared.user("201")))
        await shared.user("202")
        one, two = [await stack.enter_async_context(shared.telephone(login)) for login in ("201", "202")]
        provider = await stack.enter_async_context(shared.provider())
        await shared.registered("201", "202")
        talk = await provider.calls(shared.did[1:])
        served = await one.answers()
        await talk.answered()
        await served.hold()
        consultation = await one.call("202")
        asked = await two.takes()
        tags = await consultation.rings()
        assert await served.refer(replaces(tags, f"202@{shared.domain}")) == 202
        if after == "gives up":
            await asked.cancelled()
        else:
            await asked.answer()
            await asked.ended()
        asked = await two.takes()
        await asked.answer()
        provider.say(500)
        two.say(900)
        await provider.hears(900)
        await two.hears(500)
        await talk.hang_up()
        await asked.ended()
        records = await shared.records(2)
    (record,) = [r for r in records if r.direction == "in"]
    assert record.talked
    assert {leg.label for leg in record.legs} >= {"201", "202"}


@pytest.mark.feature("R20", "R13", "R8")
@pytest.mark.parametrize("who", ["callee", "caller"])
async def test_a_phone_takes_the_place_of_another_one(shared: Pbx, who: str) -> None:
    """INVITE with Replaces: a talk goes on at the employee's other phone."""
    async with AsyncExitStack() as stack:
        for login in ("201", "202", "203"):
            await shared.user(login, recording=login == "201")
        one, two, three = [await stack.enter_async_context(shared.telephone(login)) for login in ("201", "202", "203")]
        talk = await one.call("202")
        ringing = await two.answers()
        await talk.answered()
        one.say(500)
        two.say(900)
        await one.hears(900)
        await two.hears(500)
        if who == "callee":
            stays, says, leaves, (call_id, to_tag, from_tag) = one, 500, ringing, ringing.tags
        else:
            stays, says, leaves, (call_id, to_tag, from_tag) = two, 900, talk, talk.tags
        await two.listen(0.5)
        stays.heard.clear()
        header = [("Replaces", f"{call_id};to-tag={to_tag};from-tag={from_tag}")]
        taken = await three.call("202", extra=header)
        await taken.answered()
        await leaves.ended()
        three.say(1300)
        await stays.hears(1300)
        await three.hears(says)
        await shared.step("talk", who="203")
        await three.listen(1.0)
        await taken.hang_up()
        await (talk if who == "callee" else ringing).ended()
        (record,) = await shared.records(1)
    assert record.talked
    assert {leg.label for leg in record.legs} == {"201", "202", "203"}
    (recording,) = record.recordings
    left, right = sound.read(shared.media / recording.path)
    end = slice(-6000, -2000)
    callers, callees = (says, 1300) if who == "callee" else (1300, says)  # who takes a place takes its side
    assert [sound.strength(side[end], tone) > 0.8 for side, tone in ((left, callers), (right, callees))] == [True, True]
    assert sound.strength(left[2000:4000], 500) > 0.8
