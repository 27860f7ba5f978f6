# SPDX-License-Identifier: Apache-2.0
"""Routing rules of the numbers in the snapshot (NUM-1, R5). Numbers and trunks themselves are core."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

from engine.sdk import N_, Condition, Element, Part, Ref, To


class Rule(Element, frozen=True, kw_only=True):
    """“Calls to `did` from `numbers` within `schedule` go to `target`”; lower priority is asked first, equal ones by age."""

    kind: ClassVar[str] = "numbers.rule"
    noun: ClassVar[str] = N_("Rule")
    did: Annotated[Ref, To("core.did"), Meta(title="Number")]
    priority: Annotated[int, Meta(title="Priority")] = 1
    numbers: Annotated[Ref | None, To("numbers.number_list"), Meta(title="Number list")] = None
    schedule: Annotated[Ref | None, To(Condition), Meta(title="Schedule")] = None
    target: Annotated[Ref, Meta(title="Action")]
    active: Annotated[bool, Meta(title="Active")] = True

    @property
    def takes_all(self) -> bool:
        """Every caller at every hour: no rule after it is asked."""
        return self.active and self.numbers is None and self.schedule is None


class ListEntry(msgspec.Struct, frozen=True, array_like=True):
    """One caller of a list; `number` in E.164. Kept as an array, since a list may have thousands."""

    number: Annotated[str, Meta(title="Number", extra={"key": True})]
    name: str = ""
    active: Annotated[bool, Meta(title="Active")] = True


class NumberList(Element, frozen=True, kw_only=True, dict=True):
    """A list of callers (DIR-1); a rule with an inactive list is ignored as a whole."""

    kind: ClassVar[str] = "numbers.number_list"
    noun: ClassVar[str] = N_("Number list")
    by_title: ClassVar[bool] = True
    active: Annotated[bool, Meta(title="Active")] = True
    entries: Annotated[tuple[ListEntry, ...], Meta(title="Numbers")] = ()

    @cached_property
    def _numbers(self) -> frozenset[str]:
        return frozenset(entry.number for entry in self.entries if entry.active)

    def holds(self, caller: str | None) -> bool:
        """Whether the caller, in E.164, stands in the list; one who withholds his number stands in none."""
        return caller in self._numbers


class NumbersPart(Part, frozen=True, kw_only=True, dict=True):
    rules: tuple[Rule, ...] = ()
    lists: tuple[NumberList, ...] = ()

    @cached_property
    def rules_by_did(self) -> Mapping[int, tuple[Rule, ...]]:
        """Each number's active rules in the order they are asked; made once per snapshot."""
        found: dict[int, list[Rule]] = {}
        for rule in sorted(self.rules, key=lambda r: (r.priority, r.id)):
            if rule.active:
                found.setdefault(rule.did.id, []).append(rule)
        return {did: tuple(rules) for did, rules in found.items()}
