# SPDX-License-Identifier: Apache-2.0
"""What a form offers to choose from: targets by place (the ACT table), elements by type, each as (value, title) in groups."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from zoneinfo import ZoneInfo

from markupsafe import Markup

from engine.sdk import Element, Place, Problem, Ref, clock, format_timezone, zone_place, zones_by_country
from web.visit import Visit


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    title: str


@dataclass(frozen=True, slots=True)
class OptionGroup:
    """`title` is "" for options that stand alone."""

    title: str
    options: Sequence[Option]


def offers(groups: Sequence[OptionGroup], value: object) -> bool:
    return any(option.value == str(value) for group in groups for option in group.options)


def with_selected(options: Markup, value: object) -> Markup:
    """Drawn options with one of them selected: for many fields of one form that offer the same, of which each would draw hundreds."""
    return options.replace(Markup('<option value="{}">').format(value), Markup('<option value="{}" selected>').format(value), 1)


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


def timezones(visit: Visit, present: str) -> list[OptionGroup]:
    """Time zones by their cities: Russia's from west to east, the others by name; and the one that is set already, whatever it is."""
    now, world = clock.now(), zones_by_country()
    place = partial(zone_place, visit.language)
    russian = sorted(world["RU"], key=lambda zone: (now.astimezone(ZoneInfo(zone)).utcoffset(), place(zone)))
    russian.insert(0, russian.pop(russian.index("Europe/Moscow")))
    others = sorted((zone for country, zones in world.items() if country != "RU" for zone in zones), key=place)
    strange = [] if present in russian or present in others else [present]

    def options(zones: Iterable[str]) -> list[Option]:
        return [Option(zone, zone_title(visit, zone)) for zone in zones]

    groups = [("", strange), (visit.t("Russia"), russian), (visit.t("Other countries"), others)]
    return [OptionGroup(title, options(zones)) for title, zones in groups if zones]


def zone_title(visit: Visit, zone: str) -> str:
    """“Екатеринбург (UTC+05:00)”, abroad with the country."""
    title, country = format_timezone(visit.language, zone, clock.now()), zone_place(visit.language, zone)[1]
    return f"{title}, {country}" if country and zone not in zones_by_country()["RU"] else title


def check_choice(field: str, ref: Ref | None, groups: Sequence[OptionGroup]) -> None:
    """Raise Problem unless the reference is one of those offered.

    A form that does not ask is held only by the checks of what it saves: they know what is missing in this account, not what was offered.
    """
    if ref is not None and not offers(groups, ref):
        raise Problem(field, "Choose one of the list.")
