# SPDX-License-Identifier: Apache-2.0
"""What a save changed, in words: for the journal of changes in the cabinet and the bot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, get_type_hints

import msgspec

from engine.snapshot import Element, Part, Ref
from engine.snapshot.pointers import title_of

HIDDEN = "•••"
_SECRETS = frozenset({"secret", "pin", "password"})


@dataclass(frozen=True, slots=True)
class FieldChange:
    """`title` is a catalogue id: msgspec.Meta(title=…) of the field, else its name; secrets are shown as dots."""

    name: str
    title: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Change:
    """One element (or other struct with an id) that came, went or changed; `kind` is the element's or the struct's name."""

    what: Literal["added", "removed", "changed"]
    part: str
    kind: str
    title: str
    ref: Ref | None = None
    fields: tuple[FieldChange, ...] = ()
    item: msgspec.Struct | None = None
    """As it is after the change, or was before it went; None for what is no struct, like the numbering plan."""
    key: tuple[Any, ...] = field(default=(), compare=False)
    """Part, field and id: the same in changes of the same thing."""


def differences(before: Mapping[str, Part], after: Mapping[str, Part]) -> list[Change]:
    """Everything that differs between two states of an account, part by part ("core" first if it is first in `after`)."""
    names = [*after, *(name for name in before if name not in after)]
    return [change for name in names for change in part_differences(name, before.get(name), after.get(name))]


def part_differences(name: str, before: Part | None, after: Part | None) -> list[Change]:
    old, new = things(before), things(after)
    found = []
    for key, item in new.items():
        earlier = old.get(key)
        if earlier is None:
            found.append(_change("added", name, key, item))
        elif earlier != item:
            found.append(_change("changed", name, key, item, _field_changes(earlier, item)))
    found += [_change("removed", name, key, item) for key, item in old.items() if key not in new]
    return found


def summary(changes: list[Change], limit: int = 20) -> str:
    """One line without words, readable in any language: + Sales · ~ Anna · − Support."""
    signs = {"added": "+", "changed": "~", "removed": "−"}
    shown = list(dict.fromkeys(f"{signs[change.what]} {change.title}" for change in changes))
    return " · ".join(shown[:limit]) + (" …" if len(shown) > limit else "")


def things(part: Part | None) -> dict[Any, Any]:
    """Every struct that is directly in the part, keyed by field and id; pairs and scalars under their field."""
    found: dict[Any, Any] = {}
    for name, value in _fields(part):
        if isinstance(value, tuple):
            for at, item in enumerate(value):
                found[name, getattr(item, "id", item if isinstance(item, str | tuple) else at)] = item
        elif isinstance(value, msgspec.Struct):
            found[name, None] = value
        elif name != "version":
            found[name, None] = _Scalar(name, value)
    return found


@dataclass(frozen=True, slots=True)
class _Scalar:
    title: str
    value: Any


def _fields(struct: msgspec.Struct | None) -> Iterator[tuple[str, Any]]:
    for name in struct.__struct_fields__ if struct is not None else ():
        yield name, getattr(struct, name)


def _change(
    what: Literal["added", "removed", "changed"], part: str, at: tuple[Any, Any], item: Any, fields: tuple[FieldChange, ...] = ()
) -> Change:
    key = (part, *at)
    if isinstance(item, Element):
        return Change(what, part, item.kind, item.title, item.ref, fields, item, key)
    if isinstance(item, tuple):
        return Change(what, part, part, " ".join(str(piece) for piece in item), None, fields, key=key)
    title = getattr(item, "title", None) or getattr(item, "login", None) or type(item).__name__
    return Change(what, part, type(item).__name__, str(title), None, fields, item if isinstance(item, msgspec.Struct) else None, key)


def _field_changes(before: Any, after: Any) -> tuple[FieldChange, ...]:
    if isinstance(after, _Scalar):
        return (FieldChange(after.title, after.title, before.value, after.value),)
    if not isinstance(after, msgspec.Struct) or type(before) is not type(after):
        return (FieldChange("", "", before, after),)
    titles = _titles(type(after))
    return tuple(
        FieldChange(name, titles[name], *((HIDDEN, HIDDEN) if name in _SECRETS else (getattr(before, name), value)))
        for name, value in _fields(after)
        if getattr(before, name) != value
    )


@cache
def _titles(kind: type[msgspec.Struct]) -> Mapping[str, str]:
    return {name: title_of(name, hint) for name, hint in get_type_hints(kind, include_extras=True).items()}
