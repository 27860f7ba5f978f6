# SPDX-License-Identifier: Apache-2.0
"""Calls that never leave the house: extensions of users and groups, our own number dialled inside, neighbours with the same logins."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from engine.sdk import Ref, Refused, models
from plugins.ivr.part import MenuKey
from tests.calls.installation import Installation
from tests.calls.pbx import Pbx, company
from tests.phones import sound

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.feature("OUT-1", "R19")
async def test_an_employee_calls_an_employee(shared: Pbx) -> None:
    await shared.user("201")
    await shared.user("202")
    async with shared.telephone("201") as one, shared.telephone("202") as two:
        talk = await one.call("202")
        ringing = await two.takes()
        assert "sip:201@" in ringing.invite.get("From")
        await ringing.answer()
        await talk.answered()
        one.say(500)
        two.say(1300)
        await one.hears(1300)
        await two.hears(500)
        await ringing.hang_up()
        await talk.ended()
        (record,) = await shared.records(1)
    assert (record.direction, record.caller_number, record.dialled) == ("internal", "201", "202")
    assert record.talked
    assert not record.missed


@pytest.mark.feature("OUT-1", "R8", "R11")
async def test_an_employee_hears_busy_and_nobody(shared: Pbx) -> None:
    await shared.user("201")
    await shared.user("202")
    async with shared.telephone("201") as one:
        assert await (await one.call("202")).refused() == 480
        async with shared.telephone("202") as two:
            talk = await one.call("202")
            await two.refuses(486)
            assert await talk.refused() == 486
        records = await shared.records(2)
    assert [r.missed for r in records] == [False, False]  # R1: internal calls are in the list only


@pytest.mark.feature("OUT-1", "R7")
async def test_a_group_by_its_extension_skips_its_greeting(shared: Pbx) -> None:
    await shared.user("201")
    second = await shared.user("202")
    greeting = await shared.file("hello", sound.tone(shared.folder / "hello.wav", 700, 10))
    await shared.group("Sales", second, extension="300", greeting=greeting)
    async with shared.telephone("201") as one, shared.telephone("202") as two:
        talk = await one.call("300")
        ringing = await two.takes()
        assert not [m for m in one.seen if m.code == 200 and m.cseq[1] == "INVITE"]  # a greeting would have answered the call
        await ringing.answer()
        await talk.answered()
        await talk.hang_up()
        await ringing.ended()
        (record,) = await shared.records(1)
    assert record.group_title == "Sales"


@pytest.mark.feature("NUM-1", "OUT-1")
async def test_our_own_number_needs_no_provider(shared: Pbx) -> None:
    await shared.user("201")
    await shared.rule(await shared.group("Sales", await shared.user("202")))
    async with shared.telephone("201") as one, shared.telephone("202") as two:
        talk = await one.call("8" + shared.did[2:])
        ringing = await two.answers()
        await talk.answered()
        await talk.hang_up()
        await ringing.ended()
        (record,) = await shared.records(1)
    assert [leg.trunk_id for leg in record.legs] == [None, None]


@pytest.mark.feature("OUT-2", "R16", "RST-1", "R18")
async def test_a_wrong_and_a_forbidden_number(shared: Pbx) -> None:
    await shared.user("201", forbidden_prefixes=("810",))
    async with shared.telephone("201") as one:
        for number in ("123", "81049301234567"):
            talk = await one.call(number)
            await talk.early()  # a phrase says why
            assert await talk.refused(30.0) in (403, 484)
        records = await shared.records(2)
    assert [r.cause for r in records] == ["INVALID_NUMBER_FORMAT", "OUTGOING_CALL_BARRED"]


@pytest.mark.feature("RST-1", "R15", "R18")
async def test_what_the_pbx_or_a_group_forbids_is_refused(shared: Pbx) -> None:
    user = await shared.user("201")
    await shared.group("South", user, forbidden_prefixes=("8495",))
    root = shared.snapshot.root
    assert root is not None
    await shared.change(root, forbidden_prefixes=("810",))
    async with shared.telephone("201") as one:
        for number in ("84957654321", "+4930123456"):
            talk = await one.call(number)
            await talk.early()  # a phrase says why
            assert await talk.refused(30.0) == 403
        records = await shared.records(2)
    assert [(r.direction, r.cause, r.talked) for r in records] == [("out", "OUTGOING_CALL_BARRED", False)] * 2


@pytest.mark.feature("ACC-1", "R27")
async def test_the_same_logins_in_two_domains_do_not_meet(shared: Pbx, house: Installation, tmp_path: Path) -> None:
    neighbour = await company(house, tmp_path)
    async with AsyncExitStack() as stack:
        lines = {}
        for office in (shared, neighbour):
            for login in ("201", "202"):
                await office.user(login)
                lines[office, login] = await stack.enter_async_context(office.telephone(login))
        for office, other in ((shared, neighbour), (neighbour, shared)):
            talk = await lines[office, "201"].call("202")
            ringing = await lines[office, "202"].answers()
            await talk.answered()
            await talk.hang_up()
            await ringing.ended()
            assert not lines[other, "202"].rung
            lines[office, "202"].rung.clear()
            (record,) = await office.records(1)
            assert record.account_id == office.account
        # nor by the neighbour's number: it is an outside number, and there is no line to dial it
        talk = await lines[shared, "201"].call("8" + neighbour.did[2:])
        assert await talk.refused() in (480, 502, 503)
    await neighbour.quiet()


@pytest.mark.feature("IVR-4", "ACT-3", "R22", "R7")
async def test_an_extension_dialled_in_the_menu(shared: Pbx) -> None:
    await shared.user("201")
    sales = await shared.group("Sales", await shared.user("202"), extension="300")
    menu_file = await shared.file("menu", sound.tone(shared.folder / "menu.wav", 900, 20))
    await shared.rule(await shared.menu("Menu", file=menu_file, keys=(MenuKey("9", sales),)))
    for dialled, who in (("201", "201"), ("300", "202")):
        async with shared.telephone(who) as phone, shared.provider() as caller:
            talk = await caller.calls(shared.did[1:])
            await talk.answered()
            await caller.hears(900)
            await caller.press(dialled)
            ringing = await phone.answers()
            phone.say(1300)
            await caller.hears(1300)
            await talk.hang_up()
            await ringing.ended()
    one, two = await shared.records(2)
    assert [r.talked for r in (one, two)] == [True, True]
    assert two.group_title == "Sales"


@pytest.mark.feature("OUT-1")
async def test_softphones_over_tcp(shared: Pbx) -> None:
    await shared.user("201")
    await shared.user("202")
    says, hears = sound.tone(shared.folder / "says.wav", 500), shared.folder / "hears.wav"
    async with (
        shared.phone("201", transport="tcp", speak=str(says)) as one,
        shared.phone("202", transport="tcp", hear=str(hears), auto="ring") as two,
    ):
        await one.registered()
        await two.registered()
        await shared.registered("201", "202")
        call = await one.call("202")
        ringing = await two.incoming()
        assert "/TCP" in ringing["message"].split("\n")[1].upper()
        two.answer(ringing["call"])
        await one.talking(call)
        await two.talking(ringing["call"])
        await asyncio.sleep(1.0)  # the talk
        two.hangup(ringing["call"])
        await two.over(ringing["call"])
        await one.over(call)
    assert sound.hears(hears, 500) > 0.4


@pytest.mark.feature("ACT-3", "R7")
@pytest.mark.parametrize("place", ["rule", "key", "no answer"])
async def test_an_action_goes_to_an_internal_number(shared: Pbx, place: str) -> None:
    """Of a group, whose greeting is left out; the number can't be taken away while it is used."""
    greeting = await shared.file("greeting", sound.tone(shared.folder / f"greeting{shared.account}.wav", 900, 5))
    sales = await shared.group("Sales", await shared.user("201"), greeting=greeting, extension="300")
    assert shared.snapshot.extension("300") == sales
    target = Ref("core.extension", 300)
    if place == "rule":
        await shared.rule(target)
    elif place == "key":
        menu_file = await shared.file("menu", sound.tone(shared.folder / f"menu{shared.account}.wav", 600, 20))
        await shared.rule(await shared.menu("Menu", file=menu_file, keys=(MenuKey("1", target),)))
    else:
        await shared.rule(await shared.group("Closed", active=False, no_answer=target))
    async with shared.telephone("201") as phone, shared.provider() as caller:
        talk = await caller.calls(shared.did[1:])
        if place == "key":
            await talk.answered()
            await caller.hears(600)
            await caller.press("1")
        answering = await phone.answers()  # without five seconds of greeting
        if place != "key":
            await talk.answered()
        await shared.step("talk")
        await talk.hang_up()
        await answering.ended()
    (record,) = await shared.records(1)
    assert all("greeting" not in str(step.get("facts")) for step in record.trace)
    with pytest.raises(Refused, match="300"):
        async with shared.edit() as edit:
            await models.Extension.of(shared.account, edit.tx).filter(number="300").delete()
