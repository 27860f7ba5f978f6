# SPDX-License-Identifier: Apache-2.0
"""Yes/no questions answered from memory: credit, block list, line limits. Routing never waits for a database.

What happens on calls keeps such a memory up to date at once, also while the database, which subscribers wait for, is away.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from engine.facts import Fact

F = TypeVar("F", bound=Fact)


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
    _hearers: list[tuple[type[Fact], Callable[[Any], None]]] = field(default_factory=list)

    def add(self, name: str, gate: Gate) -> None:
        """Ask `gate` from now on; a second one of the same name replaces the first."""
        self._gates[name] = gate

    def refusal(self, question: DialQuestion) -> str | None:
        """The first gate's reason against it, or None."""
        for gate in self._gates.values():
            if (why := gate(question)) is not None:
                return why
        return None

    def hear(self, kind: type[F], learn: Callable[[F], None]) -> None:
        """Tell `learn` of every fact of this kind as it is stated on a call: memory only. The same facts reach subscribers later."""
        self._hearers.append((kind, learn))

    def tell(self, fact: Fact) -> None:
        for kind, learn in self._hearers:
            if isinstance(fact, kind):
                learn(fact)
