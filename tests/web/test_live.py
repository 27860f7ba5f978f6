# SPDX-License-Identifier: Apache-2.0
"""The stream of current calls: it follows the rows, minds rights, and ends with the session and with the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from engine.db import models
from tests.web.conftest import Browser, Visitor
from tests.web.house import House
from web.pages import live


class Stream:
    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer

    async def event(self) -> tuple[str, str]:
        """(name, data) of the next event; ("", "") at the end of the stream."""
        name, data = "", []
        async with asyncio.timeout(10):
            async for raw in self.answer.content:
                line = raw.decode().rstrip("\n")
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    data.append(line[6:])
                elif not line and name:
                    return name, "\n".join(data)
        return "", ""


@asynccontextmanager
async def streaming(browser: Browser) -> AsyncIterator[Stream]:
    async with browser.http.get(browser.base + "/live/stream", headers={"Accept": "text/event-stream"}) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/event-stream"
        yield Stream(answer)


@pytest.mark.feature("STA-8")
async def test_the_stream_follows_the_calls(house: House, visitor: Visitor) -> None:
    manager = await visitor("romashka-manager")
    async with streaming(manager) as stream:
        name, table = await stream.event()
        assert name == "content"
        assert "+7 903 111-22-33" in table
        assert "разговор" in table
        await models.LiveCallRow.of(house.one.id).delete()
        house.ctx.ring("live", house.one.id)
        assert "Сейчас никто не разговаривает" in (await stream.event())[1]


@pytest.mark.feature("ACC-1", "ACC-4")
async def test_nobody_sees_what_is_not_his(house: House, visitor: Visitor) -> None:
    assert "+7 903 111-22-33" in await (await visitor("romashka-user")).get("/live")  # he is on that call
    await models.LiveCallRow.of(house.one.id).update(state={"caller": "+79990000001", "legs": [{"label": "1", "user": 999}]})
    await models.LiveCallRow.of(house.two.id).update(state={"caller": "+79990000002", "legs": []})
    assert "999" not in await (await visitor("romashka-user")).get("/live")
    seen = await (await visitor("romashka-manager")).get("/live")
    assert "+7 999 000-00-01" in seen
    assert "+7 999 000-00-02" not in seen


async def test_a_logged_out_browser_is_told_and_gets_no_more(house: House, visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_BEAT_SECONDS", 0.0)
    manager = await visitor("romashka-manager")
    async with streaming(manager) as stream:
        await stream.event()
        await models.WebSession.all().delete()
        house.ctx.ring("live", house.one.id)
        assert (await stream.event())[0] == "bye"
        assert await stream.event() == ("", "")


async def test_a_stopping_server_does_not_wait_for_streams(house: House, visitor: Visitor, server: TestServer) -> None:
    manager = await visitor("romashka-manager")
    async with streaming(manager) as stream:
        await stream.event()
        async with asyncio.timeout(10):
            await server.close()


async def test_streams_of_one_user_are_limited_and_given_back(house: House, visitor: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_STREAMS_PER_USER", 1)
    manager = await visitor("romashka-manager")
    async with streaming(manager) as stream:
        await stream.event()
        await manager.get("/live/stream", status=400, headers={"Accept": "text/event-stream"})
    house.ctx.ring("live", house.one.id)
    async with asyncio.timeout(10):
        while live._streams:  # the server notices the closed connection at its next write
            await models.LiveCallRow.of(house.one.id).delete()
            house.ctx.ring("live", house.one.id)
            await asyncio.sleep(0)
    async with streaming(manager) as stream:
        assert (await stream.event())[0] == "content"
