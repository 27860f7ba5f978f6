# SPDX-License-Identifier: Apache-2.0
"""The day groups of a schedule as they stand in the page's form, and back (SCH-2…SCH-4); without script: every button posts the form."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.sdk import N_, Invalid, Problem
from plugins.schedules.federal import KINDS, SpecialKind
from plugins.schedules.part import DayGroup, HourRange
from plugins.schedules.times import MINUTES_A_DAY
from web.sdk import Visit

MOST_GROUPS: Final = 7
"""A weekday is in at most one."""
MOST_RANGES: Final = 24
CLOSED: Final = "closed"
_TIME: Final = re.compile(r"([0-9]{1,2})(?:[:.\- ]?([0-9]{2}))?")


@dataclass(slots=True)
class RangeRow:
    """Two fields as typed, and which of them are refused."""

    start: str = ""
    end: str = ""
    wrong_start: bool = False
    wrong_end: bool = False
    fresh: bool = False


@dataclass(slots=True)
class GroupRow:
    title: str = ""
    weekdays: frozenset[int] = frozenset()
    special: frozenset[SpecialKind] = frozenset()
    ranges: list[RangeRow] = field(default_factory=list)
    fresh: bool = False
    """Just added by a button, so that the cursor goes there."""


def minutes_of(text: str) -> int | None:
    """“9”, “9:30”, “0930”, “9.30” as minutes after midnight, up to 24:00; None for what is no time."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return None
    minutes = int(found[1]) * 60 + int(found[2] or 0)
    return minutes if int(found[2] or 0) < 60 and minutes <= MINUTES_A_DAY else None


def time_of(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def hours_text(ranges: Sequence[HourRange]) -> str:
    return ", ".join(f"{time_of(r.start)}–{time_of(r.end)}" for r in ranges)


def ranges_of(field: str, text: str) -> tuple[HourRange, ...]:
    """“9–13, 14:00–18:30” in one field. Raises Problem with it."""
    found = []
    for part in re.split(r"[,;\n]", text):
        if not part.strip():
            continue
        times = re.split(r"\s*[–—-]\s*", part.strip())
        start, end = (minutes_of(times[0]), minutes_of(times[1])) if len(times) == 2 else (None, None)
        if start is None or end is None:
            raise Problem(field, N_("“{text}” is no time range. Write 9:00–18:00."), text=part.strip())
        found.append(HourRange(start, end))
    if not found:
        raise Problem(field, N_("Write from when to when: 9:00–18:00."))
    return tuple(found)


def rows_of(days: Sequence[DayGroup]) -> list[GroupRow]:
    return [
        GroupRow(
            day.title, frozenset(day.weekdays), frozenset(day.special), [RangeRow(time_of(r.start), time_of(r.end)) for r in day.ranges]
        )
        for day in days
    ]


def posted_rows(visit: Visit) -> list[GroupRow]:
    """The groups named by the hidden fields `group`, each with its own numbered fields."""
    rows = []
    for key in _texts(visit, "group")[:MOST_GROUPS]:
        weekdays = frozenset(int(d) for d in _texts(visit, f"days_{key}") if d in "0123456" and len(d) == 1)
        times = zip(_texts(visit, f"from_{key}"), _texts(visit, f"to_{key}"), strict=False)
        special = frozenset(kind for kind in KINDS if visit.text(f"special_{kind}") == f"group:{key}")
        rows.append(GroupRow(visit.text(f"title_{key}"), weekdays, special, [RangeRow(a, b) for a, b in times][:MOST_RANGES]))
    return rows


def posted_closed(visit: Visit) -> tuple[SpecialKind, ...]:
    """The kinds of special days that the form closes."""
    return tuple(kind for kind in KINDS if visit.text(f"special_{kind}") == CLOSED)


def check_special(visit: Visit, rows: Sequence[GroupRow]) -> None:
    """Raises Problem when a kind is given to a group that the form does not have."""
    known = {kind for row in rows for kind in row.special} | set(posted_closed(visit))
    if any(visit.text(f"special_{kind}") and kind not in known for kind in KINDS):
        raise Problem("holidays", N_("Choose one of the list."))


def _texts(visit: Visit, name: str) -> list[str]:
    return [v.strip() for v in visit.posted.getall(name, []) if isinstance(v, str)]


def changed(rows: list[GroupRow], order: str) -> bool:
    """Do what a button asks: “group”, “drop:G”, “range:G”, “drop:G:R”. False for an order that no button gives: then it is “save”."""
    what, _, rest = order.partition(":")
    at = [int(part) for part in rest.split(":") if part.isascii() and part.isdigit() and len(part) < 4]
    group = rows[at[0]] if at and at[0] < len(rows) else None
    if what == "group" and len(rows) < MOST_GROUPS:
        rows.append(GroupRow(ranges=[RangeRow("09:00", "18:00")], fresh=True))
    elif what == "range" and group is not None and len(group.ranges) < MOST_RANGES:
        group.ranges.append(RangeRow(fresh=True))
    elif what == "drop" and group is not None and len(at) == 1:
        rows.remove(group)
    elif what == "drop" and group is not None and at[1] < len(group.ranges):
        del group.ranges[at[1]]
    else:
        return what in ("group", "range", "drop")
    return True


def days_of(rows: Sequence[GroupRow]) -> tuple[DayGroup, ...]:
    """The day groups that the fields mean; a row with two empty fields is none. Raises Invalid; the rows remember which are wrong."""
    problems: list[Problem] = []
    days = []
    for row in rows:
        ranges = []
        for times in row.ranges:
            if not times.start and not times.end:
                continue
            start, end = minutes_of(times.start), minutes_of(times.end)
            times.wrong_start, times.wrong_end = start in (None, MINUTES_A_DAY), end is None or start == end
            problems += [
                Problem("days", N_("{title}: “{text}” is no time. Write 9:00 or 18:30."), title=row.title or "…", text=text)
                for text, minutes in ((times.start, start), (times.end, end))
                if minutes is None
            ]
            if start is not None and end is not None:
                ranges.append(HourRange(start, end))
        days.append(
            DayGroup(
                row.title, tuple(sorted(row.weekdays)), tuple(sorted(ranges, key=lambda r: (r.start, r.end))),
                tuple(kind for kind in KINDS if kind in row.special),
            )
        )  # fmt: skip
    if problems:
        raise Invalid(problems)
    return tuple(days)
