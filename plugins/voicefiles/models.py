# SPDX-License-Identifier: Apache-2.0
"""The table of this plugin's elements."""

from engine.sdk import ElementRow


class VoiceFileRow(ElementRow):
    class Meta:
        app = "voicefiles"
        table = "voicefiles_voicefile"
