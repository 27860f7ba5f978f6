# SPDX-License-Identifier: Apache-2.0
"""Long lists of rows: filters, and keyset paging (newest first) that stays fast and stable while rows arrive."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Generic, TypeVar

from tortoise.expressions import Q
from tortoise.models import Model
from tortoise.queryset import QuerySet

from engine.sdk import to_e164
from web.visit import Visit

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Rows(Generic[M]):
    """One page of a list; `older` and `newer` are addresses of the neighbouring pages, "" at an end."""

    items: Sequence[M]
    older: str = ""
    newer: str = ""


def _pack(moment: datetime, key: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([moment.isoformat(), key]).encode()).decode().rstrip("=")


def _unpack(text: str) -> tuple[datetime, int] | None:
    """A place in the list; None for anything that is not one (then the list begins at its top)."""
    try:
        moment, key = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        at = datetime.fromisoformat(moment)
        return (at, int(key)) if at.tzinfo is not None else None
    except (ValueError, TypeError):
        return None


def _beyond(moment: str, side: str, at: datetime, key: int) -> Q:
    """Rows on one side of a place in the order (moment, primary key)."""
    elsewhere: dict[str, Any] = {f"{moment}__{side}": at}
    same_moment: dict[str, Any] = {moment: at, f"pk__{side}": key}
    return Q(**elsewhere) | Q(**same_moment)


def by_days_and_number(visit: Visit, query: QuerySet[M], moment: str) -> QuerySet[M]:
    """By `?since=`, `?until=` (days of the account, both included) and `?number=` (in `caller_number` or `dialled`).

    Values that mean nothing are ignored, so that an old bookmark still works.
    """
    for name, side, days in (("since", "gte", 0), ("until", "lt", 1)):
        day = _day(visit.query.get(name, ""))
        if day is not None:
            begin = datetime.combine(day + timedelta(days=days), time(), visit.zone).astimezone(UTC)
            query = query.filter(**{f"{moment}__{side}": begin})
    number = "".join(c for c in visit.query.get("number", "") if c.isprintable()).strip()
    if number:
        digits = "".join(c for c in number if c.isdigit())
        wanted = to_e164(number, visit.snapshot.account.area_code) or digits or number
        query = query.filter(Q(caller_number__contains=wanted) | Q(dialled__contains=wanted))
    return query


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 2000 <= day.year <= 2200 else None


async def page_of(visit: Visit, query: QuerySet[M], moment: str, size: int = 50) -> Rows[M]:
    """The rows around the place that `?older=` or `?newer=` names, ordered by the column `moment` and the primary key, newest first."""
    before, after = _unpack(visit.query.get("older", "")), _unpack(visit.query.get("newer", ""))
    if after is not None:
        at, key = after
        found = await query.filter(_beyond(moment, "gt", at, key)).order_by(moment, "id").limit(size + 1)
        more_newer, more_older = len(found) > size, True
        items = list(reversed(found[:size]))
    else:
        if before is not None:
            at, key = before
            query = query.filter(_beyond(moment, "lt", at, key))
        found = await query.order_by(f"-{moment}", "-id").limit(size + 1)
        more_newer, more_older = before is not None, len(found) > size
        items = list(found[:size])

    def address(direction: str, row: M) -> str:
        kept = {k: v for k, v in visit.query.items() if k not in ("older", "newer") and v}
        place: Any = getattr(row, moment)
        return str(visit.request.rel_url.with_query({**kept, direction: _pack(place, row.pk)}))

    if not items:
        kept = {k: v for k, v in visit.query.items() if k not in ("older", "newer")}
        return Rows((), newer=str(visit.request.rel_url.with_query(kept)) if before else "")
    return Rows(items, address("older", items[-1]) if more_older else "", address("newer", items[0]) if more_newer else "")
