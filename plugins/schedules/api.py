# SPDX-License-Identifier: Apache-2.0
"""What neighbours may use of schedules: asking for their state, and giving single dates other hours (the bot's “closed today”)."""

from plugins.schedules.part import Schedule, SchedulesPart, SpecialDay, State, state
from plugins.schedules.service import clear_day, set_day
from plugins.schedules.times import HourRange

__all__ = ["HourRange", "Schedule", "SchedulesPart", "SpecialDay", "State", "clear_day", "set_day", "state"]
