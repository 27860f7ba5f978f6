# SPDX-License-Identifier: Apache-2.0
"""Routing actions: the places a call may go to, and how a call leaves them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, TypeAlias, runtime_checkable

from engine.calls.call import Call, Callee, Leg, LegReason, Recording
from engine.calls.causes import NORMAL_CLEARING, HangupCause
from engine.snapshot import Snapshot, Target

Place: TypeAlias = Literal["rule", "key", "no_answer", "extension"]
"""Where a choice may stand: the ACT table of the feature list."""


@dataclass(frozen=True, slots=True)
class Forward:
    """The call goes on at another target. `by` says why it went there (R7: an extension skips the group's greeting)."""

    target: Target
    by: Literal["action", "extension", "repeat", "transfer"] = "action"


@dataclass(frozen=True, slots=True)
class Hangup:
    """The call ends here. `cause` reaches an unanswered caller as a SIP refusal (R11)."""

    cause: HangupCause = NORMAL_CLEARING


@dataclass(frozen=True, slots=True)
class Done:
    """The call was served: somebody talked, or the action fulfilled itself (fax received, phrase played)."""

    talked: bool = False


@dataclass(frozen=True, slots=True)
class Announced:
    """The caller has heard what there was to hear (ACT-8): back to the menu that led here (R4), else the call is over, not missed (R1)."""


@dataclass(frozen=True, slots=True)
class Missed:
    """The element failed: nobody answered, it is closed, inactive or broken. The parent goes on (R2)."""

    why: str
    cause: HangupCause = "NO_ANSWER"


@dataclass(frozen=True, slots=True)
class GoTo:
    """The call goes on to a number that an employee has dialled, an extension or an outside one.

    `user` is on whose behalf (restrictions, charging); `group`: the one he was called in, else his first counts; `reason`
    is that of an outside leg (BIL-10).
    """

    number: str
    user: int | None = None
    group: Target | None = None
    reason: LegReason = "transfer"
    back: Callee | None = None
    """Who has transferred the call: he is rung when nobody takes it there (R20)."""
    waits: Leg | None = None
    """He has done so by a code and still listens: he may take the call back until somebody answers."""


Outcome: TypeAlias = Forward | GoTo | Hangup | Done | Announced | Missed


@dataclass(frozen=True, slots=True)
class Entry:
    """How a call enters an element."""

    target: Target
    by: Literal["rule", "action", "extension", "repeat", "transfer", "nested", "root"] = "action"
    again: bool = False
    """Nested in an element that is gone through once more: no greetings (R3)."""

    @property
    def skips_greeting(self) -> bool:
        """R7, ACT-5."""
        return self.again or self.by in ("extension", "repeat", "transfer")


@dataclass(frozen=True, slots=True)
class Choice:
    """A target an administrator may pick, with its title as shown in the list."""

    target: Target
    title: str


class Nesting(Protocol):
    """What an action may ask of the router: enter a nested element and come back (GRP-4)."""

    recording: Recording | None
    """The conversation's recording once it has begun: one per call (R13)."""
    told_of_recording: bool
    """The caller has heard that the talk is recorded (PBX-4)."""
    trail: list[Entry]
    """The way to where the call is now, in order: elements it came back from are not on it."""

    async def attempt(self, call: Call, entry: Entry) -> Outcome: ...

    async def follow(self, call: Call, outcome: Outcome) -> Done | Hangup | Missed:
        """Go where an outcome leads, to its end; whoever asked goes on then (CallOut: the next number)."""

    def serves(self, target: Target) -> bool:
        """Whether there is an action for such a target."""

    def hop(self, call: Call) -> bool:
        """Count one more step of the call's way, such as another round of a menu; False when it has gone too far (R11)."""


class RoutingAction(Protocol):
    """One kind of target. Stateless: everything it knows comes from the call and its snapshot."""

    kind: ClassVar[str]
    title: ClassVar[str]
    """Catalogue id, such as “Transfer to group” (Перевод на группу)."""
    places: ClassVar[frozenset[Place]]

    def choices(self, snapshot: Snapshot) -> Iterable[Choice]: ...

    async def run(self, call: Call, entry: Entry, router: Nesting) -> Outcome:
        """Serve the call. Raises CallGone when the caller leaves; anything else raised is a bug, handled by R26."""


@runtime_checkable
class Waiting(Protocol):
    """What an action adds to RoutingAction when a caller who leaves there is missed by somebody in particular (R1)."""

    def left(self, call: Call, entry: Entry, router: Nesting) -> None:
        """The caller has left while no engine ran; `run` will not be there to notice. Facts only: the call is over."""


@runtime_checkable
class Leading(Protocol):
    """What an action adds to RoutingAction when not everything that its elements name can be reached from them, or more can.

    Without it, calls are taken to go on to whatever the element names and to the groups and menus below it.
    """

    def leads(self, snapshot: Snapshot, target: Target) -> Iterable[Target]:
        """Where a call that has entered `target` may go on, at any hour; for the check of the settings."""
