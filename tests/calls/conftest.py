# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the call tests.

Tests that only make calls share one installation per worker, each with an account, a domain, a number and an address of its own
(`shared`, with `pytestmark = shared_loop`); tests that stop, kill or set up the installation itself have their own (`office`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from engine.db import secrets
from tests.calls.installation import Installation, installation
from tests.calls.pbx import Pbx, company, pbx


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """The installation that this worker's tests share. Their tests run on the loop of the session: see `shared`."""
    async with installation(tmp_path_factory.mktemp("installation")) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def shared(house: Installation, tmp_path: Path) -> AsyncIterator[Pbx]:
    """An empty account on the shared installation; the test must leave no call behind."""
    secrets.setup(house.runtime.settings)  # one key per process: a test with an installation of its own has left another
    office = await company(house, tmp_path)
    office.ring_seconds = 30  # whoever is called answers, however busy the machine
    yield office
    print(await office.told())  # pytest shows it when the test has failed
    await office.quiet()


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Pbx]:
    """An empty account on an installation of its own."""
    async with pbx(tmp_path) as running:
        yield running
