# SPDX-License-Identifier: Apache-2.0
"""The tables of this plugin's elements."""

from engine.sdk import ElementRow


class ScheduleRow(ElementRow):
    class Meta:
        app = "schedules"
        table = "schedules_schedule"


class SpecialDayRow(ElementRow):
    class Meta:
        app = "schedules"
        table = "schedules_day"
