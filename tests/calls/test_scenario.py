# SPDX-License-Identifier: Apache-2.0
"""The call scenario as phones and callers see it: nesting, hours, attempts, menus with their actions, lists, emergency calls."""

from __future__ import annotations

import asyncio

import pytest

from engine.people import ContactWish
from engine.sdk import HANGUP, NOTHING, REPEAT, Ref, User
from plugins.groups.api import Membership
from plugins.ivr.part import MenuKey
from plugins.numbers import service as numbers
from plugins.numbers.part import ListEntry, NumberList
from plugins.schedules.part import DayGroup, HourRange, Schedule
from plugins.schedules.service import save_schedule
from tests.calls.pbx import OUTSIDER, Pbx
from tests.calls.test_distribution import sip, unattended
from tests.phones import sound

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def schedule(office: Pbx, title: str, *days: DayGroup) -> Ref:
    async with office.edit() as edit:
        return (await save_schedule(edit, Schedule(id=0, title=title, days=days))).ref


ALWAYS = DayGroup("All days", (0, 1, 2, 3, 4, 5, 6), (HourRange(0, 1440),))
NEVER = DayGroup("All days", (0, 1, 2, 3, 4, 5, 6), ())


@pytest.mark.feature("GRP-4", "GRP-9", "R3", "R6", "SCH-1", "SCH-2", "USR-1", "GRP-1", "PBX-1")
async def test_nested_groups_by_priority_then_users_and_closed_ones_are_stepped_over(shared: Pbx) -> None:
    users = [await shared.user(login, sip(login, timeout_seconds=1)) for login in ("201", "202", "203", "204", "205")]
    early, late, shut, off, own = users
    hours, closed = await schedule(shared, "Always", ALWAYS), await schedule(shared, "Never", NEVER)
    outer = await shared.group("Outer", own)
    await shared.group("Late", late, parent=outer, priority=2, schedule=hours)
    await shared.group("Early", early, parent=outer, priority=1)
    await shared.group("Closed", shut, parent=outer, priority=1, schedule=closed)
    await shared.group("Off", off, parent=outer, priority=1, active=False)
    await shared.rule(outer)
    async with unattended(shared, "201", "202", "203", "204", "205") as lines, shared.provider() as caller:
        assert await (await caller.calls(shared.did[1:])).refused(40.0) == 480
        assert [len(line.rung) for line in lines] == [1, 1, 0, 0, 1]
        first, second, last = (lines[n].rung[0] for n in (0, 1, 4))
        assert first < second < last
    (record,) = await shared.records(1)
    shut_ones = {s["facts"]["title"]: s["facts"]["why"] for s in record.trace if s["what"] == "closed"}
    assert shut_ones == {"Closed": "outside_hours", "Off": "inactive"}


@pytest.mark.feature("GRP-5", "GRP-6", "ACT-5", "R11")
async def test_music_a_phrase_another_attempt_and_the_distribution_once_more(shared: Pbx) -> None:
    user = await shared.user("201", sip("201", timeout_seconds=2))
    music = await shared.file("music", sound.tone(shared.folder / "music.wav", 600, 10))
    phrase = await shared.file("wait", sound.tone(shared.folder / "wait.wav", 1100, 1))
    sales = await shared.group("Sales", user, music=music, phrase=phrase, attempts=2, pause_seconds=1, no_answer=REPEAT)
    await shared.rule(sales)
    async with unattended(shared, "201") as (line,), shared.provider() as caller:
        talk = await caller.calls(shared.did[1:])
        await talk.early()
        await caller.hears(600)  # instead of ringback, and unanswered
        await talk.answered()  # the phrase answers
        await caller.hears(1100)
        await caller.hears(600)
        async with asyncio.timeout(30):
            while len(line.rung) < 3:  # two attempts, then the distribution once more
                await asyncio.sleep(0.05)
        await talk.hang_up()
        first, second = line.rung[:2]
        assert 3.5 < second - first < 7  # 2 s of ringing, 1 s of phrase, 1 s of pause
    (record,) = await shared.records(1)
    assert record.missed


@pytest.mark.feature("R4", "IVR-1", "IVR-2", "R2")
async def test_a_menu_without_a_timeout_action_is_heard_three_times_and_has_failed(shared: Pbx) -> None:
    user = await shared.user("201", sip("201", timeout_seconds=1))
    file = await shared.file("menu", sound.tone(shared.folder / "menu.wav", 900, 0.5))
    hello = await shared.file("hello", sound.tone(shared.folder / "hello.wav", 700, 0.5))
    outer = await shared.group("Outer", user)
    menu = await shared.menu("Menu", parent=outer, greeting=hello, file=file, timeout_seconds=1)
    await shared.rule(outer)
    async with unattended(shared, "201") as (line,), shared.provider() as caller:
        talk = await caller.calls(shared.did[1:])
        await talk.answered()
        await caller.hears(700)
        await caller.hears(900)
        await talk.ended(within=40)
        assert len(line.rung) == 1  # the group's own users, when the menu has failed
    (record,) = await shared.records(1)
    played = " + ".join(s["facts"]["sound"] for s in record.trace if s["what"] == "play")
    assert played == "voice/hello.wav + voice/menu.wav + voice/menu.wav + voice/menu.wav"
    assert any(s.get("target") == str(menu) for s in record.trace)


@pytest.mark.feature("ACT-2", "ACT-4", "ACT-5", "ACT-6", "IVR-3", "R4")
async def test_what_keys_do(shared: Pbx) -> None:
    user = await shared.user("201")
    file = await shared.file("menu", sound.tone(shared.folder / "menu.wav", 900, 0.5))
    keys = (MenuKey("2", Ref(User.kind, user)), MenuKey("3", HANGUP), MenuKey("4", REPEAT), MenuKey("5", NOTHING))
    await shared.rule(await shared.menu("Menu", file=file, keys=keys, timeout_seconds=60))
    async with shared.telephone("201") as phone, shared.provider() as caller:
        talk = await caller.calls(shared.did[1:])
        await talk.answered()
        await caller.hears(900)
        await caller.hears_nothing(within=10)
        for ignored in ("5", "9"):  # «Ничего не делать», and a key that nobody has set (D neither)
            await caller.press(ignored)
            await shared.step("key", digit=ignored)
        since = len(caller.heard)
        await caller.press("4")
        await caller.hears(900, since=since)
        await caller.press("2")
        answering = await phone.answers()
        phone.say(500)
        await caller.hears(500)
        await answering.hang_up()
        await talk.ended()
        talk = await caller.calls(shared.did[1:])
        await talk.answered()
        await caller.press("3")
        await talk.ended()
    talked, ended = await shared.records(2)
    assert (talked.talked, talked.missed) == (True, False)
    assert (ended.talked, ended.missed) == (False, False)  # R1: over by the customer's own wish
    assert [s["what"] for s in talked.trace].count("play") == 2


@pytest.mark.feature("IVR-5", "IVR-3", "R22")
async def test_keys_are_live_while_the_users_of_a_menu_ring(shared: Pbx) -> None:
    inside, sales = await shared.user("201"), await shared.user("202")
    file = await shared.file("menu", sound.tone(shared.folder / "menu.wav", 900, 0.5))
    group = await shared.group("Sales", sales)
    menu = await shared.menu(
        "Menu", file=file, timeout_seconds=1, members=(Membership(inside, 1),), keys=(MenuKey("1", group), MenuKey("T", HANGUP))
    )
    await shared.rule(menu)
    async with shared.telephone("201") as first, shared.telephone("202") as second, shared.provider() as caller:
        talk = await caller.calls(shared.did[1:])
        await talk.answered()
        ringing = await first.takes()  # after the file, though a timeout action hangs up
        await caller.press("1")
        await ringing.cancelled()
        answering = await second.answers()
        caller.say(500)
        await second.hears(500)
        await talk.hang_up()
        await answering.ended()
    (record,) = await shared.records(1)
    assert record.group_title == "Sales"


@pytest.mark.feature("USR-2", "IVR-4", "R22")
async def test_an_extension_that_may_not_be_dialled_in_a_menu_is_ignored(shared: Pbx) -> None:
    await shared.user("201", no_ivr_transfer=True)
    await shared.user("202")
    file = await shared.file("menu", sound.tone(shared.folder / "menu.wav", 900, 0.5))
    await shared.rule(await shared.menu("Menu", file=file, timeout_seconds=60))
    async with shared.telephone("201") as hidden, shared.telephone("202") as open_to_all, shared.provider() as caller:
        talk = await caller.calls(shared.did[1:])
        await talk.answered()
        await caller.press("201")
        await shared.step("key", digit="1")
        await caller.press("#202")
        answering = await open_to_all.answers()
        open_to_all.say(500)
        await caller.hears(500)
        await answering.hang_up()
        await talk.ended()
        assert not hidden.rung


@pytest.mark.feature("DIR-1", "NUM-1", "R5")
async def test_a_black_list_is_a_rule_of_its_own(shared: Pbx) -> None:
    entries = (ListEntry(number=OUTSIDER, name="Ivan"), ListEntry(number="+79030000001", active=False))
    async with shared.edit() as edit:
        blocked = await numbers.save_list(edit, NumberList(id=0, title="Blocked", entries=entries))
    await shared.rule(await shared.group("Sales", await shared.user("201")), priority=2)
    await shared.rule(HANGUP, priority=1, numbers=blocked.ref)
    async with shared.telephone("201") as phone:
        async with shared.provider() as caller:
            assert await (await caller.calls(shared.did[1:])).refused() == 603
        async with shared.provider("+79030000001") as other:  # his entry is not active
            talk = await other.calls(shared.did[1:])
            answering = await phone.answers()
            await talk.answered()
            await talk.hang_up()
            await answering.ended()
        async with shared.edit() as edit:
            await numbers.save_list(edit, NumberList(id=blocked.id, title=blocked.title, entries=entries, active=False))
        async with shared.provider() as caller:  # a rule with an inactive list is ignored as a whole
            talk = await caller.calls(shared.did[1:])
            answering = await phone.answers()
            await talk.answered()
            await talk.hang_up()
            await answering.ended()


@pytest.mark.feature("OUT-3", "R17", "RST-1")
async def test_an_emergency_call_passes_restrictions_and_full_lines(shared: Pbx) -> None:
    await shared.user("201", forbidden_prefixes=("1", "8"))
    await shared.change(shared.root, forbidden_prefixes=("1",))
    await shared.user("202")
    async with shared.provider() as provider, shared.telephone("201") as one, shared.telephone("202") as two:
        trunk = await shared.line(server=provider.host, port=provider.port, channels=1)
        await shared.number("+74956660112", trunk)
        taken = await two.call("89031234567")
        first = await provider.answers()
        await taken.answered()
        urgent = await one.call("112")
        second = await provider.takes()
        assert second.invite.uri.startswith("sip:112@")
        await second.answer()
        await urgent.answered()
        for call in (urgent, taken):
            await call.hang_up()
        for call in (first, second):
            await call.ended()


@pytest.mark.feature("R7", "R8", "ACT-3", "OUT-1")
async def test_a_group_dialled_by_an_employee_rings_without_its_greeting(shared: Pbx) -> None:
    await shared.user("201")
    user = await shared.user("202", ContactWish(kind="sip", address="202", timeout_seconds=1))
    hello = await shared.file("hello", sound.tone(shared.folder / "hello.wav", 700, 2))
    await shared.group("Sales", user, greeting=hello, extension="300")
    async with shared.telephone("201") as phone, unattended(shared, "202") as (line,):
        talk = await phone.call("300")
        assert await talk.refused(30.0) == 480
        assert len(line.rung) == 1
        alone = await phone.call("202")  # R8: an employee is told, nothing else follows
        assert await alone.refused(30.0) == 480
    records = await shared.records(2)
    assert not [s for r in records for s in r.trace if s["what"] == "play"]
