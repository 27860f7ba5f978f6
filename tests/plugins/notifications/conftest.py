# SPDX-License-Identifier: Apache-2.0
"""An office whose bot does not poll: deliveries are sent when a test says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bot.office import Office, open_office


@pytest.fixture
async def quiet_office(tmp_path: Path) -> AsyncIterator[Office]:
    async with open_office(tmp_path / "state") as made:
        yield made
