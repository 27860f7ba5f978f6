# SPDX-License-Identifier: Apache-2.0
"""Times, durations, sums and numbers as people write them; used by pages, cards, mails and exports."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal
from zoneinfo import ZoneInfo

import phonenumbers
from babel import dates, numbers

from engine.i18n.catalogue import language_of

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
