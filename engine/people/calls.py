# SPDX-License-Identifier: Apache-2.0
"""Whose calls somebody may see (ACC-4), finished and in progress; asked by every list of calls, in cabinet and bot alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from tortoise.expressions import Q, Subquery
from tortoise.queryset import QuerySet

from engine.db.models import CallLeg, CallRecord, LiveCallRow

LIVE_LIMIT: Final = 500


@dataclass(frozen=True, slots=True)
class Current:
    """A call in progress as the engine last wrote it down.

    `place`: the element it is in; `talking`, `ringing`: labels of those with whom the caller talks and whom it rings.
    """

    call_id: str
    direction: str
    caller: str
    caller_name: str
    dialled: str
    place: str
    started_at: datetime
    talk_started_at: datetime | None
    talking: tuple[str, ...]
    ringing: tuple[str, ...]
    users: frozenset[int]


def visible_calls(account_id: int, user_id: int, everything: bool) -> QuerySet[CallRecord]:
    """`everything`: managers and administrators. An employee's own: he talked or called, or one of his phones rang."""
    calls = CallRecord.of(account_id)
    if everything:
        return calls
    rang = CallLeg.of(account_id).filter(user_id=user_id).values("call_id")
    return calls.filter(Q(user_id=user_id) | Q(id__in=Subquery(rang)))


async def current_calls(account_id: int, user_id: int, everything: bool) -> list[Current]:
    """Calls in progress within the same rights, oldest first (STA-8)."""
    rows = await LiveCallRow.of(account_id).order_by("id").limit(LIVE_LIMIT)
    found = [_current(row, row.state) for row in rows if isinstance(row.state, dict)]
    return sorted((c for c in found if everything or user_id in c.users), key=lambda call: call.started_at)


def _current(row: LiveCallRow, state: Mapping[str, Any]) -> Current:
    legs: list[Mapping[str, Any]] = state.get("legs") or []

    def others(doing: str) -> tuple[str, ...]:
        """The first leg is the caller's own."""
        return tuple(str(leg.get("label", "")) for leg in legs[1:] if leg.get("state") == doing)

    return Current(
        call_id=row.call_id,
        direction=state.get("direction") or "in",
        caller=state.get("caller") or "",
        caller_name=state.get("caller_name") or "",
        dialled=state.get("dialled") or "",
        place=state.get("place") or "",
        started_at=_moment(state.get("started_at")) or row.updated_at,
        talk_started_at=_moment(state.get("talk_started_at")),
        talking=others("talking"),
        ringing=others("ringing"),
        users=frozenset(leg["user"] for leg in legs if leg.get("user") is not None),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None
