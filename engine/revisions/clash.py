# SPDX-License-Identifier: Apache-2.0
"""Two people who changed the same thing: what the one has saved since the other opened his form, and what his form would make of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from engine.errors import Conflict
from engine.revisions.diff import Change, differences
from engine.snapshot import Part, Snapshot


@dataclass(frozen=True, slots=True)
class Both:
    """One thing that both have changed; of each change only the fields that stand in both, unless it came or went."""

    theirs: Change
    mine: Change


class Clash(Conflict):
    """`then`: what the edit was made from, `now`: what others have made of it since, `mine`: what the edit would make of that."""

    def __init__(self, then: Snapshot, now: Snapshot, mine: Snapshot, both: tuple[Both, ...]) -> None:
        super().__init__()
        self.then = then
        self.now = now
        self.mine = mine
        self.both = both

    def concerns(self, changes: Iterable[Change]) -> bool:
        """Whether one of these changes, those of a revision since `then`, is part of it."""
        return any(_overlap(one.theirs, change) for one in self.both for change in changes)


def clash(then: Snapshot, now: Snapshot, mine: Snapshot) -> Clash | None:
    """What an edit made from `then` would overwrite of `now`; None when it touches nothing that others have changed.

    Things (elements, other structs with an id, the main settings) are compared field by field. Parts that only one state has are left out:
    their plugin was away then, or is now.
    """
    theirs, ours = _by_key(then, now), _by_key(now, mine)
    both = tuple(_narrowed(theirs[key], change) for key, change in ours.items() if key in theirs and _overlap(theirs[key], change))
    return Clash(then, now, mine, both) if both else None


def _by_key(before: Snapshot, after: Snapshot) -> dict[tuple[object, ...], Change]:
    was, now = _parts(before), _parts(after)
    common = was.keys() & now.keys()
    changes = differences({name: was[name] for name in was if name in common}, {name: now[name] for name in now if name in common})
    return {change.key: change for change in changes}


def _parts(snapshot: Snapshot) -> dict[str, Part]:
    return {"core": snapshot.core, **snapshot.parts}


def _names(change: Change) -> frozenset[str]:
    return frozenset(one.name for one in change.fields)


def _overlap(one: Change, other: Change) -> bool:
    if one.key != other.key:
        return False
    return one.what != "changed" or other.what != "changed" or bool(_names(one) & _names(other))


def _narrowed(theirs: Change, mine: Change) -> Both:
    if theirs.what != "changed" or mine.what != "changed":
        return Both(theirs, mine)
    common = _names(theirs) & _names(mine)
    return Both(*(replace(change, fields=tuple(one for one in change.fields if one.name in common)) for change in (theirs, mine)))
