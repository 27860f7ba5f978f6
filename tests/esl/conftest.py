# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the event socket tests."""

from collections.abc import AsyncIterator

import pytest

from .fake_switch import FakeSwitch, fake_switch


@pytest.fixture
async def fake() -> AsyncIterator[FakeSwitch]:
    async with fake_switch() as switch:
        yield switch
