# SPDX-License-Identifier: Apache-2.0
"""An account on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from engine.settings import Settings
from tests.plugins.configured import Configured, configured


@pytest.fixture
async def house(database_settings: Settings) -> AsyncIterator[Configured]:
    async with configured(database_settings) as made:
        yield made
