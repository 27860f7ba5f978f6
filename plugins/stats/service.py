# SPDX-License-Identifier: Apache-2.0
"""Lists of the calls somebody may see: last, missed, one of them. Used by the cabinet's and the bot's handlers alike."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tortoise.queryset import QuerySet

from engine.sdk import N_, NotFound, models, people


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who looks. `everything`: managers and administrators see all calls, an employee his own (ACC-4)."""

    account_id: int
    user_id: int
    everything: bool


def visible(viewer: Viewer) -> QuerySet[models.CallRecord]:
    return people.visible_calls(viewer.account_id, viewer.user_id, viewer.everything)


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


def recording_file(call: models.CallRecord, media_root: Path) -> Path:
    """The sound file of a call fetched with its recordings; NotFound when there is none, or it was removed."""
    for recording in call.recordings:
        path = (media_root / recording.path).resolve()
        if path.is_relative_to(media_root.resolve()) and path.is_file():
            return path
    raise NotFound(N_("The recording is not there."))
