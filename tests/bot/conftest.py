# SPDX-License-Identifier: Apache-2.0
"""An office with a running bot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bot.office import Office, bot_running, open_office


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with open_office(tmp_path / "state") as made, bot_running(made):
        yield made
