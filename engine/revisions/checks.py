# SPDX-License-Identifier: Apache-2.0
"""Checks that hold for every configuration whatever the plugins: dangling references and the numbering plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, get_args, get_type_hints

from msgspec import Struct

from engine.i18n import N_
from engine.numbering import EMERGENCY, is_emergency
from engine.revisions.limits import limits
from engine.snapshot import Account, Branch, Element, Finding, Part, Ref, Snapshot, User
from engine.snapshot.pointers import Pointer, pointers
from engine.snapshot.rows import extension_problem

WRONG_KIND = N_("“{title}” points at something of the wrong kind: {ref}. Open it and choose something else.")
OTHERS_NUMBER = N_("The internal number {number} of “{title}” belongs to somebody else.")
NAMESAKE = N_("There is another “{title}” already: lists show the same name for both.")
DANGLING = N_("“{title}” leads to something that does not exist any more. Open it and choose anew what is missing.")


SERVICE_HIDDEN = N_(
    "Whoever dials {number} from a phone of the PBX reaches “{title}”, not the emergency service of that number; "
    "112 goes through. Give “{title}” another internal number."
)
NOT_STOPPED = N_(
    "The forbidden prefix {prefix} of “{title}” does not stop calls to {numbers}: emergency calls always go through. "
    "Delete it if it was meant for them."
)


@cache
def kinds_by_field(part: type[Part]) -> Mapping[str, frozenset[str]]:
    """The kinds of elements that stand directly in each field of a part: {"groups": {"groups.group"}}."""
    hints = get_type_hints(part)
    found = {}
    for name in part.__struct_fields__:
        inner = [kind for kind in get_args(hints[name]) if isinstance(kind, type) and issubclass(kind, Element)]
        found[name] = frozenset(kind.kind for kind in inner)
    return found


def kinds_of(part: type[Part]) -> frozenset[str]:
    """The kinds of elements that live in a part, read from its annotations; only their absence can be a dangling reference."""
    return _kinds_of(part)


@cache  # every save asks three times for every part
def _kinds_of(part: type[Part]) -> frozenset[str]:
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

    def missing(refs: Iterable[Ref]) -> list[Ref]:
        owners = {whole.owner(ref) for ref in refs}
        return sorted(ref for ref in owners if ref.kind in kinds and whole.element(ref) is None)

    for element in whole.elements():
        for ref in missing(p.target for p in pointers(element)):
            yield element, ref
    holders = (whole.account, *whole.core.sip_accounts)
    for ref in missing((*(p.target for h in holders for p in pointers(h)), *(owner for _, owner in whole.core.extensions))):
        yield None, ref


def wrong_kinds(whole: Snapshot, holder: Struct) -> Iterator[Pointer]:
    """What points at another kind of thing than it may."""
    for pointer in pointers(holder):
        element, to = whole.element(pointer.target), pointer.field.to
        if to is not None and element is not None and not to.fits(element):
            yield pointer


def generic(whole: Snapshot, kinds: frozenset[str]) -> Iterator[Finding]:
    for element, ref in dangling(whole, kinds):
        title = element.title if element else whole.account.title
        yield Finding("error", element.ref if element else None, DANGLING, {"title": title, "ref": str(ref)})
    holders: list[Account | Element] = [whole.account, *whole.elements()]
    for holder in holders:
        for wrong in wrong_kinds(whole, holder):
            where = holder.ref if isinstance(holder, Element) else None
            yield Finding("error", where, WRONG_KIND, {"title": holder.title, "field": wrong.field.name, "ref": str(wrong.target)})
    yield from _namesakes(whole)
    yield from _numbering_plan(whole)
    yield from _emergencies(whole)
    yield from limits(whole)


def _namesakes(whole: Snapshot) -> Iterator[Finding]:
    known: set[tuple[str, str]] = set()
    for element in whole.elements():
        name = (element.kind, element.title.strip().casefold())
        if element.by_title and name in known:
            yield Finding("warning", element.ref, NAMESAKE, {"title": element.title})
        known.add(name)


def _numbering_plan(whole: Snapshot) -> Iterator[Finding]:
    for number, owner in whole.core.extensions:
        element = whole.element(owner)
        if isinstance(element, User | Branch) and element.extension != number:
            yield Finding("error", owner, OTHERS_NUMBER, {"number": number, "title": element.title})
        if problem := extension_problem(number):
            yield Finding("error", owner, problem)
    for element in whole.elements():
        if isinstance(element, User | Branch) and element.extension and whole.extension(element.extension) != element.ref:
            yield Finding(
                "error",
                element.ref,
                OTHERS_NUMBER,
                {"number": element.extension, "title": element.title},
            )


def _emergencies(whole: Snapshot) -> Iterator[Finding]:
    """R17: internal numbers in the place of a service, and prefixes that are meant to stop what nothing stops."""
    for number, owner in whole.core.extensions:
        if is_emergency(number) and not extension_problem(number):
            element = whole.element(owner)
            yield Finding("warning", owner, SERVICE_HIDDEN, {"number": number, "title": element.title if element else str(owner)})
    for element in whole.elements():
        for prefix in dict.fromkeys(element.forbidden_prefixes) if isinstance(element, User | Branch) else ():
            meant = [number for number in EMERGENCY if len(prefix) > 1 and number.startswith(prefix)]  # “1” is North America
            if meant:
                yield Finding(
                    "warning", element.ref, NOT_STOPPED, {"prefix": prefix, "title": element.title, "numbers": ", ".join(sorted(meant))}
                )
