# SPDX-License-Identifier: Apache-2.0
"""Times, durations, sums and numbers as people write them; used by pages, cards, mails and exports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

import phonenumbers
from babel import Locale, dates, numbers
from babel.core import get_global

from engine.i18n.catalogue import language_of

_NOWHERE = frozenset({"001", "ZZ"})
"""What CLDR calls the world and no known country."""
_OLD_NAMES: dict[str, list[str]] = {}
for _old, _new in get_global("zone_aliases").items():
    _OLD_NAMES.setdefault(_new, []).append(_old)  # CLDR names the cities under these
Length = Literal["short", "medium", "long", "full"]


def format_datetime(language: str, moment: datetime, timezone: str = "Europe/Moscow", length: Length = "short") -> str:
    """An aware moment in the account's time zone: 22.11.2026, 21:24."""
    return dates.format_datetime(moment, length, tzinfo=ZoneInfo(timezone), locale=language_of(language))


def format_date(language: str, day: date, length: Length = "medium") -> str:
    """A calendar day; for a moment take its day in the account's time zone first."""
    return dates.format_date(day, length, locale=language_of(language))


def format_time(language: str, moment: datetime, timezone: str = "Europe/Moscow", length: Length = "short") -> str:
    return dates.format_time(moment, length, tzinfo=ZoneInfo(timezone), locale=language_of(language))


def format_hours(language: str, start: datetime, end: datetime, timezone: str = "Europe/Moscow") -> str:
    """Hours of a week in the account's time zone: Mon 18:00 – Tue 09:00."""
    zone, locale = ZoneInfo(timezone), language_of(language)

    def day(moment: datetime) -> str:
        return dates.format_datetime(moment, "EEE HH:mm", tzinfo=zone, locale=locale)

    if start.astimezone(zone).date() == end.astimezone(zone).date():
        return f"{day(start)}–{end.astimezone(zone):%H:%M}"
    return f"{day(start)} – {day(end)}"


def format_timezone(language: str, timezone: str, moment: datetime) -> str:
    """A time zone by its city and its offset at this moment: Екатеринбург (UTC+05:00)."""
    city = zone_place(language, timezone)[0]
    offset = moment.astimezone(ZoneInfo(timezone)).strftime("%z")
    return city if city == "UTC" else f"{city} (UTC{offset[:3]}:{offset[3:5]})"


@cache
def zone_place(language: str, timezone: str) -> tuple[str, str]:
    """City and country of a time zone; "" for no country."""
    locale = Locale.parse(language_of(language))
    named = (locale.time_zones.get(name, {}).get("city") for name in (timezone, *_OLD_NAMES.get(timezone, ())))
    city = next(filter(None, named), timezone.rpartition("/")[2].replace("_", " "))
    country = get_global("zone_territories").get(timezone, "ZZ")
    return str(city), "" if country in _NOWHERE else str(locale.territories.get(country, ""))


@cache
def zones_by_country() -> Mapping[str, Sequence[str]]:
    """The time zones of the world under their present names, by the code of their country, "RU"; UTC under the empty code."""
    found: dict[str, list[str]] = {"": ["UTC"]}
    known = available_timezones()
    for zone, country in get_global("zone_territories").items():
        if zone in known and country not in _NOWHERE:
            found.setdefault(country, []).append(zone)
    return found


def format_duration(seconds: float | timedelta) -> str:
    """0:07, 12:34, 1:02:03: the same in every language, fractions cut off."""
    whole = max(0, int(seconds.total_seconds() if isinstance(seconds, timedelta) else seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def format_money(language: str, roubles: Decimal) -> str:
    return numbers.format_currency(roubles, "RUB", locale=language_of(language))


def format_phone(number: str | None) -> str:
    """+7 495 123-45-67 for E.164, in the country's own grouping; extensions and anything else as it is; empty when withheld."""
    if not number or not number.startswith("+"):
        return number or ""
    try:
        return phonenumbers.format_number(phonenumbers.parse(number), phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    except phonenumbers.NumberParseException:
        return number
