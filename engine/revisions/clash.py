# SPDX-License-Identifier: Apache-2.0
"""Two people who changed the same thing: what the one has saved since the other opened his form, and what his form would make of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from engine.errors import Conflict
from engine.revisions.diff import Change, differences, things
from engine.revisions.merge import decided, merge, states
from engine.snapshot import Part, Snapshot


@dataclass(frozen=True, slots=True)
class Both:
    """One thing that both have changed; of each change only the fields that stand in both, unless it came or went."""

    theirs: Change
    mine: Change


class Clash(Conflict):
    """`then`: what the edit was made from, `now`: what others have made of it since, `mine`: what the edit would make of that."""

    def __init__(self, then: Snapshot, now: Snapshot, mine: Snapshot, both: tuple[Both, ...], whole: bool = False) -> None:
        """`whole`: the edit brings back what was, whatever stands there."""
        super().__init__()
        self.whole = whole
        self.then = then
        self.now = now
        self.mine = mine
        self.both = both

    def concerns(self, changes: Iterable[Change]) -> bool:
        """Whether one of these changes, those of a revision since `then`, is part of it."""
        return any(_overlap(one.theirs, change) for one in self.both for change in changes)


def clash(then: Snapshot, now: Snapshot, mine: Snapshot, whole: bool = False) -> Clash | None:
    """What an edit made from `then` would overwrite of `now`; None when it touches nothing that others have changed.

    Things (elements, other structs with an id, the main settings) are compared field by field, and lists of rows in them row by row.
    `mine` has taken over (`merge`) what the edit has not decided, unless it brings back what was. Parts that only one state has are left
    out: their plugin was away then, or is now.
    """
    was, has, wants = (states(one) for one in (then, now, mine))
    theirs, ours = _by_key(was, has), _by_key(has, wants)
    before, after, wish = (_things(one) for one in (was, has, wants))
    merged = _things({**wants, **merge(then, now, mine)})
    both = []
    for key, change in ours.items():
        if key in theirs and _overlap(theirs[key], change):
            names = _decided(theirs[key], change, *(one.get(key) for one in (before, after, wish, merged)))
            if names is None or names:
                both.append(_narrowed(theirs[key], change, names))
    return Clash(then, now, mine, tuple(both), whole) if both else None


def _by_key(before: Mapping[str, Part], after: Mapping[str, Part]) -> dict[tuple[object, ...], Change]:
    common = before.keys() & after.keys()
    changes = differences(*({name: parts[name] for name in parts if name in common} for parts in (before, after)))
    return {change.key: change for change in changes}


def _things(parts: Mapping[str, Part]) -> dict[tuple[object, ...], Any]:
    return {(name, *key): item for name, part in parts.items() for key, item in things(part).items()}


def _decided(theirs: Change, mine: Change, then: Any, now: Any, wish: Any, merged: Any) -> frozenset[str] | None:
    """The fields in which both contradict each other, or that are not as merged; None where the thing as a whole came or went."""
    if theirs.what != "changed" or mine.what != "changed":
        return None
    common = _names(theirs) & _names(mine)
    if not all(isinstance(one, msgspec.Struct) for one in (then, now, wish, merged)):
        return common
    values = {name: [getattr(one, name, None) for one in (then, now, wish, merged)] for name in common}
    return frozenset(name for name, (old, new, wanted, taken) in values.items() if decided(old, new, wanted) or taken != wanted)


def _names(change: Change) -> frozenset[str]:
    return frozenset(one.name for one in change.fields)


def _overlap(one: Change, other: Change) -> bool:
    if one.key != other.key:
        return False
    return one.what != "changed" or other.what != "changed" or bool(_names(one) & _names(other))


def _narrowed(theirs: Change, mine: Change, names: frozenset[str] | None) -> Both:
    if names is None:
        return Both(theirs, mine)
    return Both(*(replace(change, fields=tuple(one for one in change.fields if one.name in names)) for change in (theirs, mine)))
