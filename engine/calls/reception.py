# SPDX-License-Identifier: Apache-2.0
"""What routing answers when the node asks: whose call is this leg, and who serves it (implemented by engine.routing.inbound)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from engine.calls.call import Caller, Leg, LegReason
from engine.esl.event import Event
from engine.facts.ended import Direction
from engine.snapshot import Snapshot

if TYPE_CHECKING:
    from engine.calls.live import LiveCall


@dataclass(frozen=True, slots=True)
class Ending:
    """How a scenario left its caller: hang him up with `cause` (None: he has gone or was served)."""

    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """What a newly parked leg turns out to be, and the scenario that serves it."""

    snapshot: Snapshot
    caller: Caller
    leg: Leg
    direction: Direction
    reason: LegReason
    serve: Callable[[LiveCall], Awaitable[Ending]]
    trunk: int | None = None
    number: str = ""


@dataclass(frozen=True, slots=True)
class Rejection:
    """The leg is refused with a SIP status before any scenario (R5)."""

    code: int
    why: str


class Reception(Protocol):
    """Routing, as the node sees it: whose call is this, and who serves it."""

    def admit(self, event: Event) -> Admission | Rejection: ...
