# SPDX-License-Identifier: Apache-2.0
"""Pages of number lists (DIR-1): all of them, create, one list with its entries edited in place, delete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from engine.sdk import N_, Invalid, Page, Problem, format_phone, to_e164
from plugins.numbers import service
from plugins.numbers.part import ListEntry, NumberList, NumbersPart
from web.sdk import Form, Nothing, Visit, confirm, http

SHOWN: Final = 100
"""Entries on one page."""


class ListForm(msgspec.Struct, frozen=True, kw_only=True):
    title: Annotated[str, Meta(min_length=1, max_length=200)]
    active: bool = True


class NewListForm(msgspec.Struct, frozen=True, kw_only=True):
    title: Annotated[str, Meta(min_length=1, max_length=200)]
    entries: str = ""


class EntriesForm(msgspec.Struct, frozen=True, kw_only=True):
    entries: str = ""
    """Lines to add; of the table's form never sent, only the place where problems are shown."""


@dataclass(slots=True)
class Row:
    """One line of the table: `was` = the number the entry is found by, the rest as typed."""

    was: str
    number: str
    name: str
    active: bool
    problem: str = ""


async def lists(visit: Visit) -> http.Response:
    part = visit.snapshot.part("numbers", NumbersPart)
    found = sorted(part.lists, key=lambda x: x.title.casefold()) if part else []
    return visit.render("numbers/lists.html", rows=[(x, _used(visit, x)) for x in found])


def _used(visit: Visit, numbers: NumberList) -> list[tuple[str, str]]:
    return [(e.title, visit.url_of(e.ref)) for e in visit.snapshot.referers(numbers.ref)]


async def new_list(visit: Visit) -> http.Response:
    form = Form(visit, NewListForm)
    if visit.is_post:
        with form.saving():
            title, lines = form.read().title, service.read_lines(visit.text("entries"))
            async with visit.edit() as edit:
                made = await service.save_list(edit, NumberList(id=0, title=title, entries=tuple(lines)))
            return visit.go(visit.url(NumberList.kind, id=made.id), message=visit.t("The list is created."))
    return visit.render("numbers/list_new.html", status=form.status, form=form)


async def number_list(visit: Visit) -> http.Response:
    """Three forms: name and flag, new entries, the entries themselves."""
    element = visit.element(NumberList)
    settings, adding = Form(visit, ListForm, element, "settings"), Form(visit, EntriesForm, name="add")
    table = Form(visit, EntriesForm, name="table")
    asked = visit.query.get("q", "").strip()
    rows, pages, page = _page(visit, element, asked)
    if settings.sent:
        with settings.saving():
            wish = settings.read()
            return await _save(visit, msgspec.structs.replace(element, title=wish.title, active=wish.active), visit.t("Saved."))
    if adding.sent:
        with adding.saving():
            return await _add(visit, element)
    if table.sent:
        rows = _posted(visit)
        with table.saving():
            return await _change(visit, element, rows)
    status = next((f.status for f in (settings, adding, table) if not f.ok), 200)
    return visit.render(
        "numbers/list.html", status=status, element=element, settings=settings, adding=adding, table=table, rows=rows, asked=asked,
        page=page, pages=pages, addresses=_addresses(visit, element, asked, page, pages),
    )  # fmt: skip


def _page(visit: Visit, element: NumberList, asked: str) -> tuple[list[Row], int, int]:
    """(rows of the page that the address names, number of pages, page from 1)."""
    digits = "".join(c for c in asked if c.isdigit())
    number = to_e164(asked, visit.snapshot.account.area_code) or ""
    fits = [
        e for e in element.entries
        if not asked or asked.casefold() in e.name.casefold() or number == e.number or (len(digits) > 2 and digits in e.number)
    ]  # fmt: skip
    pages = max(1, -(-len(fits) // SHOWN))
    wished = visit.query.get("page", "")
    page = min(int(wished), pages) if wished.isascii() and wished.isdigit() and 0 < len(wished) < 6 and int(wished) else 1
    shown = fits[(page - 1) * SHOWN : page * SHOWN]
    return [Row(e.number, format_phone(e.number), e.name, e.active) for e in shown], pages, page


def _addresses(visit: Visit, element: NumberList, asked: str, page: int, pages: int) -> Mapping[str, str]:
    def at(number: int) -> str:
        return visit.url(NumberList.kind, id=element.id, q=asked, page=number) if 1 <= number <= pages else ""

    return {"newer": at(page - 1), "older": at(page + 1)}


async def _save(visit: Visit, changed: NumberList, message: str) -> http.Response:
    async with visit.edit() as edit:
        await service.save_list(edit, changed)
    where = visit.url(NumberList.kind, id=changed.id, q=visit.query.get("q", ""), page=visit.query.get("page", ""))
    return visit.go(where, message=message)


async def _add(visit: Visit, element: NumberList) -> http.Response:
    """New entries come first, so that one sees them; numbers that the list has are left alone."""
    new = service.normal(service.read_lines(visit.text("entries")), visit.snapshot.account.area_code)
    if not new:
        raise Problem("entries", "This field is required.")
    known = {e.number for e in element.entries}
    fresh = [e for e in new if e.number not in known]
    message = visit.t("Numbers added: {count}.", count=len(fresh))
    if len(fresh) < len(new):
        message += " " + visit.t("Were in the list already: {count}.", count=len(new) - len(fresh))
    return await _save(visit, msgspec.structs.replace(element, entries=(*fresh, *element.entries)), message)


def _posted(visit: Visit) -> list[Row]:
    """The rows as typed: three equally long columns of fields, and the ticks."""
    columns = [[str(v).strip() for v in visit.posted.getall(name, [])] for name in ("was", "number", "name")]
    ticked = {str(v) for v in visit.posted.getall("active", [])}
    return [Row(was, number, name, was in ticked) for was, number, name in zip(*columns, strict=False)]


async def _change(visit: Visit, element: NumberList, rows: Sequence[Row]) -> http.Response:
    """Save every row of the page; a row's delete button saves the others too."""
    dropped = visit.text("drop")
    by_number = {row.was: row for row in rows if row.was != dropped}
    order: list[Row | None] = []
    entries: list[ListEntry] = []
    for entry in element.entries:
        row = by_number.get(entry.number)
        if entry.number == dropped:
            continue
        entries.append(ListEntry(row.number, row.name, row.active) if row else entry)
        order.append(row)
    try:
        return await _save(visit, msgspec.structs.replace(element, entries=tuple(entries)), visit.t("Saved."))
    except Invalid as invalid:
        for problem in invalid.problems:
            at = problem.field.rpartition(".")[2]
            row = order[int(at)] if at.isdigit() else None
            if row is not None:
                row.problem = visit.tell(problem)
        raise


async def delete_list(visit: Visit) -> http.Response:
    element = visit.element(NumberList)
    form = Form(visit, Nothing)
    if visit.is_post:
        with form.saving():
            async with visit.edit() as edit:
                await service.delete_list(edit, element.id)
            return visit.go(visit.url("numbers.lists"), message=visit.t("“{title}” is deleted.", title=element.title))
    question = visit.t("Delete the number list “{title}”?", title=element.title)
    return confirm(visit, question, back=visit.url(NumberList.kind, id=element.id), form=form, of=element.ref)


PAGES = (
    Page("GET", "/number-lists", lists, "admin", name="numbers.lists", menu=N_("Number lists"), menu_section="directories"),
    Page("GET", "/number-lists/new", new_list, "admin", name="numbers.list.new"),
    Page("POST", "/number-lists/new", new_list, "admin"),
    Page("GET", "/number-lists/{id}", number_list, "admin", name=NumberList.kind),
    Page("POST", "/number-lists/{id}", number_list, "admin"),
    Page("GET", "/number-lists/{id}/delete", delete_list, "admin", name="numbers.list.delete"),
    Page("POST", "/number-lists/{id}/delete", delete_list, "admin"),
)
