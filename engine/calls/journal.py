# SPDX-License-Identifier: Apache-2.0
"""The journal as calls see it, and calls as its plain data: what a restarted engine must know of a call that is still going on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import msgspec

from engine.calls.call import Caller, Step
from engine.calls.leg import LegState
from engine.calls.live import LiveCall
from engine.calls.ordered import Ordered
from engine.facts import Fact
from engine.facts.ended import Direction


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """The first line of a call."""

    account: int
    revision: int
    direction: Direction
    party: str
    started_at: datetime
    caller: Caller
    ordered: Ordered | None = None


@dataclass(slots=True)
class OpenCall:
    """A call whose end has not been written down."""

    id: str
    opening: Opening
    legs: dict[str, LegState] = field(default_factory=dict)
    steps: list[tuple[datetime, Step]] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)


def opening(call: LiveCall) -> Opening:
    return Opening(
        account=call.snapshot.account.id,
        revision=call.snapshot.revision,
        direction=call.direction,
        party=call.party.id,
        started_at=call.started_at,
        caller=call.caller,
        ordered=call.ordered,
    )


class Journal(Protocol):
    """Where a call is written down while it happens; never awaited by a call."""

    def opened(self, call: LiveCall) -> None: ...
    def step(self, call: LiveCall, at: datetime, step: Step) -> None: ...
    def leg(self, call: LiveCall, state: LegState) -> None: ...
    def fact(self, call: LiveCall, fact: Fact) -> None: ...
    def ended(self, call: LiveCall, ended_at: datetime) -> None: ...


class SilentJournal:
    """The journal of an engine that is going: the calls are not over, so nothing more is written."""

    def opened(self, call: LiveCall) -> None: ...
    def step(self, call: LiveCall, at: datetime, step: Step) -> None: ...
    def leg(self, call: LiveCall, state: LegState) -> None: ...
    def fact(self, call: LiveCall, fact: Fact) -> None: ...
    def ended(self, call: LiveCall, ended_at: datetime) -> None: ...
