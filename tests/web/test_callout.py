# SPDX-License-Identifier: Apache-2.0
"""The page of CallOut's phrases (CO-3)."""

from __future__ import annotations

import pytest

from engine.sdk import Ref
from plugins.callout.part import CallOutPart, phrases_of
from tests.web.conftest import Visitor
from tests.web.house import House


@pytest.mark.feature("CO-3")
async def test_phrases_are_chosen_and_taken_back(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    file = Ref("voicefiles.file", house.one.things["file"])
    await admin.get("/callout")
    await admin.post("/callout", enter_number=file, bad_number="", enter_pin=file, bad_pin="")
    made = phrases_of(house.ctx.snapshot(house.one.id))
    assert (made.enter_number, made.bad_number, made.enter_pin, made.bad_pin) == (file, None, file, None)
    await admin.post("/callout", enter_number="", bad_number=file, enter_pin="", bad_pin="")
    part = house.ctx.snapshot(house.one.id).part("callout", CallOutPart)
    assert part is not None
    assert [(p.id, p.enter_number, p.bad_number) for p in part.phrases] == [(made.id, None, file)]
    assert "/callout" in await admin.get(f"/voice-files/{file.id}/delete")  # where it is used


@pytest.mark.feature("CO-3")
async def test_what_is_no_sound_of_this_account_is_refused(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    before = house.ctx.snapshot(house.one.id)
    await admin.get("/callout")
    for wrong in (Ref("voicefiles.file", house.two.things["file"]), Ref("groups.group", house.one.things["group"]), "nonsense"):
        await admin.post("/callout", status=422, enter_number=wrong)
    assert house.ctx.snapshot(house.one.id) is before


@pytest.mark.feature("ACT-15")
async def test_callout_is_offered_where_calls_may_go(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    for page in (f"/rules/{house.one.things['rule']}", f"/menus/{house.one.things['menu']}", f"/groups/{house.one.things['group']}"):
        assert 'value="callout.callout:0"' in await admin.get(page), page
