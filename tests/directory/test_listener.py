# SPDX-License-Identifier: Apache-2.0
"""The HTTP side: secret, addresses, sizes, and that it never fails in the switch's face."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import AsyncIterator

import aiohttp
import pytest

from engine.directory import DirectoryListener
from engine.directory.documents import NOT_FOUND
from engine.errors import SettingsError
from tests.directory.test_answers import Office, asked, configuration


async def post(listener: DirectoryListener, path: str, body: bytes, name_and_secret: str = "vats:s3cret") -> tuple[int, str]:
    header = {"Authorization": "Basic " + b64encode(name_and_secret.encode()).decode()}
    async with aiohttp.ClientSession() as session, session.post(f"{listener.url}/{path}", data=body, headers=header) as answer:
        return answer.status, await answer.text()


@pytest.fixture
async def listener() -> AsyncIterator[DirectoryListener]:
    one = DirectoryListener(Office(), host="127.0.0.1", port=0, secret="s3cret", allowed=["127.0.0.0/8"])
    await one.start()
    yield one
    await one.stop()


async def test_it_answers_both_questions(listener: DirectoryListener) -> None:
    status, text = await post(listener, "directory", asked())
    assert (status, "a1-hash" in text) == (200, True)
    status, text = await post(listener, "configuration", configuration("sofia.conf"))
    assert (status, "sofia.conf" in text) == (200, True)


@pytest.mark.parametrize("name_and_secret", ["vats:wrong", "other:s3cret", "vats:пароль", "vats", ":", "vats:s3cret "])
async def test_without_the_secret_nothing_is_told(listener: DirectoryListener, name_and_secret: str) -> None:
    status, text = await post(listener, "directory", asked(), name_and_secret)
    assert status == 401
    assert "a1-hash" not in text


@pytest.mark.parametrize("header", ["", "Basic", "Basic !!!", "Bearer s3cret", "Basic c3Nz"])
async def test_a_broken_header_is_no_secret(listener: DirectoryListener, header: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{listener.url}/directory", data=asked(), headers={"Authorization": header}) as answer,
    ):
        assert answer.status == 401


async def test_only_allowed_networks_may_ask() -> None:
    listener = DirectoryListener(Office(), host="127.0.0.1", port=0, secret="s3cret", allowed=["10.0.0.0/8"])
    await listener.start()
    assert (await post(listener, "directory", asked()))[0] == 403
    await listener.stop()


async def test_a_huge_body_is_not_found(listener: DirectoryListener) -> None:
    assert await post(listener, "directory", b"x" * 300_000) == (200, NOT_FOUND)


async def test_a_failing_source_is_not_found(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Office):
        def sip_account(self, account_id: int, login: str) -> None:
            raise KeyError(login)

    listener = DirectoryListener(Broken(), host="127.0.0.1", port=0, secret="s3cret", allowed=["127.0.0.0/8"])
    await listener.start()
    assert await post(listener, "directory", asked()) == (200, NOT_FOUND)
    assert "the directory failed" in caplog.text
    await listener.stop()


async def test_an_empty_secret_is_refused() -> None:
    with pytest.raises(SettingsError):
        DirectoryListener(Office(), host="127.0.0.1", port=0, secret="", allowed=["127.0.0.0/8"])


async def test_a_taken_port_is_said_and_left_clean(listener: DirectoryListener) -> None:
    second = DirectoryListener(Office(), host="127.0.0.1", port=listener.port, secret="s", allowed=[])
    with pytest.raises(OSError, match="address already in use"):
        await second.start()
    await second.stop()
