# SPDX-License-Identifier: Apache-2.0
"""Names and paths as people write them arrive as they are written: at phones, in records, on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from plugins.ivr.part import MenuKey
from tests.calls.pbx import OUTSIDER, Pbx, pbx
from tests.calls.telephone import Provider
from tests.embedded.telephone import Talk
from tests.phones import sound


def calls_as(provider: Provider, number: str, name: str) -> Talk:
    """An INVITE whose From carries this display name."""
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    me = f'"{quoted}" <sip:{provider.user}@{provider.domain}>;tag=n{len(provider.seen)}'
    raw = provider.request("INVITE", f"sip:{number}@{provider.domain}", from_=me, body=provider.sdp())
    provider.send(raw)
    return Talk(provider, raw)


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.feature("R19")
@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("O'Brien", "O'Brien"),
        ("Smith, John", "Smith, John"),
        ("Отдел продаж · Анна", "Отдел продаж · Анна"),
        ("it's a 'test', a=b; c|d <e>", "it's a 'test', a=b; c|d <e>"),
        ('Ivan "Vanya" Petrov', "Ivan ”Vanya” Petrov"),
        ("a}b{c]d[e", "a)b(c]d[e"),  # a brace would end the variables of a dial string
    ],
)
async def test_a_callers_name_reaches_the_phone(shared: Pbx, name: str, seen: str) -> None:
    await shared.rule(await shared.group("Отдел «А», д'Арк", await shared.user("201")))
    async with shared.telephone("201") as phone, shared.provider() as provider:
        talk = calls_as(provider, shared.did[1:], name)
        ringing = await phone.takes()
        assert ringing.invite.get("From").startswith(f'"Отдел «А», д\'Арк · {seen}" <sip:89271234567@')
        talk.cancel()
        assert await talk.refused() == 487
        await ringing.cancelled()
        (record,) = await shared.records(1)
    assert record.caller_name == name
    assert record.caller_number == OUTSIDER


@pytest.mark.feature("STA-4", "IVR-2")
async def test_a_state_folder_with_a_space(tmp_path: Path) -> None:
    async with pbx(tmp_path / "my own, folder's") as office:
        sales = await office.group("Sales", await office.user("201"), recording=True)
        greeting, hint = sound.tone(tmp_path / "hello there.wav", 700, 1.0), sound.tone(tmp_path / "the menu.wav", 900, 20)
        menu = await office.menu(
            "Menu", greeting=await office.file("hello", greeting), file=await office.file("menu", hint), keys=(MenuKey("1", sales),)
        )
        await office.rule(menu)
        async with office.telephone("201") as phone, office.provider() as provider:
            talk = await provider.calls(office.did[1:])
            await talk.answered()
            await provider.hears(700)
            await provider.hears(900)
            await provider.press("1")
            ringing = await phone.answers()
            provider.say(500)
            phone.say(1300)
            await phone.hears(500)
            await phone.listen(1.0)
            await talk.hang_up()
            await ringing.ended()
            (record,) = await office.records(1)
        (recording,) = record.recordings
        left, right = sound.read(office.media / recording.path)
        assert sound.strength(left[4000:8000], 500) > 0.9
        assert sound.strength(right[4000:8000], 1300) > 0.9
