# SPDX-License-Identifier: Apache-2.0
"""Real faxes from a machine behind the provider, on FreeSWITCH; without one the call goes by the no-answer path."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engine.snapshot import Ref
from plugins.fax.models import FaxRow
from plugins.fax.part import GROUP_FAX, USER_FAX
from plugins.ivr.part import MenuKey
from plugins.voicefiles.part import PHRASE
from tests.calls.fax_machine import fax_machine
from tests.calls.installation import REAL
from tests.calls.pbx import Pbx
from tests.phones import sound
from tests.phones.paper import draw, pages_of, pages_of_pdf, same_page

pytestmark = pytest.mark.asyncio(loop_scope="session")
needs_freeswitch = pytest.mark.skipif(not REAL, reason="faxes need FreeSWITCH")


async def faxes(office: Pbx, count: int, within: float = 30.0) -> list[FaxRow]:
    """The first rows, as soon as their PDF has been made."""
    async with asyncio.timeout(within):
        while len(found := await FaxRow.of(office.account).filter(pdf=True).order_by("id")) < count:
            await asyncio.sleep(0.1)
    return found


@needs_freeswitch
@pytest.mark.feature("VM-2", "ACT-10", "R1", "R25")
@pytest.mark.parametrize("way", ["G.711", "T.38"])
async def test_two_pages_come_as_they_were_sent(shared: Pbx, tmp_path: Path, way: str) -> None:
    await shared.rule(Ref(GROUP_FAX, shared.root.id))
    sent = draw(tmp_path / "sent.tif", 2)
    async with fax_machine(shared, tmp_path) as machine:
        leg = await machine.sends(sent, t38=way == "T.38")
        await shared.step("fax_page", within=60, page=1)
        assert await machine.t38_of(leg) == ("negotiated" if way == "T.38" else "off")
        assert await machine.result(leg) == (2, True)
    (record,) = await shared.records(1)
    (row,) = await faxes(shared, 1)
    assert (record.missed, record.talked) == (False, False)
    assert (row.call_id, row.owner_title, row.caller_number, row.dialled) == (record.call_id, "Office", "+79271234567", shared.did)
    assert (row.pages, row.complete, row.sender, row.trouble) == (2, True, "79271234567", "")
    before, after = pages_of(sent), pages_of(shared.media / row.path)
    assert len(after) == 2
    assert all(same_page(one, other) for one, other in zip(before, after, strict=True))
    assert not same_page(before[0], after[1])
    assert pages_of_pdf(shared.media / row.pdf_path) == 2


@needs_freeswitch
@pytest.mark.feature("VM-2", "ACT-9", "R1")
@pytest.mark.parametrize("pages", [0, 1])
async def test_a_sender_who_hangs_up_in_the_middle(shared: Pbx, tmp_path: Path, pages: int) -> None:
    """What has come is kept and marked; the call is missed when that is nothing."""
    user = await shared.user("201")
    await shared.rule(Ref(USER_FAX, user))
    async with fax_machine(shared, tmp_path) as machine:
        leg = await machine.sends(draw(tmp_path / "sent.tif", 3))
        await (shared.step("fax_page", within=60, page=1) if pages else shared.step("fax"))
        await asyncio.sleep(2.0)  # into the next page
        await machine.hangs_up(leg)
        (record,) = await shared.records(1)
    assert (record.missed, record.missed_why, record.talked) == (not pages, "" if pages else "left", False)
    if not pages:
        assert await FaxRow.of(shared.account).count() == 0
        assert "fax_empty" in [step["what"] for step in record.trace]
        (path,) = [step["facts"]["path"] for step in record.trace if step["what"] == "fax"]
        async with asyncio.timeout(10):
            while (shared.media / path).exists():  # what the switch had begun to write
                await asyncio.sleep(0.1)
        return
    (row,) = await faxes(shared, 1)
    assert (row.owner_title, row.pages, row.complete) == ("User 201", 1, False)
    assert row.trouble
    assert pages_of_pdf(shared.media / row.pdf_path) == 1


@pytest.mark.skipif(REAL, reason="FreeSWITCH receives faxes")
@pytest.mark.feature("VM-2", "ACT-9", "ACT-10", "GRP-8")
async def test_on_the_embedded_switch_the_call_goes_by_the_no_answer_path(shared: Pbx) -> None:
    """A menu's key leads to a fax: the group's no-answer action follows, and the trace says why."""
    phrase = await shared.file("phrase", sound.tone(shared.folder / f"f{shared.did[1:]}.wav", 900, 1.0))
    sales = await shared.group("Sales", method="NONE", no_answer=Ref(PHRASE, phrase.id))
    menu = await shared.menu("Menu", keys=(MenuKey("1", Ref(GROUP_FAX, sales.id)),))
    await shared.rule(menu)
    async with shared.provider() as caller:
        talk = await caller.calls(shared.did[1:])
        await talk.answered()
        await caller.press("1")
        await caller.hears(900)
        await talk.hang_up()
    (record,) = await shared.records(1)
    told = [step["what"] for step in record.trace]
    assert told[told.index("fax_machine") :][:4] == ["fax_machine", "fax_impossible", "distribution_failed", "enters"]
    assert (record.missed, record.missed_why, record.talked) == (True, "no_answer", False)
    assert await FaxRow.of(shared.account).count() == 0
