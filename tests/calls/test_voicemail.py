# SPDX-License-Identifier: Apache-2.0
"""Real callers leave messages, and hear phrases: what is in the file is what was said, and every message is one row."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from engine.snapshot import Ref
from plugins.ivr.part import MenuKey
from plugins.voicefiles.part import PHRASE
from plugins.voicemail.models import MessageRow
from plugins.voicemail.part import GROUP_VOICEMAIL, USER_VOICEMAIL
from plugins.voicemail.service import set_mailbox
from tests.calls.pbx import Pbx
from tests.calls.telephone import Line
from tests.phones import sound

pytestmark = pytest.mark.asyncio(loop_scope="session")
BEEP = 1000
SAYS = 500


async def mailbox(office: Pbx, owner: Ref, **fields: Any) -> None:
    """A mailbox with a short greeting of 800 Hz."""
    greeting = await office.file("greeting", sound.tone(office.folder / f"{office.did[1:]}.wav", 800, 0.6))
    async with office.edit() as edit:
        await set_mailbox(edit, owner, greeting=greeting, **fields)


async def messages(office: Pbx, count: int, within: float = 15.0) -> list[MessageRow]:
    async with asyncio.timeout(within):
        while len(found := await MessageRow.of(office.account).order_by("id")) < count:
            await asyncio.sleep(0.1)
    return found


async def speaks_after_the_beep(caller: Line, seconds: float) -> None:
    await caller.hears(BEEP, seconds=0.2)
    caller.say(SAYS)
    await asyncio.sleep(seconds)


def said(office: Pbx, row: MessageRow) -> float:
    """Seconds of what the caller said in a mono file that holds nothing of what he heard."""
    (samples,) = sound.read(office.media / row.path)
    step = sound.RATE // 10
    pieces = [samples[i : i + step] for i in range(0, len(samples) - step, step)]
    assert not any(sound.strength(piece, BEEP) > 0.5 for piece in pieces[3:])
    return sum(sound.strength(piece, SAYS) > 0.5 for piece in pieces) / 10


@pytest.mark.feature("VM-1", "ACT-12", "R1")
@pytest.mark.parametrize("ends_by", ["hang-up", "hash", "silence", "maximum"])
async def test_a_message_and_how_it_ends(shared: Pbx, ends_by: str) -> None:
    group = await shared.group("Sales", method="NONE")
    limits = {"max_seconds": 5 if ends_by == "maximum" else 60, "silence_seconds": 2 if ends_by == "silence" else 30}
    await mailbox(shared, group, **limits)
    await shared.rule(Ref(GROUP_VOICEMAIL, group.id))
    speaks = 7.0 if ends_by == "maximum" else 3.0
    async with shared.provider() as caller:
        talk = await caller.calls(shared.did[1:])
        await talk.answered()
        await caller.hears(800, seconds=0.2)
        await speaks_after_the_beep(caller, 0 if ends_by == "maximum" else speaks)
        if ends_by == "hang-up":
            await talk.hang_up()
        elif ends_by == "hash":
            caller.quiet()
            await caller.press("#")
        elif ends_by == "silence":
            caller.say(0)
        if ends_by != "hang-up":
            await talk.ended(within=30)
    (record,) = await shared.records(1)
    (row,) = await messages(shared, 1)
    assert (record.missed, record.missed_why, record.talked) == (True, "voicemail", False)
    assert list(record.recordings) == []
    assert (row.call_id, row.owner_kind, row.owner_id, row.owner_title) == (record.call_id, group.kind, group.id, "Sales")
    assert (row.caller_number, row.dialled, row.heard) == (record.caller_number, shared.did, False)
    expected = 5.0 if ends_by == "maximum" else 3.0
    slack = 1.2 if ends_by == "maximum" else 0.9  # FreeSWITCH counts the limit in whole seconds of the clock
    assert abs(row.seconds - expected) < slack, row.seconds
    assert abs(said(shared, row) - expected) < slack
    assert [s["what"] for s in record.trace].count("message_over") == 1


@pytest.mark.feature("VM-1", "R1")
async def test_who_says_nothing_has_left_no_message(shared: Pbx) -> None:
    group = await shared.group("Sales", method="NONE")
    await mailbox(shared, group, silence_seconds=2)
    await shared.rule(Ref(GROUP_VOICEMAIL, group.id))
    async with shared.provider() as caller:
        talk = await caller.calls(shared.did[1:])
        await talk.answered()
        caller.say(0)
        await caller.hears(BEEP, seconds=0.2)
        await talk.ended(within=30)
    (record,) = await shared.records(1)
    assert (record.missed, record.missed_why) == (True, "left")
    assert await MessageRow.of(shared.account).count() == 0


@pytest.mark.feature("VM-1", "R8", "ACT-11")
@pytest.mark.parametrize("how", ["busy", "not registered"])
async def test_a_colleague_comes_to_the_users_voicemail(shared: Pbx, how: str) -> None:
    await shared.user("201")
    boris = await shared.user("202")
    await mailbox(shared, Ref("core.user", boris))
    async with shared.telephone("201") as caller, shared.telephone("202", register=how == "busy") as phone:
        talk = await caller.call("202")
        if how == "busy":
            await phone.refuses(486)
        await talk.answered(within=20)
        await speaks_after_the_beep(caller, 2.0)
        await talk.hang_up()
    (record,) = await shared.records(1)
    (row,) = await messages(shared, 1)
    assert (record.direction, record.missed) == ("internal", False)
    assert (row.owner_kind, row.owner_id, row.caller_number) == ("core.user", boris, "201")
    assert abs(said(shared, row) - 2.0) < 0.7


@pytest.mark.feature("VM-1", "R13", "GRP-8", "ACT-11", "ACT-12")
async def test_in_a_recorded_group_the_message_is_no_recording(shared: Pbx) -> None:
    """Nobody answers, and a menu's key leads to a user's voicemail."""
    boris = await shared.user("201")
    await mailbox(shared, Ref("core.user", boris))
    menu = await shared.menu("Menu", keys=(MenuKey("1", Ref(USER_VOICEMAIL, boris)),))
    await shared.rule(await shared.group("Sales", boris, recording=True, no_answer=menu))
    async with shared.provider() as caller:
        talk = await caller.calls(shared.did[1:])
        await talk.answered(within=30)
        await caller.press("1")
        await speaks_after_the_beep(caller, 2.0)
        await talk.hang_up()
    (record,) = await shared.records(1)
    assert list(record.recordings) == []
    assert (record.missed, record.missed_why) == (True, "voicemail")
    assert len(await messages(shared, 1)) == 1


@pytest.mark.feature("VM-1", "R8")
async def test_without_voicemail_a_colleague_hears_that_it_is_busy(shared: Pbx) -> None:
    await shared.user("201")
    await shared.user("202")
    async with shared.telephone("201") as caller, shared.telephone("202") as phone:
        talk = await caller.call("202")
        await phone.refuses(486)
        assert await talk.refused(within=20) == 486


@pytest.mark.feature("ACT-8", "R1", "R4")
async def test_a_phrase_by_a_key_and_as_a_no_answer_action(shared: Pbx) -> None:
    phrase = await shared.file("phrase", sound.tone(shared.folder / f"p{shared.did[1:]}.wav", 900, 1.0))
    file = await shared.file("menu", sound.tone(shared.folder / f"m{shared.did[1:]}.wav", 1300, 1.0))
    play = Ref(PHRASE, phrase.id)
    closing = await shared.group("Closing", method="NONE", no_answer=play)
    await shared.rule(await shared.menu("Menu", file=file, keys=(MenuKey("1", play), MenuKey("2", closing))))
    async with shared.provider() as caller:
        talk = await caller.calls(shared.did[1:])
        await talk.answered()
        await caller.hears(1300)
        since = len(caller.heard)
        await caller.press("1")
        await caller.hears(900, since=since)
        since = len(caller.heard) + sound.RATE // 2
        await caller.hears(1300, since=since)  # the menu again
        since = len(caller.heard) + sound.RATE // 2
        await caller.press("2")
        await caller.hears(900, since=since)
        await talk.ended(within=20)
    (record,) = await shared.records(1)
    assert (record.missed, record.talked) == (False, False)
    assert [s["facts"]["title"] for s in record.trace if s["what"] == "enters"][1:] == ["Menu", "phrase", "Menu", "Closing", "phrase"]


@pytest.mark.feature("VM-1", "STA-2")
async def test_the_database_is_away_while_a_message_is_left(shared: Pbx) -> None:
    group = await shared.group("Sales", method="NONE")
    await mailbox(shared, group)
    await shared.rule(Ref(GROUP_VOICEMAIL, group.id))
    async with shared.provider() as caller:
        talk = await caller.calls(shared.did[1:])
        await talk.answered()
        await caller.hears(800, seconds=0.2)
        async with shared.runtime.ctx.transaction() as tx:  # SQLite: nobody else writes meanwhile
            await MessageRow.filter(id=0).using_db(tx).update(heard=True)
            await speaks_after_the_beep(caller, 2.0)
            await talk.hang_up()
            await shared.left_with(0)
            assert await MessageRow.of(shared.account).count() == 0
    (row,) = await messages(shared, 1)
    await shared.records(1)
    assert abs(row.seconds - 2.0) < 0.9
    assert await MessageRow.of(shared.account).count() == 1
