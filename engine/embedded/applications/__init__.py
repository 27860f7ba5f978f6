# SPDX-License-Identifier: Apache-2.0
"""The dialplan applications by name; Channel.execute runs them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from engine.embedded.applications import control, digits, sound, talk
from engine.embedded.channel import Channel

Application = Callable[[Channel, str], Awaitable[bool | None]]
"""Returns False when uuid_break ended it."""

APPLICATIONS: Mapping[str, Application] = {
    **control.APPLICATIONS,
    **sound.APPLICATIONS,
    **digits.APPLICATIONS,
    **talk.APPLICATIONS,
}

REFUSED = frozenset(
    ("rxfax", "txfax", "t38_gateway", "conference", "socket", "lua", "javascript", "python", "speak", "say", "phrase",
     "detect_speech", "play_fsv", "record_fsv", "eavesdrop", "voicemail", "fifo", "valet_park", "callcenter", "httapi")
)  # fmt: skip
"""Known to FreeSWITCH, not offered here: refused with a sentence instead of hanging up."""
