# SPDX-License-Identifier: Apache-2.0
"""A caller may leave at any moment: nothing stays behind, neither a channel nor a call, and the call is written down once."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import msgspec
import pytest

from plugins.ivr.part import MenuKey
from tests.calls.installation import installation, own_address, test_settings
from tests.calls.pbx import OUTSIDER, Pbx, company, pbx
from tests.phones import sound

session_loop = pytest.mark.asyncio(loop_scope="session")


@session_loop
@pytest.mark.feature("R1", "STA-5")
@pytest.mark.parametrize("moment", ["at_once", "in_the_menu", "ringing", "answering", "talking"])
async def test_the_caller_leaves(shared: Pbx, moment: str) -> None:
    sales = await shared.group("Sales", await shared.user("201"))
    menu_file = await shared.file("menu", sound.tone(shared.folder / "menu.wav", 900, 20))
    menu = await shared.menu("Menu", file=menu_file, keys=(MenuKey("1", sales),))
    await shared.rule(menu if moment == "in_the_menu" else sales)
    async with shared.telephone("201") as phone, shared.provider() as caller:
        talk = await caller.calls(shared.did[1:])
        match moment:
            case "at_once":
                phone.unattended = True
                talk.cancel()
                assert await talk.refused() == 487
            case "in_the_menu":
                await talk.answered()
                await caller.hears(900)
                await talk.hang_up()
            case "ringing":
                ringing = await phone.takes()
                talk.cancel()
                assert await talk.refused() == 487
                await ringing.cancelled()
            case "answering":
                ringing = await phone.takes()
                phone.take(ringing.invite.body)
                phone.send(phone.reply(ringing.invite, 200, tag=ringing.tag, body=phone.sdp()))
                talk.cancel()  # both at the same moment: whoever was first, nobody stays alone
                final = await caller.final("INVITE")
                caller.send(caller.ack(talk.invite, final))
                if final.code == 200:
                    talk.response = final
                    await talk.hang_up()
                await ringing.ended()
            case "talking":
                ringing = await phone.answers()
                await talk.answered()
                await talk.hang_up()
                await ringing.ended()
        await shared.quiet()
        # one who leaves within milliseconds may be gone before the switch has parked him for the engine
        records = await shared.records(0 if moment == "at_once" else 1)
        assert len(records) <= 1
        if moment == "at_once":
            return
        assert records[0].caller_number == OUTSIDER
        if moment in ("in_the_menu", "ringing"):
            assert records[0].missed


@pytest.mark.feature("R11")
async def test_an_unanswered_call_is_answered_before_the_operator_cuts_it(tmp_path: Path) -> None:
    address = own_address()
    switch = msgspec.structs.replace(test_settings(tmp_path, address).switch, unanswered_limit_seconds=2.0)
    async with installation(tmp_path, address, switch=switch) as house:
        office = await company(house, tmp_path)
        office.ring_seconds = 60
        await office.rule(await office.group("Sales", await office.user("201")))
        async with office.telephone("201") as phone, office.provider() as caller:
            talk = await caller.calls(office.did[1:])
            ringing = await phone.takes()
            await talk.answered()  # while the phone rings
            await caller.hears(425)  # the ringing tone goes on as sound
            await ringing.answer()
            phone.say(1300)
            await caller.hears(1300)
            await talk.hang_up()
            await ringing.ended()
        await office.quiet()


SCENARIO = Path(__file__).with_name("caller.xml")


@session_loop
@pytest.mark.feature("IVR-2", "STA-4")
@pytest.mark.skipif(shutil.which("sipp") is None, reason="sipp is not installed")
async def test_many_callers_at_once(shared: Pbx) -> None:
    """Forty callers of sipp in the menu, more than a softphone can carry; every one is written down."""
    menu_file = await shared.file("menu", sound.tone(shared.folder / "menu.wav", 900, 1))
    await shared.rule(await shared.menu("Menu", file=menu_file, timeout_seconds=30))
    host, port = shared.trunk
    process = await asyncio.create_subprocess_exec(
        "sipp", f"{host}:{port}", "-sf", str(SCENARIO), "-i", shared.phones_at, "-s", shared.did[1:], "-m", "40", "-r", "20",
        "-l", "40", "-timeout", "60", "-nostdin", cwd=str(shared.folder),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(90):
        out, _ = await process.communicate()
    assert process.returncode == 0, out.decode("utf-8", "replace")[-3000:]
    records = await shared.records(40, within=30)
    assert len(records) == 40
    assert {r.cause for r in records} == {"NORMAL_CLEARING"}


@pytest.mark.feature("R12")
async def test_phones_without_power_are_not_busy_for_ever(tmp_path: Path) -> None:
    """They say no BYE; the talk ends all the same."""
    address = own_address()
    switch = msgspec.structs.replace(test_settings(tmp_path / "state", address).switch, rtp_timeout_seconds=2)
    async with pbx(tmp_path, address, switch=switch) as office:
        for login in ("201", "202"):
            await office.user(login)
        async with office.telephone("201") as one, office.telephone("202") as other:
            talk = await one.call("202")
            ringing = await other.answers()
            await talk.answered()
            one.say(500)
            other.say(1300)
            await one.hears(1300)
            await other.hears(500)
            one.quiet()
            other.quiet()
            await office.quiet()
            await talk.ended()
            await ringing.ended()
            (record,) = await office.records(1)
    assert record.talked
    assert "MEDIA_TIMEOUT" in {leg.cause for leg in record.legs}
