# SPDX-License-Identifier: Apache-2.0
"""The sample plugin's tables."""

from engine.snapshot.rows import ElementRow


class BoxRow(ElementRow):
    class Meta:
        app = "sample"
        table = "sample_box"


class NoteRow(ElementRow):
    class Meta:
        app = "sample"
        table = "sample_note"
