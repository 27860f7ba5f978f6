# SPDX-License-Identifier: Apache-2.0
"""Who points at what in a configuration, read from the annotations of its structs: for where-used, checks, exports and imports.

A field points at something when it holds a `Ref` (alone, in a tuple, in a nested struct) or a number marked by `IdOf`. Nothing here knows
a plugin: what the annotations say is found, so the pointers of a new plugin are found without a line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Final, TypeAlias, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from engine.snapshot.element import Element, IdOf, Ref, To

S = TypeVar("S", bound=msgspec.Struct)

OWN: Final = "id"
"""The field by which a struct is called itself."""
PLACE: Final = "parent"
"""The field that is a place in the tree, and no use of what is there."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field that may hold pointers. `to`: what a Ref may point at; `by_id`: what a bare number points at."""

    name: str
    title: str
    to: To | None
    by_id: IdOf | None


@dataclass(frozen=True, slots=True)
class Pointer:
    """`goes`: it is no use that keeps its target from being deleted, but goes with it, like a membership."""

    field: Field
    target: Ref

    @property
    def goes(self) -> bool:
        return self.field.by_id is not None and self.field.by_id.goes


def pointers(holder: msgspec.Struct) -> Iterator[Pointer]:
    """Every pointer below an element or another struct, in the order of its fields; its own id is none."""
    for field in fields(type(holder)):
        value = getattr(holder, field.name)
        if field.name != OWN and value is not None:
            yield from _below(field, value, field.title)


def _below(field: Field, value: Any, title: str) -> Iterator[Pointer]:
    if isinstance(value, Ref):
        yield Pointer(field, value)
    elif isinstance(value, msgspec.Struct):
        for inner in pointers(value):  # told by the outer field's title: "Users", not "user"
            yield Pointer(Field(field.name, title, inner.field.to, inner.field.by_id), inner.target)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _below(field, item, title)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _below(field, item, title)
    elif isinstance(value, int) and field.by_id is not None:
        yield Pointer(field, Ref(field.by_id.kind, value))


Renamed: TypeAlias = Callable[[Ref], Ref | None]
"""The reference under which a thing is known elsewhere; None: not at all, and what points at it is left out."""


def renamed(holder: S, name: Renamed) -> S:
    """The struct with every pointer below it, and ids of its own that are marked, put through `name`."""
    changes = {}
    for field in fields(type(holder)):
        before = getattr(holder, field.name)
        after = _renamed(field, before, name)
        if after is not before:
            changes[field.name] = after
    if isinstance(holder, Element) and (own := name(holder.ref)) is not None:
        changes[OWN] = own.id
    return msgspec.structs.replace(holder, **changes) if changes else holder


def _renamed(field: Field, value: Any, name: Renamed) -> Any:
    if isinstance(value, Ref):
        return name(value)
    if isinstance(value, msgspec.Struct):
        return renamed(value, name)
    if isinstance(value, tuple):
        found = tuple(_renamed(field, item, name) for item in value)
        return tuple(item for item, was in zip(found, value, strict=True) if item is not None or was is None)
    if isinstance(value, int) and not isinstance(value, bool) and field.by_id is not None:
        known = name(Ref(field.by_id.kind, value))
        return None if known is None else known.id
    return value


@cache
def fields(kind: type[msgspec.Struct]) -> tuple[Field, ...]:
    """The fields of a struct that may hold pointers; the others need not be looked into."""
    if kind is Ref:
        return ()
    hints: Mapping[str, Any] = get_type_hints(kind, include_extras=True)
    found = []
    for name in kind.__struct_fields__:
        hint = hints[name]
        if _holds(hint, set()):
            said = tuple(marks(hint))
            to = next((mark for mark in said if isinstance(mark, To)), None)
            by_id = next((mark for mark in said if isinstance(mark, IdOf)), None)
            found.append(Field(name, title_of(name, hint), to, by_id))
    return tuple(found)


def title_of(name: str, hint: Any) -> str:
    """What people call a field: Meta(title=…), else its name in words."""
    titles = [mark.title for mark in marks(hint) if isinstance(mark, msgspec.Meta) and mark.title]
    return titles[0] if titles else name.replace("_", " ")


def marks(hint: Any) -> Iterator[Any]:
    """What Annotated says of the field, or of the items it holds."""
    yield from getattr(hint, "__metadata__", ())
    for inner in get_args(hint):
        if not isinstance(inner, To | IdOf | msgspec.Meta):
            yield from marks(inner)


def _holds(hint: Any, seen: set[Any]) -> bool:
    if get_origin(hint) is ClassVar or hint in seen:
        return False
    seen.add(hint)
    if hint is Ref or any(isinstance(mark, IdOf) for mark in getattr(hint, "__metadata__", ())):
        return True
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        inner = get_type_hints(hint, include_extras=True)
        return any(_holds(inner[name], seen) for name in hint.__struct_fields__)
    return any(_holds(inner, seen) for inner in get_args(hint) if not isinstance(inner, str | int))
