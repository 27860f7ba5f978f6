# SPDX-License-Identifier: Apache-2.0
"""What watches of this machine are told."""

from __future__ import annotations

from aiohttp import web as http
from aiohttp.test_utils import TestClient, TestServer

from web.health import add_routes


class Watched:
    """The part of a Context that these routes ask."""

    def __init__(self, **states: bool) -> None:
        self.states = states

    async def health(self) -> dict[str, bool]:
        return self.states

    def metrics(self) -> dict[str, float]:
        return {"calls": 3.0}


async def asked(ctx: Watched, path: str, **headers: str) -> tuple[int, str]:
    app = http.Application()
    add_routes(app, ctx)  # type: ignore[arg-type]
    async with TestClient(TestServer(app)) as client:
        answer = await client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        return answer.status, await answer.text()


async def test_the_process_is_alive_even_while_the_switch_is_away() -> None:
    assert (await asked(Watched(switch=False), "/healthz"))[0] == 200


async def test_it_is_ready_only_with_everything_calls_need() -> None:
    assert (await asked(Watched(database=True, switch=True), "/readyz"))[0] == 200
    status, text = await asked(Watched(database=True, switch=False), "/readyz")
    assert status == 503
    assert '"switch": false' in text


async def test_figures_are_told_to_this_machine() -> None:
    assert await asked(Watched(), "/metrics") == (200, "# TYPE vats_calls gauge\nvats_calls 3\n")


async def test_figures_are_not_told_through_a_proxy() -> None:
    assert (await asked(Watched(), "/metrics", X_Forwarded_For="203.0.113.9"))[0] == 404
