# SPDX-License-Identifier: Apache-2.0
"""What the engine knows of one leg while its call lives: whom it reaches, why it exists, how it fared. Billing reads it later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from engine.calls.call import Leg, LegReason
from engine.snapshot import Ref


@dataclass(slots=True, eq=False)
class LegState:
    leg: Leg
    direction: Literal["in", "out"]
    reason: LegReason
    started_at: datetime
    trunk: int | None = None
    group: Ref | None = None
    number: str = ""
    """What was dialled to reach it, as the CDR shows it."""
    ringing_at: datetime | None = None
    answered_at: datetime | None = None
    alerting: bool = False
    """A phone rings there (180): whoever is called was reached."""
    ended_at: datetime | None = None
    ended_by: datetime | None = None
    """When the exact end is unknown: it ended between `ended_at` and this moment (nobody listened)."""
    cause: str = ""
    created: bool = False
    """The switch has a channel for it."""
    refused_with: str = ""
    """The other side's own word for its end, "sip:403"; "" when it had none."""
    ready: bool = False
    """Answered and parked: can be bridged."""
    early: bool = False
    """It has parked before it answered: its early media is to be heard."""
    released: bool = False
    """The action gave it up; its events are for the CDR only."""
    release_cause: str = ""
    peer: str = ""
    """uuid of the leg it is bridged with."""
    moved: bool = False
    """It went on in another call (attended transfer): this is its share up to then."""
    held: bool = False
    """Its phone holds the other party."""
    leaving: bool = False
    """Its phone transfers the other party away; its end is not the end of the talk."""

    @property
    def uuid(self) -> str:
        return self.leg.id

    @property
    def alive(self) -> bool:
        return self.ended_at is None
