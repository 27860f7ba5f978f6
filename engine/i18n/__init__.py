# SPDX-License-Identifier: Apache-2.0
"""What people read, in their language: gettext catalogues of the core and all plugins, and the writing of times, durations, sums.

Message ids are English sentences with {named} places. Russian and English are complete (tested).
"""

from engine.i18n.catalogue import LANGUAGES, N_, Language, Word, language_of, load, ngettext, translate
from engine.i18n.write import (
    format_date,
    format_datetime,
    format_duration,
    format_hours,
    format_money,
    format_phone,
    format_time,
    format_timezone,
    zone_place,
    zones_by_country,
)

__all__ = [
    "LANGUAGES",
    "N_",
    "Language",
    "Word",
    "format_date",
    "format_datetime",
    "format_duration",
    "format_hours",
    "format_money",
    "format_phone",
    "format_time",
    "format_timezone",
    "language_of",
    "load",
    "ngettext",
    "translate",
    "zone_place",
    "zones_by_country",
]
