# SPDX-License-Identifier: Apache-2.0
"""What a form offers to choose from: targets by place (the ACT table), elements by type, each as (value, title) in groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from engine.sdk import Element, Place, Problem, Ref
from web.visit import Visit

_RUSSIAN_ZONES: Final = (
    "Europe/Kaliningrad", "Europe/Moscow", "Europe/Samara", "Europe/Saratov", "Europe/Volgograd", "Asia/Yekaterinburg", "Asia/Omsk",
    "Asia/Novosibirsk", "Asia/Krasnoyarsk", "Asia/Irkutsk", "Asia/Yakutsk", "Asia/Vladivostok", "Asia/Magadan", "Asia/Kamchatka", "UTC",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    title: str


@dataclass(frozen=True, slots=True)
class OptionGroup:
    """`title` is "" for options that stand alone."""

    title: str
    options: Sequence[Option]


def targets(visit: Visit, place: Place, without: Ref | None = None) -> list[OptionGroup]:
    """Every target an administrator may choose at `place`, grouped by action; actions with a single choice stand alone."""
    groups: list[OptionGroup] = []
    alone: list[Option] = []
    for action in visit.ctx.registry.actions().values():
        if place not in action.places:
            continue
        found = [Option(str(c.target), c.title) for c in action.choices(visit.snapshot) if c.target != without]
        title = visit.t(action.title)
        if len(found) == 1 and found[0].value == f"{action.kind}:0":
            alone.append(Option(found[0].value, title))
        elif found:
            groups.append(OptionGroup(title, found))
    return ([OptionGroup("", alone)] if alone else []) + groups


def elements(visit: Visit, kind: type[Element], without: Sequence[Ref] = ()) -> list[OptionGroup]:
    """Every element of a type (also of its subclasses, such as all that can be played)."""
    found = [Option(str(e.ref), e.title) for e in visit.snapshot.elements() if isinstance(e, kind) and e.ref not in without]
    return [OptionGroup("", sorted(found, key=lambda o: o.title.casefold()))]


def timezones(present: str) -> list[OptionGroup]:
    """Russia's time zones, west to east, and the one that is set already."""
    names = _RUSSIAN_ZONES if present in _RUSSIAN_ZONES else (present, *_RUSSIAN_ZONES)
    return [OptionGroup("", [Option(z, z.replace("_", " ")) for z in names])]


def check_choice(field: str, ref: Ref | None, groups: Sequence[OptionGroup]) -> None:
    """Raise Problem unless the reference is one of those offered.

    A form that does not ask is held only by the checks of what it saves: they know what is missing in this account, not what was offered.
    """
    if ref is not None and all(str(ref) != o.value for g in groups for o in g.options):
        raise Problem(field, "Choose one of the list.")
