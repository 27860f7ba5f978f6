# SPDX-License-Identifier: Apache-2.0
"""The page of the feature codes (PBX-6): what can't be told apart is refused with words, and nothing is half saved."""

from __future__ import annotations

from html import unescape

import pytest

from engine.sdk import Invalid, Ref, assign_extension, translate
from plugins.codes.part import DEFAULTS, codes_of
from plugins.codes.service import COLLIDES, COLLIDES_WITH_EMERGENCY, COLLIDES_WITH_EXTENSION
from tests.web.conftest import Visitor
from tests.web.house import SYSTEM, House

FIELDS = {feature: "\n".join(patterns) for feature, patterns in DEFAULTS.patterns.items()}


@pytest.mark.feature("PBX-6")
async def test_codes_are_changed_and_switched_off(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    assert "*1ddd" in await admin.get("/codes")
    await admin.post("/codes", **{**FIELDS, "blind": "#1dd\n*8", "fax": ""})
    saved = codes_of(house.ctx.snapshot(house.one.id))
    assert (saved.blind, saved.fax, saved.toggle) == (("#1dd", "*8"), (), ("*3",))
    await admin.post("/codes", **FIELDS)
    again = codes_of(house.ctx.snapshot(house.one.id))
    assert (again.id, again.patterns) == (saved.id, DEFAULTS.patterns)
    assert codes_of(house.ctx.snapshot(house.two.id)) == DEFAULTS


@pytest.mark.feature("PBX-6", "R21")
@pytest.mark.parametrize(
    ("wrong", "message", "words"),
    [
        ({"toggle": "*1"}, COLLIDES, {"code": "*1", "other": "*1ddd"}),
        ({"cancel": "*22"}, COLLIDES, {"code": "*22", "other": "*2ddd"}),
        ({"fax": "*6"}, COLLIDES, {"code": "*6", "other": "*6"}),
        ({"pickup": "2"}, COLLIDES_WITH_EXTENSION, {"code": "2"}),
        ({"pickup": "11"}, COLLIDES_WITH_EMERGENCY, {"code": "11", "number": "112"}),
        ({"cancel": "5"}, "A code without * or # would be taken for keys pressed in other people’s menus: {code}.", {"code": "5"}),
        ({"toggle": "3a"}, "A code consists of 0–9, *, # and d (one digit): “{code}” does not.", {"code": "3a"}),
        ({"toggle": "*3d"}, "This code is followed by no number, so there can't be a d in it: {code}.", {"code": "*3d"}),
    ],
)  # fmt: skip
async def test_what_can_not_be_told_apart_is_refused(
    house: House, visitor: Visitor, wrong: dict[str, str], message: str, words: dict[str, str]
) -> None:
    admin = await visitor("romashka-admin")
    await admin.get("/codes")
    before = house.ctx.snapshot(house.one.id)
    page = unescape(await admin.post("/codes", status=422, **{**FIELDS, **wrong}))
    told = translate("ru", message)
    for part in told.split("{")[0], *words.values():
        assert part in page
    assert house.ctx.snapshot(house.one.id) is before  # nothing half saved
    assert translate("ru", message) != message


@pytest.mark.feature("PBX-6", "R21")
async def test_an_internal_number_that_a_dialled_code_begins_like_is_refused(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    await admin.get("/codes")
    await admin.post("/codes", **{**FIELDS, "pickup": "77"})
    before = house.ctx.snapshot(house.one.id)
    with pytest.raises(Invalid) as refused:
        async with house.ctx.edit(house.one.id, SYSTEM) as edit:
            await assign_extension(house.one.id, Ref("groups.group", house.one.things["group"]), "771", edit.tx)
    (problem,) = [p for p in refused.value.problems if p.message == COLLIDES_WITH_EXTENSION]
    assert (problem.params["code"], problem.params["number"]) == ("77", "771")
    assert house.ctx.snapshot(house.one.id) is before
