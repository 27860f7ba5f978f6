# SPDX-License-Identifier: Apache-2.0
"""Who talks with whom after a code: what it leads to, as `conversation` goes on by it, and taking parties out of their talk."""

from __future__ import annotations

from dataclasses import dataclass

from engine.calls.call import Call, Leg
from engine.calls.talk import parted
from engine.snapshot import Ref


@dataclass(frozen=True, slots=True)
class Back:
    """The served party talks with this leg; `goes_on`: as before, without interruption."""

    leg: Leg
    goes_on: bool = False
    group: Ref | None = None
    """The one he was rung for, when that is news."""


@dataclass(frozen=True, slots=True)
class Returns:
    """Where this employee has sent the served party nobody took it; his phone is to be rung (R20)."""

    by: Leg


async def aside(call: Call, by: Leg, held: Leg) -> None:
    """Part the two; whoever is left to be sent somewhere is served. Raises CallGone when he leaves."""
    if by == call.party:
        call.serve(held)
    call.part(held, by)
    await parted(call)
