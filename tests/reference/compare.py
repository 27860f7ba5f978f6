# SPDX-License-Identifier: Apache-2.0
"""The reference's events against what happened, and where they differ for people to read."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Collection, Sequence

from tests.reference.oracle import Event
from tests.reference.world import User

CLOSE = 0.1
TOGETHER = ("rings", "stops", "skipped")


def told(event: Event) -> str:
    return f"{event.at:8.3f} {event.what:8} {event.who}{f' ({event.why})' if event.why else ''}"


def in_order(events: Sequence[Event]) -> list[Event]:
    """What happens in one moment without one leading to the other is in no order: phones that ring or stop together."""
    ordered: list[Event] = []
    together: list[Event] = []
    for event in [*events, None]:
        if together and (event is None or event.what not in TOGETHER or not _at_once(event, together[0])):
            ordered += sorted(together, key=lambda e: (e.who, e.why))
            together = []
        if event is not None:
            together.append(event)
    return ordered


def _at_once(one: Event, other: Event) -> bool:
    return one.what == other.what and abs(one.at - other.at) < 1e-6


def difference(should: Sequence[Event], did: Sequence[Event]) -> str:
    """“” when they agree; else what went before, and both sides from the first difference on."""
    one, other = in_order(should), in_order(did)
    same = 0
    while same < min(len(one), len(other)) and one[same][1:] == other[same][1:] and abs(one[same].at - other[same].at) <= CLOSE:
        same += 1
    if same == len(one) == len(other):
        return ""
    lines = [f"    {told(e)}" for e in one[max(0, same - 4) : same]]
    lines += [f"  - {told(e)}" for e in one[same : same + 4]] + ["  - (nothing)"] * (same == len(one))
    lines += [f"  + {told(e)}" for e in other[same : same + 4]] + ["  + (nothing)"] * (same == len(other))
    return "\n".join(lines)


class Draws:
    """The orders in which users were drawn, read from what happened: whoever's contacts come first was drawn first.

    `seen`: what is to be seen there of the reference's events.
    """

    def __init__(self, happened: Sequence[Event], seen: Collection[str] = ()) -> None:
        self._happened, self._seen = happened, seen

    def __call__(self, after: Sequence[Event], users: Sequence[User]) -> Sequence[User]:
        owner = {c.label: u.name for u in users for c in u.contacts}
        first: list[str] = []
        past = sum(not self._seen or event.what in self._seen for event in after)
        for event in self._happened[past:]:
            name = owner.get(event.who) if event.what in ("rings", "skipped") else None
            if name and name not in first:
                first.append(name)
        return sorted(users, key=lambda u: first.index(u.name) if u.name in first else len(first))


def disorder(should: Sequence[Event], did: Sequence[Event], *, apart: float = 0.5, late: float = math.inf) -> str:
    """“” when the same happened in the same order, steps less than `apart` seconds apart in any, none moved by more than `late`."""
    seen: Counter[str] = Counter()
    where = {(e.who, n): at for at, e in enumerate(did) for n in (seen.update([e.who]) or seen[e.who],)}
    names: Counter[str] = Counter()
    places: list[tuple[Event, Event]] = []
    for event in should:
        names[event.who] += 1
        at = where.pop((event.who, names[event.who]), None)
        if at is None:
            return f"{told(event)} did not happen"
        places.append((event, did[at]))
    if where:
        return f"{told(did[min(where.values())])} should not have happened"
    for (one, here), (other, there) in itertools.combinations(places, 2):
        if other.at - one.at >= apart and there.at <= here.at:
            return f"{told(other)} should have come after {told(one)}"
    moved = [told(here) for one, here in places if abs(here.at - one.at) > late]
    return f"{moved[0]} at another time" if moved else ""
