# SPDX-License-Identifier: Apache-2.0
"""What templates say about times, numbers, roles and sections, in the visitor's language; made global in templates by `web.app`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from engine.sdk import (
    N_,
    Account,
    Attached,
    Contact,
    Element,
    Ref,
    UserRole,
    cause_words,
    clock,
    format_date,
    format_datetime,
    format_duration,
    format_phone,
    format_time,
    reason_words,
)
from web.clashing import clash_authors, clash_lines
from web.host import THEMES
from web.picker import offers, with_selected
from web.visit import Visit

_ROLES: Final[dict[str, str]] = {"user": N_("User"), "manager": N_("Manager"), "admin": N_("Administrator")}
SECTIONS: Final[dict[str, str]] = {
    "settings": N_("Number management"),
    "directories": N_("Directories"),
    "statistics": N_("Statistics"),
    "extra": N_("Additional features"),
    "service": N_("System"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    url: str
    title: str
    icon: str


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    entries: Sequence[Entry]


def menu(visit: Visit) -> list[Section]:
    """The side menu below the tree: what plugins offer to this visitor's role, by section."""
    sections = []
    for section, title in SECTIONS.items():
        entries = [
            Entry(visit.url(page.name), visit.t(page.menu), page.icon or "list")
            for page in visit.host.table
            if page.menu and page.name and page.menu_section == section and not page.beside and visit.may(page.role)
        ]
        if entries:
            sections.append(Section(visit.t(title), entries))
    return sections


def beside(visit: Visit, element: Element) -> list[Entry]:
    """What plugins keep of this element on pages of their own (`Page.beside`)."""
    return [
        Entry(visit.url(page.name, of=element.ref), visit.t(page.menu), page.icon or "list")
        for page in visit.host.table
        if page.name and element.kind in page.beside and visit.may(page.role)
    ]


@dataclass(frozen=True, slots=True)
class Used:
    """What points at an element: its title with the page of it ("" = none for this visitor), and by which of its fields."""

    title: str
    url: str
    what: str
    fields: tuple[str, ...]


def uses_of(visit: Visit, ref: Ref) -> list[Used]:
    """Where an element is used, a line for each that points at it (members too)."""
    found: dict[Ref | None, Used] = {}
    for use in visit.snapshot.uses(ref):
        holder = use.holder
        where = holder.ref if isinstance(holder, Element) else None
        known = found.get(where)
        fields = (*(known.fields if known else ()), visit.t(use.title))
        found[where] = Used(title_of(visit, holder), page_of(visit, where), visit.t(holder.noun), tuple(dict.fromkeys(fields)))
    return list(found.values())


def title_of(visit: Visit, holder: Element | Account) -> str:
    """What a list calls an element: what is attached to another goes by the other's name."""
    owner = visit.snapshot.element(holder.parent) if isinstance(holder, Attached) and holder.parent else None
    return (owner or holder).title or visit.t(holder.noun)


def page_of(visit: Visit, ref: Ref | None) -> str:
    """The page that shows an element, be it on a page beside its owner's or of the PBX; "" when there is none for this visitor."""
    if ref is None:
        return visit.url("pbx") if visit.may("admin") else ""
    url = visit.url_of(ref)
    element = visit.snapshot.element(ref)
    if url or not isinstance(element, Attached) or element.parent is None:
        return url
    plugin = ref.kind.partition(".")[0]
    pages = [p for p in visit.host.table if p.name.startswith(f"{plugin}.") and element.parent.kind in p.beside and visit.may(p.role)]
    return visit.url(pages[0].name, of=element.parent) if pages else visit.url_of(element.parent)


def own_pages(visit: Visit) -> list[Entry]:
    """What an employee may set himself of what plugins keep for him (`beside=("profile",)`)."""
    return [
        Entry(visit.url(page.name), visit.t(page.menu), page.icon or "list")
        for page in visit.host.table
        if page.name and "profile" in page.beside and visit.may(page.role)
    ]


def theme(visit: Visit) -> str:
    wish = visit.request.cookies.get("vats_theme", "auto")
    return wish if wish in THEMES else "auto"


def role_title(visit: Visit, role: UserRole) -> str:
    return visit.t(_ROLES[role])


def roles(visit: Visit) -> list[tuple[str, str]]:
    return [(role, visit.t(title)) for role, title in _ROLES.items()]


def when(visit: Visit, moment: datetime) -> str:
    """A moment for a list: the time alone today, “yesterday” and the time, else date and time."""
    zone = visit.zone
    day, today = moment.astimezone(zone).date(), clock.now().astimezone(zone).date()
    time = format_time(visit.language, moment, str(zone))
    if day == today:
        return time
    if day == today - timedelta(days=1):
        return visit.t("yesterday, {time}", time=time)
    return full(visit, moment) if day.year != today.year else f"{_short_day(visit, moment)}, {time}"


def _short_day(visit: Visit, moment: datetime) -> str:
    local = moment.astimezone(visit.zone)
    return f"{local.day:02}.{local.month:02}" if visit.language == "ru" else f"{local:%b} {local.day}"


def full(visit: Visit, moment: datetime) -> str:
    return format_datetime(visit.language, moment, str(visit.zone), "medium")


def day(visit: Visit, moment: datetime) -> str:
    return format_date(visit.language, moment.astimezone(visit.zone).date(), "long")


def iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def cause(visit: Visit, name: str) -> str:
    return cause_words(visit.t, name)


def reason(visit: Visit, name: str) -> str:
    return reason_words(visit.t, name)


def is_present(present: Mapping[Ref, bool], contact: Contact) -> bool:
    """Whether a SIP contact is registered, as last heard from the switch."""
    return bool(present.get(Ref("core.contact", contact.id)))


HELPERS: Final[dict[str, Any]] = {
    "cause": cause,
    "clash_authors": clash_authors,
    "clash_lines": clash_lines,
    "day": day,
    "duration": format_duration,
    "full": full,
    "is_present": is_present,
    "iso": iso,
    "menu": menu,
    "beside": beside,
    "offers": offers,
    "own_pages": own_pages,
    "phone": format_phone,
    "reason": reason,
    "role_title": role_title,
    "roles": roles,
    "theme": theme,
    "uses_of": uses_of,
    "when": when,
    "with_selected": with_selected,
}
