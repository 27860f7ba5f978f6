# SPDX-License-Identifier: Apache-2.0
"""Fetching a call that rings at a colleague (R15)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from engine.calls.call import Call, Step, TimeUp
from engine.calls.causes import NO_PICKUP
from engine.routing.action import Hangup

PATIENCE: Final = timedelta(seconds=5)
"""The caller may have left at this very moment."""


async def pick_up(call: Call, user: int) -> Hangup:
    """Returns when there was nothing to fetch: the phone is refused. Raises CallGone when its leg has gone over into the other call."""
    call.note(Step("pick_up"))
    if call.pick_up([group.ref for group in call.snapshot.groups_of(user)]):
        until = call.now + PATIENCE
        while not isinstance(await call.next(until), TimeUp):
            pass
    call.note(Step("nothing_to_pick_up"))
    return Hangup(NO_PICKUP)
