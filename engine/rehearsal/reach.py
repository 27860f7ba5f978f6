# SPDX-License-Identifier: Apache-2.0
"""Where calls may get to at any hour: from the numbers and internal numbers along rules, keys, no-answer actions and the tree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from engine.routing.action import Leading, RoutingAction
from engine.snapshot import Did, Element, Ref, Snapshot, references


def reached(snapshot: Snapshot, actions: Mapping[str, RoutingAction]) -> set[Ref]:
    """Every target that some call may enter."""
    found: set[Ref] = set()
    todo = list(_doors(snapshot, actions))
    while todo:
        ref = todo.pop()
        if ref not in found:
            found.add(ref)
            todo.extend(leads(snapshot, actions, ref))
    return found


def _doors(snapshot: Snapshot, actions: Mapping[str, RoutingAction]) -> Iterable[Ref]:
    """Where calls begin: numbers, internal numbers, and whatever else of the account names a target (a widget, say)."""
    yield from (did.ref for did in snapshot.core.dids)
    yield from snapshot.extensions.values()
    for element in snapshot.elements():
        if element.kind in actions or any(ref.kind == Did.kind for ref in references(element)):
            continue  # a call may go there; or it belongs to a number, whose action knows its rules
        yield from _targets(element, actions)


def _targets(element: Element, actions: Mapping[str, RoutingAction]) -> Iterable[Ref]:
    return (ref for ref in references(element) if ref.kind in actions and ref.kind != Did.kind)


def leads(snapshot: Snapshot, actions: Mapping[str, RoutingAction], ref: Ref) -> Iterable[Ref]:
    """Where a call that has entered this may go on."""
    action: Any = actions.get(ref.kind)
    if isinstance(action, Leading):
        return action.leads(snapshot, ref)
    element = snapshot.element(ref)
    below = [child.ref for child in snapshot.branches(ref)]
    return [*below, *(_targets(element, actions) if element is not None else ())]
