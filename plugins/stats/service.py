# SPDX-License-Identifier: Apache-2.0
"""Which calls somebody may see, and lists of them: last, missed, current. Used by the cabinet's and the bot's handlers alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tortoise.expressions import Q, Subquery
from tortoise.queryset import QuerySet

from engine.sdk import N_, NotFound, models

LIVE_LIMIT: Final = 500


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks. `everything`: managers and administrators see all calls, an employee his own (ACC-4)."""

    account_id: int
    user_id: int
    everything: bool


@dataclass(frozen=True, slots=True)
class Current:
    """A call in progress as the engine last wrote it down. `place`: the element it is in; `talking`: labels of who talks."""

    call_id: str
    direction: str
    caller: str
    caller_name: str
    dialled: str
    place: str
    started_at: datetime
    talk_started_at: datetime | None
    talking: tuple[str, ...]
    users: frozenset[int]


def visible(viewer: Viewer) -> QuerySet[models.CallRecord]:
    """The viewer's calls. An employee's own: he talked or called, or one of his phones rang."""
    calls = models.CallRecord.of(viewer.account_id)
    if viewer.everything:
        return calls
    rang = models.CallLeg.of(viewer.account_id).filter(user_id=viewer.user_id).values("call_id")
    return calls.filter(Q(user_id=viewer.user_id) | Q(id__in=Subquery(rang)))


async def last(viewer: Viewer, limit: int) -> list[models.CallRecord]:
    """The newest calls first, with their recordings."""
    return await visible(viewer).order_by("-started_at", "-id").limit(limit).prefetch_related("recordings")


async def missed(viewer: Viewer, limit: int) -> list[models.CallRecord]:
    """The newest missed calls first (STA-5)."""
    return await visible(viewer).filter(missed=True).order_by("-started_at", "-id").limit(limit)


async def record(viewer: Viewer, record_id: int) -> models.CallRecord:
    """NotFound for another customer's call, and for one the viewer may not see."""
    return _found(await visible(viewer).filter(id=record_id).prefetch_related("recordings").first())


async def record_of_call(viewer: Viewer, call_id: str) -> models.CallRecord:
    """The same by the call's id."""
    return _found(await visible(viewer).filter(call_id=call_id).prefetch_related("recordings").first())


def _found(call: models.CallRecord | None) -> models.CallRecord:
    if call is None:
        raise NotFound
    return call


async def current(viewer: Viewer) -> list[Current]:
    """Calls in progress, oldest first (STA-8)."""
    rows = await models.LiveCall.of(viewer.account_id).order_by("id").limit(LIVE_LIMIT)
    found = [_current(row, row.state) for row in rows if isinstance(row.state, dict)]
    return sorted((c for c in found if viewer.everything or viewer.user_id in c.users), key=lambda call: call.started_at)


def _current(row: models.LiveCall, state: Mapping[str, Any]) -> Current:
    legs: list[Mapping[str, Any]] = state.get("legs") or []
    return Current(
        call_id=row.call_id,
        direction=state.get("direction") or "in",
        caller=state.get("caller") or "",
        caller_name=state.get("caller_name") or "",
        dialled=state.get("dialled") or "",
        place=state.get("place") or "",
        started_at=_moment(state.get("started_at")) or row.updated_at,
        talk_started_at=_moment(state.get("talk_started_at")),
        talking=tuple(str(leg.get("label", "")) for leg in legs if leg.get("state") == "talking"),
        users=frozenset(leg["user"] for leg in legs if leg.get("user") is not None),
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def recording_file(call: models.CallRecord, media_root: Path) -> Path:
    """The sound file of a call fetched with its recordings; NotFound when there is none, or it was removed."""
    for recording in call.recordings:
        path = (media_root / recording.path).resolve()
        if path.is_relative_to(media_root.resolve()) and path.is_file():
            return path
    raise NotFound(N_("The recording is not there."))
