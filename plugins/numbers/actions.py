# SPDX-License-Identifier: Apache-2.0
"""A call to one of our numbers: the first rule that fits decides, else the root group (NUM-1, R5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final

from engine.sdk import N_, Call, Choice, Did, Entry, Forward, Missed, Nesting, Outcome, Place, Sentence, Snapshot, Step, Target
from plugins.numbers.part import NumberList, NumbersPart, Rule

SENTENCES: Final[Mapping[str, Sentence]] = {
    "rule": Sentence(N_("The routing rule applies: {title}"), "accent"),
    "rule_skipped": Sentence(N_("The rule “{title}” does not fit: {why}")),
    "no_rule": Sentence(N_("No routing rule fits; the call goes to the PBX itself"), "accent"),
}


class ByRules:
    """Entered by every call from outside; not offered as a choice."""

    kind: ClassVar[str] = Did.kind
    title: ClassVar[str] = N_("Routing rules")
    places: ClassVar[frozenset[Place]] = frozenset()

    def choices(self, snapshot: Snapshot) -> Iterable[Choice]:
        return ()

    def leads(self, snapshot: Snapshot, target: Target) -> Iterable[Target]:
        """Rules below one that takes every call at every hour are never asked, nor is the root."""
        part = snapshot.part("numbers", NumbersPart)
        for rule in rules_of(part, target.id) if part else ():
            numbers = snapshot.get(rule.numbers, NumberList)
            if rule.numbers is None or (numbers is not None and numbers.active):
                yield rule.target
            if rule.takes_all:
                return
        if snapshot.root is not None:
            yield snapshot.root.ref

    async def run(self, call: Call, entry: Entry, router: Nesting) -> Outcome:
        snapshot = call.snapshot
        part = snapshot.part("numbers", NumbersPart)
        for rule in rules_of(part, entry.target.id) if part else ():
            why = _why_not(call, rule)
            if why is None:
                call.note(Step("rule", {"title": rule.title}, rule.ref))
                return Forward(rule.target)
            call.note(Step("rule_skipped", {"title": rule.title, **why}, rule.ref))
        call.note(Step("no_rule"))
        root = snapshot.root
        return Forward(root.ref) if root else Missed("no_root")


def rules_of(part: NumbersPart, did: int) -> Sequence[Rule]:
    """The number's active rules in the order they are asked."""
    return part.rules_by_did.get(did, ())


def _why_not(call: Call, rule: Rule) -> Mapping[str, str] | None:
    """Facts of the step “rule_skipped”."""
    snapshot, caller = call.snapshot, call.caller.number
    if rule.numbers is not None:
        numbers = snapshot.get(rule.numbers, NumberList)
        if numbers is None or not numbers.active:
            return {"why": "list_inactive"}
        if not numbers.holds(caller):
            return {"why": "not_in_list"}
    hours = snapshot.verdict(rule.schedule, call.now, caller)
    return None if hours.holds else hours.told
