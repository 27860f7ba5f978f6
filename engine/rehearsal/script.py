# SPDX-License-Identifier: Apache-2.0
"""What the world does in a rehearsal: who answers, which keys the caller presses, when he leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from engine.calls.call import Event

Answer: TypeAlias = tuple[float, str]
"""(seconds after the dialling, "answer" or a hangup cause)."""


@dataclass(frozen=True, slots=True)
class Script:
    """Times are seconds from the start of the call, answers from the dialling of the leg.

    `answers` maps a contact's label to what it does each time it is rung, or to a list of what it does the first time, the
    second, …; a contact not named, or rung more often, never answers.
    """

    answers: Mapping[str, Answer | list[Answer]] = field(default_factory=dict)
    keys: Sequence[tuple[float, str]] = ()
    caller_leaves: float | None = None
    talk_seconds: float = 30.0
    sounds: Mapping[str, float] = field(default_factory=dict)
    """Seconds of a sound by its path; 3 s when not named."""
    absent: frozenset[str] = frozenset()
    """Labels of contacts that are not registered."""
    busy: Mapping[str, int] = field(default_factory=dict)
    """Lines in use by label."""
    speaks_seconds: float = 5.0
    """How long the caller speaks into a message; then he is silent."""
    inject: Sequence[tuple[float, Event]] = ()
    gone_at_await: int | None = None
    """The caller hangs up at this await (1 = the first), for hang-up tests at every await."""
