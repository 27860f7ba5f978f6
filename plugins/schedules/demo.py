# SPDX-License-Identifier: Apache-2.0
"""The demo account's working hours."""

from engine.sdk import Edit
from plugins.schedules.part import DayGroup, HourRange, Schedule
from plugins.schedules.service import store

TITLE = "Рабочее время"


async def fill(edit: Edit) -> None:
    days = (
        DayGroup("Будни", (0, 1, 2, 3, 4), (HourRange(9 * 60, 18 * 60),), ("working",)),
        DayGroup("Суббота", (5,), (HourRange(10 * 60, 15 * 60),)),
        DayGroup("Короткий день", (), (HourRange(9 * 60, 17 * 60),), ("short",)),
    )
    await store.insert(edit.account_id, Schedule(id=0, title=TITLE, days=days, holidays=True), edit.tx)
