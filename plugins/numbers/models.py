# SPDX-License-Identifier: Apache-2.0
"""The tables of this plugin's elements."""

from engine.sdk import ElementRow


class RuleRow(ElementRow):
    class Meta:
        app = "numbers"
        table = "numbers_rule"


class NumberListRow(ElementRow):
    class Meta:
        app = "numbers"
        table = "numbers_list"
