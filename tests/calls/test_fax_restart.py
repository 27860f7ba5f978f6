# SPDX-License-Identifier: Apache-2.0
"""The engine dies while a fax comes in: FreeSWITCH receives on, and what came before, meanwhile and after is one fax, told once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.snapshot import Ref
from plugins.fax.models import FaxRow
from plugins.fax.part import GROUP_FAX
from tests.calls.apart import ApartPbx, apart
from tests.calls.fax_machine import fax_machine
from tests.calls.installation import REAL
from tests.calls.test_fax import faxes
from tests.phones.paper import draw, pages_of, pages_of_pdf, same_page

pytestmark = [pytest.mark.feature("VM-2", "R1"), pytest.mark.skipif(not REAL, reason="faxes need FreeSWITCH")]


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[ApartPbx]:
    async with apart(tmp_path) as made:
        yield made


async def page(office: ApartPbx, number: int, within: float = 60.0) -> None:
    """Wait until the switch has so many pages."""
    async with asyncio.timeout(within):
        while True:
            for channel in await office.channels():
                told = (await office.house.ask(f"uuid_getvar {channel['uuid']} fax_document_transferred_pages")).strip()
                if told.isdigit() and int(told) >= number:
                    return
            await asyncio.sleep(0.2)


@pytest.mark.parametrize("back", ["meanwhile", "after the sender has hung up", "after the sender has given up"])
async def test_a_fax_goes_on_without_an_engine(office: ApartPbx, tmp_path: Path, back: str) -> None:
    group = await office.group("Sales", method="NONE")
    await office.rule(Ref(GROUP_FAX, group.id))
    await office.house.start()
    await office.ready()
    sent = draw(tmp_path / "sent.tif", 3)
    async with fax_machine(office, tmp_path) as machine:
        leg = await machine.sends(sent)
        await page(office, 1)
        await office.house.end()
        assert "switch_ivr" not in (tasks := await office.house.ask("show tasks")), tasks  # no dead-man timer will cut it
        if back == "after the sender has given up":
            await page(office, 2)
            await machine.hangs_up(leg)
        if back != "meanwhile":
            await machine.result(leg)
            async with asyncio.timeout(20):
                while await office.channels():
                    await asyncio.sleep(0.2)
        await office.house.start()
        if back == "meanwhile":
            assert await machine.result(leg) == (3, True)
    (record,) = await office.records(1, within=30)
    (row,) = await faxes(office, 1)
    expected = (2, False) if back == "after the sender has given up" else (3, True)
    assert (row.pages, row.complete, row.call_id) == (*expected, record.call_id)
    assert (record.missed, record.talked) == (False, False)
    before, after = pages_of(sent), pages_of(office.media / row.path)
    assert all(same_page(one, other) for one, other in zip(before, after, strict=False))
    assert len(after) == pages_of_pdf(office.media / row.pdf_path) == expected[0]
    told = [step["what"] for step in record.trace]
    assert (told.count("fax"), told.count("fax_over")) == (1, 1)
    assert await FaxRow.of(office.account).count() == 1
