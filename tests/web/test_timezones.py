# SPDX-License-Identifier: Apache-2.0
"""Time zones as people know them: by cities and hours, in the language of the page, Russia's first."""

from __future__ import annotations

import re

import pytest

from tests.web.conftest import Visitor
from tests.web.house import House

_OPTION = re.compile(r'<option value="([^"]*)"( selected)?>([^<]*)</option>')


def offered(page: str) -> list[tuple[str, str, str]]:
    """(value, " selected", title) of each time zone of the form."""
    return _OPTION.findall(page.partition('name="timezone"')[2].partition("</select>")[0])


@pytest.mark.parametrize(
    ("language", "cities", "groups"),
    [
        (
            "ru",
            "Москва (UTC+03:00)|Калининград (UTC+02:00)|Екатеринбург (UTC+05:00)|Алматы (UTC+05:00), Казахстан",
            "Россия|Другие страны",
        ),
        (
            "en",
            "Moscow (UTC+03:00)|Kaliningrad (UTC+02:00)|Yekaterinburg (UTC+05:00)|Almaty (UTC+05:00), Kazakhstan",
            "Russia|Other countries",
        ),
    ],
)
async def test_by_cities(house: House, visitor: Visitor, language: str, cities: str, groups: str) -> None:
    titles, heads = cities.split("|"), groups.split("|")
    admin = await visitor("romashka-admin")
    await admin.post("/preferences", language=language, back="/")
    page = await admin.get("/pbx")
    zones = offered(page)
    shown = [title for _, _, title in zones]
    assert shown[:2] == titles[:2]
    assert sorted(map(shown.index, titles)) == [shown.index(title) for title in titles]
    assert [title for _, selected, title in zones if selected] == titles[:1]
    assert all(f'<optgroup label="{head}">' in page for head in heads)
    assert len(set(shown)) == len(shown)
    assert not [title for title in shown if "_" in title or "/" in title]
    hours = await admin.get(f"/schedules/{house.one.things['schedule']}")
    assert {"ru": "Как у ВАТС: ", "en": "As the PBX: "}[language] + titles[0] in hours
    assert titles[2] in hours


async def test_one_is_chosen_and_an_old_name_stays(house: House, visitor: Visitor) -> None:
    admin = await visitor("romashka-admin")
    address = f"/schedules/{house.one.things['schedule']}"
    for zone, title in (("Asia/Almaty", "Алматы (UTC+05:00), Казахстан"), ("Asia/Calcutta", "Калькутта (UTC+05:30)")):
        await admin.get(address)
        page = await admin.get(await admin.post(address, title="Рабочее время", timezone=zone))
        assert [(value, said) for value, selected, said in offered(page) if selected] == [(zone, title)]
