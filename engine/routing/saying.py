# SPDX-License-Identifier: Apache-2.0
"""Sounds that the served party hears to their end."""

from __future__ import annotations

from engine.calls.call import Call, Played
from engine.snapshot import Sound


async def said(call: Call, *sounds: Sound) -> None:
    """Play to the end."""
    playback = call.play(*sounds)
    while not (isinstance(event := await call.next(), Played) and event.playback == playback):
        pass
