# SPDX-License-Identifier: Apache-2.0
"""Checks that hold for every configuration whatever the plugins: dangling references and the numbering plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, get_args, get_type_hints

from msgspec import Struct

from engine.i18n import N_
from engine.snapshot import Account, Branch, Element, Finding, Part, Ref, Snapshot, To, User, references

WRONG_KIND = N_("“{title}” points at something of the wrong kind: {ref}.")
DANGLING = N_("“{title}” points at something that does not exist: {ref}.")


def kinds_of(part: type[Part]) -> frozenset[str]:
    """The kinds of elements that live in a part, read from its annotations; only their absence can be a dangling reference."""
    return frozenset(_element_kinds(get_type_hints(part).values(), set()))


def _element_kinds(hints: Iterable[Any], seen: set[Any]) -> Iterator[str]:
    for hint in hints:
        if isinstance(hint, type) and hint not in seen and hasattr(hint, "__struct_fields__"):
            seen.add(hint)
            if issubclass(hint, Element) and hint.kind:
                yield hint.kind
            yield from _element_kinds(get_type_hints(hint).values(), seen)
        yield from _element_kinds(get_args(hint), seen)


def dangling(whole: Snapshot, kinds: frozenset[str]) -> Iterator[tuple[Element | None, Ref]]:
    """(who points, at what that is not there). None = the account's main settings or the numbering plan.

    A reference to a kind outside `kinds` belongs to a plugin that is away or to an action without elements: not our business.
    """

    def missing(refs: Iterable[Ref | None]) -> Iterator[Ref]:
        owners = (whole.owner(ref) for ref in refs if ref is not None)
        return (ref for ref in owners if ref.kind in kinds and whole.element(ref) is None)

    for element in whole.elements():
        for ref in missing((*sorted(references(element)), element.parent)):
            yield element, ref
    for ref in missing((whole.account.hold_music, *(owner for _, owner in whole.core.extensions))):
        yield None, ref


@cache
def _pointers(kind: Any) -> Mapping[str, To | None]:
    """Fields of a struct: what each reference in them may point at, None for fields to look into."""
    found: dict[str, To | None] = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        marks = [mark for mark in getattr(hint, "__metadata__", ()) if isinstance(mark, To)]
        found[name] = marks[0] if marks else None
    return {name: found[name] for name in kind.__struct_fields__}


def wrong_kinds(whole: Snapshot, holder: Any) -> Iterator[tuple[str, Ref]]:
    """(field, reference) of an element or settings that points at another kind of thing than it may; also from nested structs."""
    kind: Any = type(holder)
    for name, to in _pointers(kind).items():
        value = getattr(holder, name)
        if value is None or isinstance(value, str | int | float):
            continue
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, Ref):
                element = whole.element(item)
                if to is not None and element is not None and not to.fits(element):
                    yield name, item
            elif isinstance(item, Struct):
                yield from wrong_kinds(whole, item)


def generic(whole: Snapshot, kinds: frozenset[str]) -> Iterator[Finding]:
    for element, ref in dangling(whole, kinds):
        title = element.title if element else whole.account.title
        yield Finding("error", element.ref if element else None, DANGLING, {"title": title, "ref": str(ref)})
    holders: list[Account | Element] = [whole.account, *whole.elements()]
    for holder in holders:
        for field, ref in wrong_kinds(whole, holder):
            where = holder.ref if isinstance(holder, Element) else None
            yield Finding("error", where, WRONG_KIND, {"title": holder.title, "field": field, "ref": str(ref)})
    for element in whole.elements():
        if isinstance(element, Branch):
            for member in getattr(element, "members", ()):  # duck-typed as in engine.people.branches
                if member.user not in whole.users:
                    yield Finding("error", element.ref, DANGLING, {"title": element.title, "ref": str(Ref(User.kind, member.user))})
        if isinstance(element, User | Branch) and element.extension and whole.extension(element.extension) != element.ref:
            yield Finding(
                "error",
                element.ref,
                N_("The internal number {number} of “{title}” belongs to somebody else."),
                {"number": element.extension, "title": element.title},
            )
