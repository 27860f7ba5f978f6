# SPDX-License-Identifier: Apache-2.0
"""What is set in the cabinet is seen in the next call: trusted addresses, hours across midnight, the group a user was moved to."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from engine.people import PbxWish, edit_pbx, leave_branch, move_user, set_membership
from engine.sdk import Ref, clock, shut_out
from plugins.schedules.api import HourRange, Schedule
from plugins.schedules.part import DayGroup
from plugins.schedules.service import save_schedule
from tests.calls.installation import own_address
from tests.calls.pbx import Pbx
from tests.calls.telephone import Line
from tests.calls.test_distribution import refused, sip, unattended
from tests.phones import sound

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.feature("PBX-5")
async def test_phones_register_from_trusted_addresses_only(shared: Pbx) -> None:
    """The white list names the address of our phones; the same account at another address is turned away, and may not call either."""
    await shared.user("201")
    await shared.user("202")
    async with shared.edit() as edit:
        await edit_pbx(edit, PbxWish(title="Office", area_code="495", whitelist=(shared.phones_at,)))
    stranger = Line(shared.internal, "202", shared.domain, shared.passwords["202"])
    await stranger.open(own_address())
    try:
        assert (await stranger.register()).code == 403
        async with shared.telephone("201") as phone:  # a trusted address
            call = await stranger.call("201")
            assert await call.refused() in (403, 407)
            assert not phone.rung
    finally:
        stranger.close()


@pytest.mark.feature("PBX-5")
async def test_a_phone_that_a_new_white_list_shuts_out_is_known_by_its_address(shared: Pbx) -> None:
    """It rings as long as it is registered, but may neither call nor register."""
    user = await shared.user("201")
    await shared.rule(Ref("core.user", user))
    async with shared.telephone("201") as phone, shared.provider() as caller:
        addresses = shared.runtime.ctx.phone_addresses(shared.account)
        assert addresses == {"201": [shared.phones_at]}
        before = shared.snapshot
        async with shared.edit() as edit:
            await edit_pbx(edit, PbxWish(title="Office", area_code="495", whitelist=(own_address(),)))
        (found,) = shut_out(before, shared.snapshot, addresses)
        assert found.params == {"count": "1", "phones": f"User 201, 201 ({shared.phones_at})"}
        call = await phone.call("112")
        assert await call.refused() in (403, 407)
        talk = await caller.calls(shared.did[1:])
        answering = await phone.answers()
        await talk.answered()
        await talk.hang_up()
        await answering.ended()
        assert (await phone.register()).code == 403


@pytest.mark.feature("PBX-4", "R13")
@pytest.mark.parametrize("recorded", ["group", "user", "nobody"])
async def test_callers_hear_that_the_talk_is_recorded(shared: Pbx, recorded: str) -> None:
    """Before any phone rings, and only where the talk may be recorded."""
    notice = await shared.file("notice", sound.tone(shared.folder / f"notice{shared.account}.wav", 1100, 1.5))
    user = await shared.user("201", recording=recorded == "user")
    async with shared.edit() as edit:
        await edit_pbx(edit, PbxWish(title="Office", area_code="495", recording_notice=notice))
    await shared.rule(await shared.group("Sales", user, recording=recorded == "group"))
    async with shared.telephone("201") as phone, shared.provider() as caller:
        talk = await caller.calls(shared.did[1:])
        if recorded != "nobody":
            await talk.answered()
            await caller.hears(1100)
            assert not phone.rung
        answering = await phone.answers()
        if recorded == "nobody":
            await talk.answered()
        await shared.step("talk")
        await talk.hang_up()
        await answering.ended()
    (record,) = await shared.records(1)
    assert [step["what"] for step in record.trace].count("recording_notice") == (recorded != "nobody")
    assert len(list(record.recordings)) == (recorded != "nobody")


@pytest.mark.feature("SCH-2", "SCH-3", "R6", "GRP-9")
async def test_hours_across_midnight(shared: Pbx) -> None:
    """A range belongs to the day on which it begins: that of yesterday, which ends in half an hour, holds; that of today does not yet."""
    user = await shared.user("201", sip("201", timeout_seconds=1))
    ahead = 12 - clock.now().hour  # where it is noon now
    zone = f"Etc/GMT{-ahead:+d}"
    async with shared.edit() as edit:
        await edit_pbx(edit, PbxWish(title="Office", area_code="495", timezone=zone))
    now = clock.now().astimezone(ZoneInfo(zone))
    minute = now.hour * 60 + now.minute
    today, yesterday = now.weekday(), (now - timedelta(days=1)).weekday()
    over_midnight = HourRange(minute + 60, minute + 30)
    async with shared.edit() as edit:
        nights = [(DayGroup("Night", (weekday,), (over_midnight,)),) for weekday in (yesterday, today)]
        began = await save_schedule(edit, Schedule(id=0, title="Since yesterday", days=nights[0]))
        to_come = await save_schedule(edit, Schedule(id=0, title="To come", days=nights[1]))
    group = await shared.group("Sales", user, schedule=began.ref)
    await shared.rule(group)
    async with unattended(shared, "201") as (phone,):
        assert await refused(shared) == 480
        assert len(phone.rung) == 1
        await shared.change(shared.snapshot.element(group), schedule=to_come.ref)  # type: ignore[arg-type]
        assert await refused(shared) == 480
        assert len(phone.rung) == 1


@pytest.mark.feature("USR-1", "GRP-1")
async def test_a_user_rings_where_he_was_put(shared: Pbx) -> None:
    user = await shared.user("201", sip("201", timeout_seconds=1))
    one, two = await shared.group("One", user), await shared.group("Two")
    await shared.rule(two)
    async with unattended(shared, "201") as (phone,):
        await refused(shared)
        assert len(phone.rung) == 0
        async with shared.edit() as edit:
            await move_user(edit, user, one, two)
        await refused(shared)
        assert len(phone.rung) == 1
        async with shared.edit() as edit:
            await set_membership(edit, one, user, 1)
        async with shared.edit() as edit:
            assert not await leave_branch(edit, two, user)
        await refused(shared)
        assert len(phone.rung) == 1
        async with shared.edit() as edit:
            await move_user(edit, user, one, two)
        await refused(shared)
        assert len(phone.rung) == 2
