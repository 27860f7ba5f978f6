# SPDX-License-Identifier: Apache-2.0
"""The table of this plugin's elements."""

from engine.sdk import ElementRow


class ScheduleRow(ElementRow):
    class Meta:
        app = "schedules"
        table = "schedules_schedule"
