# SPDX-License-Identifier: Apache-2.0
"""What the world does in a rehearsal: who answers, which keys the caller presses, when he leaves."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from engine.calls.call import Event
from engine.gates import DialQuestion

Answer: TypeAlias = tuple[float, str]
"""(seconds after the dialling, "answer" or a hangup cause)."""

NEVER: Final[Answer] = (float("inf"), "answer")


@dataclass(frozen=True, slots=True)
class Typed:
    """Digits that the caller types in a row, `after` so many seconds from when his keys begin to count."""

    digits: str
    after: float = 1.0


@dataclass(frozen=True, slots=True)
class Budget:
    """How far a rehearsal goes before it is said to go round: what no real call comes near."""

    awaits: int = 10_000
    steps: int = 20_000
    seconds: float = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Script:
    """Times are seconds from the start of the call, answers from the dialling of the leg.

    `answers` maps a contact's label to what it does each time it is rung, or to a list of what it does the first time, the
    second, …; a contact not named, or rung more often, does what `others` says: it never answers.
    """

    answers: Mapping[str, Answer | list[Answer]] = field(default_factory=dict)
    keys: Sequence[tuple[float, str]] = ()
    caller_leaves: float | None = None
    talk_seconds: float = 30.0
    sounds: Mapping[str, float] = field(default_factory=dict)
    """Seconds of a sound by its path; its own length when not named, or 3 s when nobody has measured it."""
    absent: Container[str] = frozenset()
    """Labels of contacts that are not registered."""
    busy: Mapping[str, int] = field(default_factory=dict)
    """Lines in use by label."""
    speaks_seconds: float = 5.0
    """How long the caller speaks into a message; then he is silent."""
    fax_pages: int = 1
    """How many pages the caller's machine sends where a fax is received, half a minute each; 0: he is no machine."""
    takes_faxes: bool = True
    """Whether the switch can receive faxes."""
    inject: Sequence[tuple[float, Event]] = ()
    gone_at_await: int | None = None
    """The caller hangs up at this await (1 = the first), for hang-up tests at every await."""
    typed: Sequence[Typed] = ()
    """Beside `keys`: each word is begun when keys count (in a menu, not in a greeting) and the word before has been typed."""
    others: Answer = NEVER
    alerts: float | None = None
    """Seconds until a phone tells that it rings; None: phones tell nothing before they answer."""
    talk: Sequence[tuple[float, str]] = ()
    """What the first employee who talks does, in seconds from the answer: "hold", "resume", "keys *1202", "hangs up", or the number
    his phone transfers the caller to."""
    in_use: Mapping[int, int] = field(default_factory=dict)
    """Channels of lines (by id of the trunk) taken by other calls."""
    down: Container[int] = frozenset()
    """Lines (by id of the trunk) that fail every call."""
    gate: Callable[[DialQuestion], str | None] | None = None
    """What may be dialled, as `ctx.gates.refusal` says; None asks nobody."""
    early_media: bool = True
    unanswered_limit: float | None = None
    """When the PBX answers a caller it has not answered yet (R11)."""
    budget: Budget = field(default_factory=Budget)
