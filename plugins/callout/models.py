# SPDX-License-Identifier: Apache-2.0
"""The table of this plugin's element."""

from engine.sdk import ElementRow


class PhrasesRow(ElementRow):
    class Meta:
        app = "callout"
        table = "callout_phrases"
