# SPDX-License-Identifier: Apache-2.0
"""The overview: today's calls, who is missed, what is going on, which phones are there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

from aiohttp import web as http

from engine.sdk import Page, clock, people
from web.chart import bars
from web.pages.live import live_calls
from web.visit import Visit
from web.words import is_present


class Today(NamedTuple):
    """What the chart needs of a call."""

    started_at: datetime
    talked: bool
    missed: bool
    talk_seconds: int


@dataclass(frozen=True, slots=True)
class Phone:
    user: str
    url: str
    login: str
    registered: bool


async def home(visit: Visit) -> http.Response:
    zone = visit.zone
    now = clock.now().astimezone(zone)
    begin = now.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    calls = people.visible_calls(visit.account_id, visit.user.id, visit.may("manager"))
    columns = ("started_at", "talked", "missed", "talk_seconds")
    today = [Today(*row) for row in await calls.filter(started_at__gte=begin).values_list(*columns)]
    recent_missed = await calls.filter(missed=True, started_at__gte=begin - timedelta(days=6)).order_by("-started_at").limit(5)
    return visit.render(
        "shell/home.html",
        now=clock.now(),
        chart=bars(_by_hour(today, zone), label_every=2),
        total=len(today),
        talked=sum(c.talked for c in today),
        missed=sum(c.missed for c in today),
        talk_seconds=sum(c.talk_seconds for c in today),
        recent_missed=recent_missed,
        phones=_phones(visit) if visit.may("manager") else [],
        live=await live_calls(visit),
    )


def _by_hour(calls: Sequence[Today], zone: tzinfo) -> list[tuple[str, int, int]]:
    talked, missed = [0] * 24, [0] * 24
    for call in calls:
        hour = call.started_at.astimezone(zone).hour
        if call.missed:
            missed[hour] += 1
        else:
            talked[hour] += 1
    return [(f"{hour}:00", talked[hour], missed[hour]) for hour in range(24)]


def _phones(visit: Visit) -> list[Phone]:
    present = visit.ctx.presence(visit.account_id)
    return [
        Phone(user.title, visit.url_of(user.ref), contact.address, is_present(present, contact))
        for user in visit.snapshot.core.users
        for contact in user.contacts
        if contact.kind == "sip" and contact.active and user.active
    ]


PAGES = (Page("GET", "/", home, "user", name="home"),)
