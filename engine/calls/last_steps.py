# SPDX-License-Identifier: Apache-2.0
"""What the steps of a call tell of the moment in which its last engine died: where it was, who talked, who was being moved about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from engine.calls.leg import LegState
from engine.calls.live import LiveCall
from engine.snapshot import Ref


def place(call: LiveCall) -> Ref | None:
    """The element that it has entered last."""
    return next((s.target for _, s in reversed(call.steps) if s.what == "enters"), None)


def talking_since(call: LiveCall) -> datetime | None:
    """Since when the parties talked when the last engine died; None when they did something else."""
    telling = ("talk", "talk_over", "transfer_asked", "hold_expired", "enters", "consults", "consultation_over", "sent_by_code")
    at, last = next(((at, s.what) for at, s in reversed(call.steps) if s.what in telling), (call.started_at, ""))
    return at if last in ("talk", "consultation_over") else None  # who had turned back to the other before talks on with him


def talk_ended(call: LiveCall) -> LegState | None:
    """With whom the caller talked when the last engine died, if that party has gone since: nothing is left to do for the caller."""
    with_whom = call.talked_with
    return with_whom if talking_since(call) is not None and with_whom is not None and not with_whom.alive else None


@dataclass(frozen=True, slots=True)
class OnTheWay:
    """What an employee was about when the last engine died."""

    by: LegState
    number: str
    """Whom he consulted, or where he sent the other party."""
    held: LegState | None
    """Set in a consultation: the one who waits."""


def on_the_way(call: LiveCall) -> OnTheWay | None:
    """The consultation or the transfer that nobody has taken yet; None when the call was not being moved about by its employees."""
    telling = ("talk", "talk_over", "transfer_asked", "transfer_returns", "hold_expired", "consults", "consultation_over", "sent_by_code")
    at = next((n for n in range(len(call.steps) - 1, -1, -1) if call.steps[n][1].what in telling), None)
    if at is None or call.steps[at][1].what not in ("transfer_asked", "consults"):
        return None
    step, later = call.steps[at][1], [s for _, s in call.steps[at + 1 :]]
    if any(s.what == "enters" and s.facts.get("by") != "transfer" for s in later):
        return None  # it has gone on from there
    label, party = step.facts.get("by"), call.legs.get(call.party.id)
    named = [s for s in call.legs.values() if s.leg.label == label and s.answered_at is not None]
    if not named or party is None:
        return None
    by = party if party in named and step.what == "consults" else named[-1]
    held = (call.talked_with if by is party else party) if step.what == "consults" else None
    return OnTheWay(by, str(step.facts.get("number") or ""), held)
