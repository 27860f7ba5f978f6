# SPDX-License-Identifier: Apache-2.0
"""Whether an edited configuration may be saved: every check of core and plugins, judged against how it was before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from engine.db import Tx
from engine.errors import InUse, Invalid, Problem
from engine.revisions.checks import dangling, generic, kinds_of
from engine.revisions.core_store import CoreStore
from engine.snapshot import Element, Finding, Part, Ref, Snapshot


class Store(Protocol):
    """What Revisions needs of a plugin's PartStore."""

    part: type[Any]

    async def load(self, account_id: int, tx: Tx) -> Any: ...
    async def restore(self, account_id: int, part: Any, tx: Tx) -> None: ...
    def check(self, part: Any, whole: Snapshot) -> Any: ...


def known_kinds(stores: Mapping[str, Store]) -> frozenset[str]:
    """Every kind of element whose absence is an error."""
    return frozenset().union(kinds_of(CoreStore.part), *(kinds_of(store.part) for store in stores.values()))


def findings(whole: Snapshot, core: CoreStore, stores: Mapping[str, Store]) -> Iterator[Finding]:
    """All findings of all checks; also shown by the cabinet as "what is wrong with my PBX"."""
    yield from generic(whole, known_kinds(stores))
    yield from core.check(whole.core, whole)
    for name, store in stores.items():
        part = whole.parts.get(name)
        if part is not None:
            yield from store.check(part, whole)


def refuse_bad(before: Snapshot | None, after: Snapshot, core: CoreStore, stores: Mapping[str, Store]) -> None:
    """Raise InUse when something that is still pointed at was removed, Invalid for any other error.

    An error that was there before, in an element this save does not touch, stops nobody: after an upgrade with stricter
    checks, or while a plugin is away, the rest of the configuration must stay editable.
    """
    _refuse_removed(before, after, known_kinds(stores))
    errors = [finding for finding in findings(after, core, stores) if finding.severity == "error"]
    if not errors:
        return  # as nearly always: what was wrong before need not be known
    old = set(map(_key, findings(before, core, stores))) if before is not None else set()
    problems = []
    for finding in errors:
        untouched = before is not None and (finding.where is None or before.element(finding.where) == after.element(finding.where))
        if not (untouched and _key(finding) in old):
            problems.append(Problem(str(finding.where or ""), finding.message, **finding.params))
    if problems:
        raise Invalid(problems)


def _refuse_removed(before: Snapshot | None, after: Snapshot, kinds: frozenset[str]) -> None:
    users: dict[Ref, list[str]] = {}
    for element, ref in dangling(after, kinds):
        users.setdefault(ref, []).append(element.title if element else after.account.title)
    for ref, titles in users.items():
        removed: Element | None = before.element(ref) if before else None
        if removed is not None:
            raise InUse(removed.title or str(ref), sorted(set(titles)))


def _key(finding: Finding) -> tuple[object, ...]:
    return finding.where, finding.message, tuple(sorted(finding.params.items()))


def changed_parts(before: Snapshot | None, after: Snapshot) -> dict[str, Part]:
    """The parts that a save changed; all of them the first time."""
    now: dict[str, Part] = {"core": after.core, **after.parts}
    if before is None:
        return now
    was: dict[str, Part] = {"core": before.core, **before.parts}
    # immutable structs compare by value; two equal parts have equal canonical JSON and the other way round
    return {name: part for name, part in now.items() if was.get(name) != part}
