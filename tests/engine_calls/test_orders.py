# SPDX-License-Identifier: Apache-2.0
"""Orders that can't be carried out: each fails alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from engine.errors import NotFound
from engine.plugin.testing import office, sip_user
from engine.runtime.engine_role import EngineRole
from engine.snapshot import Snapshot
from tests.engine_calls.floor import Floor


@pytest.mark.feature("BOT-2")
@pytest.mark.parametrize(
    ("kind", "arguments", "account"),
    [("callback", {"user": 201, "number": "+79271234567"}, 9), ("callback", {"user": "nobody"}, 1), ("conference", {}, 1)],
    ids=["an account that is not here", "no arguments", "an unknown kind"],
)
async def test_an_impossible_order_fails_alone(kind: str, arguments: dict[str, Any], account: int) -> None:
    finished: list[bool] = []
    snapshot = office((sip_user(201),), {})

    def find(number: int) -> Snapshot:
        if number != 1:
            raise NotFound
        return snapshot

    async def finish(order: object, result: dict[str, Any], *, failed: bool = False) -> None:
        finished.append(failed)

    role = EngineRole.__new__(EngineRole)
    role.ctx = SimpleNamespace(orders=SimpleNamespace(finish=finish), snapshot=find, registry=SimpleNamespace(actions=dict))  # type: ignore[assignment]
    role.node = Floor(snapshot).node
    await role._carry_out(SimpleNamespace(id=7, kind=kind, arguments=arguments, account_id=account))  # type: ignore[arg-type]
    assert finished == [True]
    assert not role.node.calls
