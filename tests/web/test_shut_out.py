# SPDX-License-Identifier: Apache-2.0
"""A new white list of addresses names the phones registered now that it shuts out: in the check before saving, and with “Saved”."""

from __future__ import annotations

import html
import re

import pytest

from tests.web.conftest import Visitor
from tests.web.house import House
from tests.web.test_warnings import notice_of

FIELDS = {"title": "Ромашка", "timezone": "Europe/Moscow", "language": "ru"}
SHUT = {"ru": "Белый список не пускает телефоны", "en": "Phones that are registered now are outside the white list"}
BOTH = pytest.mark.parametrize("language", ["ru", "en"])


def card(page: str) -> str:
    """What the check before saving says."""
    told = page.partition('id="tried"')[2].partition("</section>")[0]
    assert told
    return " ".join(re.sub("<[^>]+>", " ", html.unescape(told)).split())


def register(house: House) -> None:
    house.ctx.addresses = {"201": ["192.0.2.7"], "202": ["198.51.100.9", "192.0.2.8"], "203": ["2001:db8::1"], "gone": ["203.0.113.5"]}


@BOTH
@pytest.mark.feature("PBX-5")
async def test_the_check_before_saving_names_user_and_address(house: House, visitor: Visitor, language: str) -> None:
    register(house)
    admin = await visitor("romashka-admin")
    await admin.post("/preferences", language=language, back="/")
    before = house.ctx.snapshot(house.one.id)
    await admin.get("/pbx")
    told = card(await admin.post("/pbx", 200, **{"try": "1"}, **FIELDS, whitelist="192.0.2.0/24"))
    assert SHUT[language] in told
    assert "(2): Максим Руководитель, 202 (198.51.100.9); Ульяна Петрова, 203 (2001:db8::1)." in told
    assert "192.0.2" not in told
    assert house.ctx.snapshot(house.one.id) is before
    told = card(await admin.post("/pbx", 200, **{"try": "1"}, **FIELDS, whitelist="192.0.2.0/24\n198.51.100.9\n2001:db8::/32"))
    assert SHUT[language] not in told


@BOTH
async def test_it_is_told_with_saved_and_only_when_the_list_has_changed(house: House, visitor: Visitor, language: str) -> None:
    register(house)
    admin = await visitor("romashka-admin")
    await admin.post("/preferences", language=language, back="/")
    await admin.get("/pbx")
    told = notice_of(await admin.get(await admin.post("/pbx", **FIELDS, whitelist="192.0.2.7")))
    assert told.startswith("warn: ")
    assert SHUT[language] in told
    assert "(3): Максим Руководитель, 202 (198.51.100.9); Максим Руководитель, 202 (192.0.2.8); Ульяна Петрова, 203 (2001:db8::1)." in told
    await admin.get("/pbx")
    assert notice_of(await admin.get(await admin.post("/pbx", **FIELDS, whitelist="192.0.2.7", area_code="495"))).startswith("good: ")
    await admin.get("/pbx")
    assert notice_of(await admin.get(await admin.post("/pbx", **FIELDS, whitelist=""))).startswith("good: ")


async def test_many_phones_are_counted(house: House, visitor: Visitor) -> None:
    house.ctx.addresses = {"201": [f"198.51.100.{n}" for n in range(1, 31)]}
    admin = await visitor("romashka-admin")
    await admin.get("/pbx")
    told = card(await admin.post("/pbx", 200, **{"try": "1"}, **FIELDS, whitelist="192.0.2.7"))
    assert "(30): Анна Админ, 201 (198.51.100.1); " in told
    assert "201 (198.51.100.20); …." in told
    saved = notice_of(await admin.get(await admin.post("/pbx", **FIELDS, whitelist="192.0.2.7")))
    assert "(30): " in saved
    assert saved.count("198.51.100.") == 8


async def test_other_customers_are_not_told(house: House, visitor: Visitor) -> None:
    register(house)
    admin = await visitor("vasilek-admin")
    await admin.get("/pbx")
    assert "198.51.100.9" not in card(await admin.post("/pbx", 200, **{"try": "1"}, **FIELDS, whitelist="203.0.113.1"))
