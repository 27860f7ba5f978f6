# SPDX-License-Identifier: Apache-2.0
"""Holidays and single days decide real calls: whose phone rings today, and what the record of the call says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import pytest

from engine.sdk import Ref, clock
from plugins.schedules import federal
from plugins.schedules.api import HourRange, Schedule, clear_day, set_day
from plugins.schedules.part import DayGroup
from plugins.schedules.service import save_schedule
from tests.calls.pbx import Pbx

pytestmark = pytest.mark.asyncio(loop_scope="session")

ALWAYS = (DayGroup("Every day", (0, 1, 2, 3, 4, 5, 6), (HourRange(0, 1440),)),)


async def office_hours(office: Pbx, **fields: object) -> Schedule:
    """A group within these hours (201), the person on duty (202) outside of them."""
    async with office.edit() as edit:
        hours = await save_schedule(edit, Schedule(id=0, title="Office", **fields))  # type: ignore[arg-type]  # fields of the struct
    duty = Ref("core.user", await office.user("202"))
    await office.rule(await office.group("Sales", await office.user("201"), schedule=hours.ref, no_answer=duty))
    return hours


def days(office: Pbx, hours: Schedule) -> Sequence[date]:
    """Today, and tomorrow in case midnight comes meanwhile."""
    today = clock.now().astimezone(hours.zone(office.snapshot)).date()
    return today, today + timedelta(days=1)


async def answered_by(office: Pbx, login: str) -> None:
    """A call from outside is taken by this phone, and rings nowhere else."""
    async with office.telephone("201") as one, office.telephone("202") as two, office.provider() as caller:
        taker, other = (one, two) if login == "201" else (two, one)
        call = await caller.calls(office.did[1:])
        talk = await taker.answers()
        await call.answered()
        await office.step("talk")
        assert not other.rung
        await call.hang_up()
        await talk.ended()


async def closed_by(office: Pbx, number: int) -> dict[str, object]:
    """The facts of the step “closed” of the `number`th call."""
    record = (await office.records(number))[-1]
    return next((s["facts"] for s in record.trace if s["what"] == "closed"), {})


@pytest.mark.feature("SCH-1", "SCH-5", "R6")
async def test_a_single_day_closes_and_opens(shared: Pbx) -> None:
    hours = await office_hours(shared, days=ALWAYS)
    await answered_by(shared, "201")
    assert await closed_by(shared, 1) == {}
    async with shared.edit() as edit:
        for day in days(shared, hours):
            await set_day(edit, day, title="Inventory")
    await answered_by(shared, "202")
    assert await closed_by(shared, 2) == {"title": "Sales", "why": "special day “{title}”", "why_title": "Inventory"}
    async with shared.edit() as edit:
        for day in days(shared, hours):
            await set_day(edit, day, (HourRange(0, 1440),), "Open after all", (hours.ref,))
    await answered_by(shared, "201")
    async with shared.edit() as edit:
        for day in days(shared, hours):
            await clear_day(edit, day, (hours.ref,))
    await answered_by(shared, "202")


@pytest.mark.feature("SCH-4", "R28")
async def test_a_holiday_closes(shared: Pbx, monkeypatch: pytest.MonkeyPatch) -> None:
    """The calendar is told that today is one: the engine's clock is that of the machine."""
    await office_hours(shared, days=ALWAYS, holidays=True)
    victory = federal.special(date(2026, 5, 9))
    assert victory is not None
    monkeypatch.setattr(federal, "special", lambda day: victory)
    await answered_by(shared, "202")
    assert await closed_by(shared, 1) == {"title": "Sales", "why": "Victory Day"}
    monkeypatch.setattr(federal, "special", lambda day: None)
    await answered_by(shared, "201")
