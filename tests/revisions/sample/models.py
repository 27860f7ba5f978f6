# SPDX-License-Identifier: Apache-2.0
"""The sample plugin's table."""

from engine.snapshot.rows import ElementRow


class BoxRow(ElementRow):
    class Meta:
        app = "sample"
        table = "sample_box"
