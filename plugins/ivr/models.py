# SPDX-License-Identifier: Apache-2.0
"""The table of this plugin's elements."""

from engine.sdk import ElementRow


class MenuRow(ElementRow):
    class Meta:
        app = "ivr"
        table = "ivr_menu"
