# SPDX-License-Identifier: Apache-2.0
"""Three states of a configuration brought together: what somebody has not touched in his form is as others have saved it meanwhile.

A form posts all its fields. One that says what it said when it was opened is no decision, and others' change of it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final, get_type_hints

import msgspec

from engine.snapshot import CorePart, IdOf, Part, Ref, Snapshot
from engine.snapshot.pointers import pointers

_NEVER: Final = object()
"""In place of a thing that one of the states has not."""


def merge(then: Snapshot, now: Snapshot, mine: Snapshot) -> dict[str, Part]:
    """The parts of `mine`, an edit of `now` by who has seen `then`, that others' changes since `then` make different; as they become.

    Only fields of things that all three have are taken over: nothing comes or goes. Rows that go with what the edit has deleted, as
    memberships go with a user, stay away.
    """
    was, has, wants = (states(whole) for whole in (then, now, mine))
    found = {}
    for name in was.keys() & has.keys() & wants.keys():
        part = _standing(_part(was[name], has[name], wants[name]), wants[name], now, mine)
        if part != wants[name]:
            found[name] = part
    if found:
        core = found.get("core", mine.core)
        if isinstance(core, CorePart):
            found["core"] = _with_numbers(core, wants, {**wants, **found})
    return found


def states(snapshot: Snapshot) -> dict[str, Part]:
    """Every part by its name, the engine's own first."""
    return {"core": snapshot.core, **snapshot.parts}


def decided(then: Any, now: Any, mine: Any) -> bool:
    """Whether both have changed a field's value, and not in ways that stand beside each other, as do two rows of a list."""
    return mine not in (now, then) and now != then and _lists(then, now, mine) is None


def taken(then: Any, now: Any, mine: Any) -> Any:
    """What a field becomes: what one of them has changed, the rows that each has changed; `mine` where they contradict each other."""
    if mine in (now, then):
        return now
    if now == then:
        return mine
    both = _lists(then, now, mine)
    return mine if both is None else both


def _part(then: Part, now: Part, mine: Part) -> Part:
    changes: dict[str, Any] = {}
    for name in mine.__struct_fields__:
        was, has, wants = (getattr(part, name, _NEVER) for part in (then, now, mine))
        if isinstance(wants, tuple):
            olds, news = keyed(was), keyed(has)
            if olds is None or news is None:
                continue
            changes[name] = tuple(_thing(olds.get(_key(item), _NEVER), news.get(_key(item), _NEVER), item) for item in wants)
        elif isinstance(wants, msgspec.Struct):
            changes[name] = _thing(was, has, wants)
        elif name != "version":
            changes[name] = taken(was, has, wants)
    return msgspec.structs.replace(mine, **changes)


def _standing(part: Part, wanted: Part, now: Snapshot, mine: Snapshot) -> Part:
    """The part without rows, in what differs from `wanted`, that would go with something `mine` has deleted."""

    def stands(row: Any) -> bool:
        goes = (p.target for p in pointers(row) if p.goes) if isinstance(row, msgspec.Struct) else ()
        return not any(mine.element(target) is None and now.element(target) is not None for target in goes)

    def thinned(item: Any) -> Any:
        lists = {name: value for name in item.__struct_fields__ if isinstance(value := getattr(item, name), tuple)}
        return msgspec.structs.replace(item, **{name: tuple(filter(stands, rows)) for name, rows in lists.items()})

    changes = {}
    for name in part.__struct_fields__:
        value, was = getattr(part, name), getattr(wanted, name)
        if isinstance(value, tuple) and value != was:
            changes[name] = tuple(new if new == old else thinned(new) for new, old in zip(value, was, strict=True))
    return msgspec.structs.replace(part, **changes)


def _thing(then: Any, now: Any, mine: Any) -> Any:
    """One struct, field by field; as it is where it is none, or another one."""
    if not isinstance(mine, msgspec.Struct) or not type(then) is type(now) is type(mine) or then == now:
        return mine
    fields = {name: taken(getattr(then, name), getattr(now, name), getattr(mine, name)) for name in mine.__struct_fields__}
    return msgspec.structs.replace(mine, **fields)


def _lists(then: Any, now: Any, mine: Any) -> tuple[Any, ...] | None:
    """Two changes of one list of rows that are told apart by a key: both of them, or None when they contradict each other."""
    was, has, wants = keyed(then), keyed(now), keyed(mine)
    if was is None or has is None or wants is None:
        return None
    order = _order(was, has, wants)
    if order is None:
        return None
    rows = []
    for key in order:
        old, new, wish = (rows_of.get(key, _NEVER) for rows_of in (was, has, wants))
        if _NEVER not in (old, new, wish) and type(old) is type(new) is type(wish):
            if any(decided(*(getattr(row, name) for row in (old, new, wish))) for name in wish.__struct_fields__):
                return None
            rows.append(_thing(old, new, wish))
        elif decided(old, new, wish):
            return None
        elif (row := taken(old, new, wish)) is not _NEVER:
            rows.append(row)
    return tuple(rows)


def _order(was: Mapping[Any, Any], has: Mapping[Any, Any], wants: Mapping[Any, Any]) -> list[Any] | None:
    """Every key of theirs and mine, in the order that one of them has given to what all have; None when both have, each another one."""
    old, new, wish = ([key for key in keys if key in was and key in has and key in wants] for keys in (was, has, wants))
    if wish not in (old, new) and new != old:
        return None
    first, second = (has, wants) if wish in (old, new) else (wants, has)
    return [*first, *(key for key in second if key not in first)]


def keyed(value: Any) -> Mapping[Any, Any] | None:
    """The rows of a list by their keys (contacts have an id, memberships a user, entries a number); None when it is no list of such, or two
    have the same."""
    if not isinstance(value, tuple):
        return None
    found = {_key(item): item for item in value}
    return None if None in found or len(found) != len(value) else found


def _key(item: Any) -> Any:
    """What tells rows of this type apart: the id, or whom a row is about, or the field with `Meta(extra={"key": True})`."""
    if not isinstance(item, msgspec.Struct) or isinstance(item, Ref):
        return None
    name = _key_field(type(item))
    return getattr(item, name) if name else None


@cache
def _key_field(kind: type[msgspec.Struct]) -> str:
    if "id" in kind.__struct_fields__:
        return "id"
    hints = get_type_hints(kind, include_extras=True)
    return next((name for name in kind.__struct_fields__ if any(map(_is_key, getattr(hints[name], "__metadata__", ())))), "")


def _is_key(mark: Any) -> bool:
    return isinstance(mark, IdOf) or (isinstance(mark, msgspec.Meta) and bool(mark.extra) and "key" in (mark.extra or {}))


def _with_numbers(core: CorePart, before: Mapping[str, Part], after: Mapping[str, Part]) -> CorePart:
    """The numbering plan, following the things whose internal number has become another one."""
    had, have = _numbers(before), _numbers(after)
    moved = {ref: number for ref, number in have.items() if had.get(ref) != number}
    kept = [(number, ref) for number, ref in core.extensions if ref not in moved]
    return msgspec.structs.replace(core, extensions=tuple(sorted([*kept, *((number, ref) for ref, number in moved.items() if number)])))


def _numbers(parts: Mapping[str, Part]) -> dict[Ref, str | None]:
    items = (item for part in parts.values() for name in part.__struct_fields__ for item in _rows(getattr(part, name)))
    return {item.ref: item.extension for item in items if hasattr(item, "extension") and hasattr(item, "ref")}


def _rows(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else ()
