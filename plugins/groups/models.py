# SPDX-License-Identifier: Apache-2.0
"""The table of this plugin's elements."""

from engine.sdk import ElementRow


class GroupRow(ElementRow):
    class Meta:
        app = "groups"
        table = "groups_group"
