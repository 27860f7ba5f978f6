# SPDX-License-Identifier: Apache-2.0
"""Calls in progress (STA-8): a table that follows the doorbell by server-sent events."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web as http

from engine.sdk import N_, Page, Refused, clock, people
from web.sessions import cookie_name, find_session
from web.visit import Visit

_POLL_SECONDS: Final = 1.0
_BEAT_SECONDS: Final = 15.0
_STREAMS_PER_USER: Final = 8
_streams: dict[int, int] = {}


async def live_calls(visit: Visit) -> list[people.Current]:
    """The calls of the visitor's account; an employee sees those he takes part in."""
    return await people.current_calls(visit.account_id, visit.user.id, visit.may("manager"))


async def live(visit: Visit) -> http.Response:
    return visit.render("shell/live.html", live=await live_calls(visit))


async def stream(visit: Visit) -> http.StreamResponse:
    """The table again whenever it changes. Ends when the session does, or when the cabinet stops."""
    user = visit.user.id
    if _streams.get(user, 0) >= _STREAMS_PER_USER:
        raise Refused(N_("Too many open pages with live calls."))
    response = http.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"})
    visit.host.add_headers(response)
    await response.prepare(visit.request)
    _streams[user] = _streams.get(user, 0) + 1
    token = visit.request.cookies.get(cookie_name(visit.host.secure), "")
    sent, beat, checked = "", clock.now(), clock.now()
    try:
        async with visit.ctx.wait_ring("live", visit.account_id) as bell:
            while not visit.host.stopping.is_set():
                table = visit.fragment("shell/live_table.html", live=await live_calls(visit))
                now = clock.now()
                if table != sent:
                    await response.write(_event("content", table))
                    sent, beat = table, now
                elif (now - beat).total_seconds() >= _BEAT_SECONDS:
                    await response.write(b": still here\n\n")
                    beat = now
                if (now - checked).total_seconds() >= _BEAT_SECONDS:
                    checked = now
                    if await find_session(token) is None:
                        await response.write(_event("bye", "session"))
                        break
                await bell.wait(_POLL_SECONDS)
    except (ConnectionResetError, asyncio.CancelledError):
        pass  # the browser has left, or the server stops: both are the ordinary end of a stream
    finally:
        _streams[user] -= 1
        if not _streams[user]:
            del _streams[user]
    return response


def _event(name: str, data: str) -> bytes:
    lines = "".join(f"data: {line}\n" for line in data.splitlines())
    return f"event: {name}\n{lines}\n".encode()


PAGES = (
    Page("GET", "/live", live, "user", name="live", menu=N_("Current calls"), menu_section="statistics", icon="live"),
    Page("GET", "/live/stream", stream, "user", name="live.stream"),
)
