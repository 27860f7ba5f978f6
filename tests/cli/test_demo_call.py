# SPDX-License-Identifier: Apache-2.0
"""Calls by the built-in phones through a running PBX: what `vats demo-call` does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.cli.demo_call import Answerer, DemoCallResult, DemoEvent, run
from engine.cli.phone import Line, PhoneError
from plugins.ivr.part import MenuKey
from tests.calls.pbx import DID, DOMAIN, Pbx, pbx

pytestmark = pytest.mark.kind("call")


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Pbx]:
    async with pbx(tmp_path) as running:
        yield running


async def call(
    office: Pbx, number: str, wav: Path, *, answering: str = "", keys: tuple[tuple[float, str], ...] = (), password: str = ""
) -> tuple[DemoCallResult, list[DemoEvent]]:
    """201 calls; `answering` picks up."""
    server = f"{office.internal[0]}:{office.internal[1]}"
    events: list[DemoEvent] = []
    other = Answerer(Line(server, answering, office.passwords[answering], DOMAIN), answer_after_seconds=0.3) if answering else None
    async with asyncio.timeout(60):
        result = await run(
            server, "201", password or office.passwords["201"], DOMAIN, number, keys, 700, wav, events.append,
            answerer=other, talk_seconds=1.5, limit_seconds=30, host=office.address,
        )  # fmt: skip
    return result, events


@pytest.mark.feature("OUT-1")
async def test_a_colleague_is_called_and_both_hear_each_other(office: Pbx, tmp_path: Path) -> None:
    await office.user("201")
    await office.user("202")
    result, events = await call(office, "202", tmp_path / "heard.wav", answering="202")
    assert result.joined
    assert result.answered
    assert result.callee_answered
    assert result.wav.exists()
    said = [(event.phone, event.what) for event in events]
    order = [("202", "registered"), ("201", "calling"), ("202", "rings"), ("202", "answered")]
    assert sorted(order, key=said.index) == order
    (record,) = await office.records(1)
    assert record.talked
    assert record.direction == "internal"


@pytest.mark.feature("IVR-3", "ACT-1")
async def test_a_key_in_the_menu_leads_to_the_phone(office: Pbx, tmp_path: Path) -> None:
    await office.user("201")
    answering = await office.user("202")
    group = await office.group("Sales", answering)
    menu = await office.menu("Main", keys=(MenuKey("1", group),), timeout_seconds=20)
    await office.rule(menu)
    result, events = await call(office, DID, tmp_path / "heard.wav", answering="202", keys=((0.5, "1"),))
    assert result.joined
    assert ("201", "key", "1") in [(event.phone, event.what, event.more) for event in events]


async def test_nobody_there_is_no_success(office: Pbx, tmp_path: Path) -> None:
    await office.user("201")
    result, _ = await call(office, "299", tmp_path / "heard.wav")
    assert not result.joined
    assert not result.callee_answered


async def test_a_wrong_password_is_said(office: Pbx, tmp_path: Path) -> None:
    await office.user("201")
    with pytest.raises(PhoneError, match=r"does not register 201@office\.test"):
        await call(office, "202", tmp_path / "heard.wav", password="wrong")
