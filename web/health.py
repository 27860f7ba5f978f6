# SPDX-License-Identifier: Apache-2.0
"""For the machines that watch this one: is the process alive, is it ready to serve calls, how much does it do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from ipaddress import ip_address

from aiohttp import web as http

from engine.sdk import Context

Handler = Callable[[http.Request], Awaitable[http.Response]]


def add_routes(app: http.Application, ctx: Context) -> None:
    """/healthz: the process answers (200 even while switch or database are away). /readyz: 503 until calls can be served.

    /metrics: Prometheus text, for this machine only.
    """

    async def alive(request: http.Request) -> http.Response:
        return http.json_response({"ok": True})

    async def ready(request: http.Request) -> http.Response:
        states = await ctx.health()
        return http.json_response(dict(states), status=200 if all(states.values()) else 503)

    async def metrics(request: http.Request) -> http.Response:
        if not _is_local(request.remote) or "X-Forwarded-For" in request.headers:  # behind a proxy everybody seems local
            raise http.HTTPNotFound
        lines = [f"# TYPE vats_{name} gauge\nvats_{name} {value:g}" for name, value in ctx.metrics().items()]
        return http.Response(text="\n".join(lines) + "\n", content_type="text/plain")

    for path, handler in (("/healthz", alive), ("/readyz", ready), ("/metrics", metrics)):
        app.router.add_get(path, handler)


def _is_local(remote: str | None) -> bool:
    try:
        return remote is not None and ip_address(remote).is_loopback
    except ValueError:
        return False
