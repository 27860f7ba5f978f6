# SPDX-License-Identifier: Apache-2.0
"""The PBX's main settings."""

from __future__ import annotations

import pytest

from engine import people
from engine.errors import Invalid
from engine.people import PbxWish
from engine.sdk import Ref
from tests.people.conftest import Office


@pytest.mark.feature("PBX-1", "PBX-2", "PBX-5")
async def test_settings_are_kept(office: Office) -> None:
    trusted = ("192.0.2.7", "198.51.100.9/24")
    wish = PbxWish(title="New", area_code="8452", timezone="Europe/Saratov", max_hold_seconds=90, whitelist=trusted)
    async with office.edit() as edit:
        await people.edit_pbx(edit, wish)
    account = office.snapshot.account
    assert (account.title, account.area_code, account.timezone, account.max_hold_seconds) == ("New", "8452", "Europe/Saratov", 90)
    assert account.whitelist == ("192.0.2.7", "198.51.100.0/24")
    assert (account.number, account.domain) == ("1", "romashka.example")


@pytest.mark.parametrize(
    ("field", "wish"),
    [
        ("whitelist", PbxWish(title="N", whitelist=("192.0.2.300",))),
        ("timezone", PbxWish(title="N", timezone="Europe/Springfield")),
        ("area_code", PbxWish(title="N", area_code="49a")),
        ("hold_music", PbxWish(title="N", hold_music=Ref("voicefiles.file", 1))),
    ],
)
async def test_wrong_settings_are_named(office: Office, field: str, wish: PbxWish) -> None:
    with pytest.raises(Invalid) as refused:
        async with office.edit() as edit:
            await people.edit_pbx(edit, wish)
    assert [p.field for p in refused.value.problems] == [field]
    assert office.snapshot.account.title == "Romashka"
