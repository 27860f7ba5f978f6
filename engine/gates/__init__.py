# SPDX-License-Identifier: Apache-2.0
"""Yes/no questions answered from memory: credit, block list, line limits. Routing never waits for a database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class DialQuestion:
    """May this leg be dialled through a trunk? `number` in E.164 or an emergency number as dialled."""

    account: int
    number: str
    reason: str
    user: int | None = None
    trunk: int | None = None


Gate: TypeAlias = Callable[[DialQuestion], str | None]
"""Answers None for yes, or a catalogue id that says why not. Synchronous: memory only."""


@dataclass(slots=True)
class Gates:
    _gates: dict[str, Gate] = field(default_factory=dict)

    def add(self, name: str, gate: Gate) -> None:
        """Ask `gate` from now on; a second one of the same name replaces the first."""
        self._gates[name] = gate

    def refusal(self, question: DialQuestion) -> str | None:
        """The first gate's reason against it, or None."""
        for gate in self._gates.values():
            if (why := gate(question)) is not None:
                return why
        return None
