# SPDX-License-Identifier: Apache-2.0
"""Routing rules of the numbers in the snapshot (NUM-1, R5). Numbers and trunks themselves are core."""

from __future__ import annotations

from typing import ClassVar

from engine.sdk import Condition, Element, Part, Ref, Verdict


class Rule(Element, frozen=True, kw_only=True):
    """“Calls to `did` from `numbers` within `schedule` go to `target`”; lower priority is asked first, equal ones by age."""

    kind: ClassVar[str] = "numbers.rule"
    did: Ref
    priority: int = 1
    numbers: Ref | None = None
    schedule: Ref | None = None
    target: Ref
    active: bool = True


class NumberList(Condition, frozen=True, kw_only=True):
    """A list of callers (DIR-1); a rule with an inactive list is ignored as a whole."""

    kind: ClassVar[str] = "numbers.list"
    active: bool = True
    entries: tuple[tuple[str, str], ...] = ()
    """(number in E.164, name)."""

    def verdict(self, moment: object, caller: str | None) -> Verdict:
        return Verdict(self.active and caller is not None and any(number == caller for number, _ in self.entries))


class NumbersPart(Part, frozen=True, kw_only=True):
    rules: tuple[Rule, ...] = ()
    lists: tuple[NumberList, ...] = ()
