# SPDX-License-Identifier: Apache-2.0
"""The fact that a call is over, stated once by the call code at the true end; read by notices, bot, webhooks and statistics."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal, TypeAlias

from engine.facts.fact import Fact, MissedWhy
from engine.snapshot.element import Ref

Direction: TypeAlias = Literal["in", "out", "internal"]


class CallEnded(Fact, frozen=True, kw_only=True):
    """One per call, after every leg is gone. `at` = `ended_at`; times are aware UTC."""

    kind: ClassVar[str] = "core.call_ended"
    direction: Direction
    caller_number: str | None = None
    """E.164 for outsiders, an extension inside; None when withheld."""
    caller_name: str = ""
    dialled: str = ""
    started_at: datetime
    answered_at: datetime | None = None
    """When an employee (or, outgoing, the called party) answered; None when nobody did."""
    ended_at: datetime
    talked: bool = False
    missed: bool = False
    missed_why: MissedWhy = ""
    failed_groups: tuple[Ref, ...] = ()
    """Groups in which distribution failed, in order, each once; empty when the caller left before any group (R1)."""
    cause: str = ""
    recording: str | None = None
    """Relative to the media root."""
    record_id: int | None = None
    """Primary key of the CDR; unknown while the call is still a line of the spool."""
