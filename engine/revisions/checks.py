# SPDX-License-Identifier: Apache-2.0
"""Checks that hold for every configuration whatever the plugins: dangling references and the numbering plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, get_args, get_type_hints

from engine.i18n import N_
from engine.snapshot import Branch, Element, Finding, Part, Ref, Snapshot, User, references

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
        return (ref for ref in refs if ref is not None and ref.kind in kinds and whole.element(ref) is None)

    for element in whole.elements():
        for ref in missing((*sorted(references(element)), element.parent)):
            yield element, ref
    for ref in missing((whole.account.hold_music, *(owner for _, owner in whole.core.extensions))):
        yield None, ref


def generic(whole: Snapshot, kinds: frozenset[str]) -> Iterator[Finding]:
    for element, ref in dangling(whole, kinds):
        title = element.title if element else whole.account.title
        yield Finding("error", element.ref if element else None, DANGLING, {"title": title, "ref": str(ref)})
    for element in whole.elements():
        if isinstance(element, User | Branch) and element.extension and whole.extension(element.extension) != element.ref:
            yield Finding(
                "error",
                element.ref,
                N_("The internal number {number} of “{title}” belongs to somebody else."),
                {"number": element.extension, "title": element.title},
            )
