# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the call tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.calls.pbx import Pbx, pbx


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Pbx]:
    """An empty account on a PBX of its own."""
    async with pbx(tmp_path) as running:
        yield running
