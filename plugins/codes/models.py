# SPDX-License-Identifier: Apache-2.0
"""The table of this plugin's element."""

from engine.sdk import ElementRow


class CodesRow(ElementRow):
    class Meta:
        app = "codes"
        table = "codes_codes"
