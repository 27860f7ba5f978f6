# SPDX-License-Identifier: Apache-2.0
"""Pages of recorded conversations (STA-1): list, and the sound itself with seeking; rights are those of the call."""

from __future__ import annotations

from tortoise.expressions import Subquery

from engine.sdk import N_, NotFound, Page, format_datetime, models, people
from web.sdk import Visit, http, media_file, page_of


async def recordings(visit: Visit) -> http.Response:
    mine = people.visible_calls(visit.account_id, visit.user.id, visit.may("manager"))
    recorded = models.Recording.of(visit.account_id).values("call_id")
    rows = await page_of(visit, mine.filter(id__in=Subquery(recorded)).prefetch_related("recordings"), "started_at", size=25)
    return visit.render("recording/recordings.html", rows=rows)


async def sound(visit: Visit) -> http.StreamResponse:
    """The file of one recording; an employee hears his own conversations only."""
    recording = await models.Recording.of(visit.account_id).fetch(visit.id())
    call = await people.visible_calls(visit.account_id, visit.user.id, visit.may("manager")).filter(id=recording.call_id).first()
    if call is None:
        raise NotFound()
    name = ""
    if visit.query.get("download"):
        at = format_datetime("en", call.started_at, str(visit.zone)).replace("/", "-").replace(":", "-").replace(",", "")
        name = f"{at} {call.caller_number or ''} {call.dialled}.wav"
    return media_file(visit, recording.path, download_as=name)


PAGES = (
    Page(
        "GET", "/recordings", recordings, "user", name="recording.list",
        menu=N_("Call recordings"), menu_section="statistics", icon="record",
    ),
    Page("GET", "/recordings/{id}/sound", sound, "user", name="recording.sound"),
)
