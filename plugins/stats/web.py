# SPDX-License-Identifier: Apache-2.0
"""Pages of statistics (STA): calls with filters, missed calls, one call with its path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from tortoise.queryset import QuerySet

from engine.sdk import N_, Page, models, names_of
from plugins.stats import service
from plugins.stats.service import Viewer
from web.sdk import Visit, by_days_and_number, http, page_of, timeline

NOT_RUNG: Final = frozenset({"skipped", "gate_closed", "closed", "not_reached", "no", "line_failed", "unavailable"})
"""Steps that say why a phone did not ring."""


def viewer(visit: Visit) -> Viewer:
    return Viewer(visit.account_id, visit.user.id, visit.may("manager"))


async def calls(visit: Visit) -> http.Response:
    rows = await page_of(visit, filtered(visit, service.visible(viewer(visit))).prefetch_related("recordings"), "started_at")
    return _listed(visit, rows, _titles(visit), missed_only=False)


async def missed(visit: Visit) -> http.Response:
    query = filtered(visit, service.visible(viewer(visit)).filter(missed=True))
    rows = await page_of(visit, query.prefetch_related("recordings"), "started_at")
    return _listed(visit, rows, {}, missed_only=True)


def _listed(visit: Visit, rows: object, titles: Mapping[str, str], *, missed_only: bool) -> http.Response:
    return visit.render(
        "stats/calls.html", rows=rows, query=visit.query, users=_users(visit), titles=titles, missed_only=missed_only, asks_why=asks_why
    )


def _users(visit: Visit) -> list[tuple[int, str]]:
    return sorted(((u.id, u.title) for u in visit.snapshot.core.users), key=lambda u: u[1].casefold()) if visit.may("manager") else []


def _titles(visit: Visit) -> dict[str, str]:
    """Whose the internal numbers are, now."""
    elements = ((number, visit.snapshot.element(ref)) for number, ref in visit.snapshot.extensions.items())
    return {number: element.title for number, element in elements if element is not None}


def filtered(visit: Visit, query: QuerySet[models.CallRecord]) -> QuerySet[models.CallRecord]:
    """What the filter form asks; values that mean nothing are ignored, so that an old bookmark still works."""
    wish = visit.query
    if wish.get("direction") in ("in", "out", "internal"):
        query = query.filter(direction=wish["direction"])
    if wish.get("result") == "talked":
        query = query.filter(talked=True)
    elif wish.get("result") == "missed":
        query = query.filter(missed=True)
    elif wish.get("result") == "none":
        query = query.filter(talked=False)
    if wish.get("user", "").isdecimal() and visit.may("manager"):
        query = query.filter(user_id=int(wish["user"][:9]))
    if wish.get("recorded"):
        query = query.filter(recordings__id__not_isnull=True).distinct()
    return by_days_and_number(visit, query, "started_at")


def asks_why(record: models.CallRecord) -> bool:
    """Whether people ask of this call why no phone rang, or nobody took it."""
    return not record.talked and record.direction != "out"


def _keeps_silent(step: Mapping[str, Any], talked: bool) -> bool:
    """Whether a step of the path says why a phone did not ring, or rang in vain; whose ringing ended with the answer has rung."""
    return step.get("what") in NOT_RUNG or (step.get("what") == "cancelled" and not talked)


async def call(visit: Visit) -> http.Response:
    """One call: who, when, its path step by step, its legs, its recording."""
    record = await service.record(viewer(visit), visit.id())
    legs = await models.CallLeg.of(visit.account_id).filter(call_id=record.id).order_by("started_at", "id")
    names = {u.id: u.title for u in visit.snapshot.core.users}
    trace = record.trace or ()
    known = names_of(visit.t, visit.snapshot, visit.ctx.registry.actions())
    return visit.render(
        "stats/call.html",
        call=record,
        lines=timeline(visit.t, trace, known, visit.host.sentences),
        why=timeline(visit.t, (s for s in trace if _keeps_silent(s, record.talked)), known, visit.host.sentences),
        asks_why=asks_why(record),
        legs=legs,
        names=names,
        recordings=list(record.recordings),
    )


PAGES = (
    Page("GET", "/calls", calls, "user", name="stats.calls", menu=N_("Call details"), menu_section="statistics", icon="calls"),
    Page("GET", "/calls/missed", missed, "user", name="stats.missed", menu=N_("Missed calls"), menu_section="statistics", icon="missed"),
    Page("GET", "/calls/{id}", call, "user", name="stats.call"),
)
