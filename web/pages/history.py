# SPDX-License-Identifier: Apache-2.0
"""«Журнал изменений»: who changed what, when and by which door; and the way back to a revision, as a whole or for one element."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web as http

from engine.sdk import N_, Edit, Invalid, NotFound, Page, Ref, Refused, Revised, Snapshot, Told, models
from web.confirm import Nothing
from web.forms import Form
from web.visit import Visit
from web.words import page_of

PER_PAGE: Final = 20
BRIEF: Final = 4
"""So many changes of a revision are told in the list, so many fields of each."""
WHAT: Final[Mapping[str, str]] = {"added": N_("added"), "removed": N_("deleted"), "changed": N_("changed")}
PBX: Final = "pbx"
"""In an address: the main settings, which are no element."""
CHANNELS: Final[Mapping[str, str]] = {
    "web": N_("Cabinet"), "bot": N_("Telegram bot"), "api": N_("API"), "cli": N_("Command line"), "system": N_("System"),
}  # fmt: skip
_BACK: Final = re.compile(r"← (\d+)(: .+)?")
_IMPORTED: Final = "⇐"


@dataclass(frozen=True, slots=True)
class Entry:
    """A change as a page shows it. `url`: where its element is now; `of`: how an address names what can be brought back alone."""

    told: Told
    url: str
    of: str


@dataclass(frozen=True, slots=True)
class Record:
    row: models.Revision
    channel: str
    remark: str
    entries: Sequence[Entry]


async def history(visit: Visit) -> http.Response:
    below = visit.query.get("below", "")
    since = int(below) if below.isascii() and below.isdigit() and len(below) < 10 else None
    found = await visit.ctx.journal(visit.account_id, PER_PAGE + 1, since)
    older = visit.url("history", below=found[PER_PAGE - 1].row.number) if len(found) > PER_PAGE else ""
    records = [_record(visit, one) for one in found[:PER_PAGE]]
    return visit.render("shell/history.html", records=records, older=older, newer=visit.url("history") if below else "", most=BRIEF)


def brief_of(visit: Visit, found: Revised, most: int = BRIEF) -> str:
    """A revision in one line, in the words of the journal."""
    record = _record(visit, found)
    told = [f"{visit.t(WHAT[e.told.what])}: {e.told.noun} {_quoted(visit, e.told)}".strip() for e in record.entries[:most]]
    if len(record.entries) > most:
        told.append(visit.t("and {count} more", count=len(record.entries) - most))
    return "; ".join([*filter(None, [record.remark]), *told]) or visit.t("Nothing that is seen here")


def _quoted(visit: Visit, told: Told) -> str:
    return "" if told.title == told.noun else visit.t("“{title}”", title=told.title)


async def revision(visit: Visit) -> http.Response:
    found = await _revised(visit)
    number = found.row.number
    before = await models.Revision.of(visit.account_id).filter(number=number - 1).first()
    return visit.render(
        "shell/revision.html", record=_record(visit, found), present=number == visit.snapshot.revision, previous=before.id if before else 0,
    )  # fmt: skip


async def back(visit: Visit) -> http.Response:
    """The whole configuration as it was; what would change stands above the button, or why it can't."""
    found = await _revised(visit)
    number = found.row.number

    async def go(edit: Edit) -> None:
        await edit.go_back(number)

    question = visit.t("Back to revision {number}?", number=number)
    text = visit.t("Everything becomes as it was then; the way back is kept in the journal too. Calls in progress end as they began.")
    return await _ask(visit, question, text, go, visit.url("history.revision", id=found.row.id))


async def back_of_one(visit: Visit) -> http.Response:
    """One element as it was after that revision."""
    found = await _revised(visit)
    of = visit.request.match_info["of"]
    ref = None if of == PBX else _ref(of)
    element = found.after.element(ref) if ref is not None else None
    if ref is not None and element is None:
        raise NotFound("In revision {number} this did not exist yet, or no longer.", number=found.row.number)
    title = element.title if element is not None else visit.t("Main settings of the PBX")

    async def go(edit: Edit) -> None:
        await edit.bring_back(found.row.number, ref)

    question = visit.t("Make “{title}” what it was in revision {number}?", title=title, number=found.row.number)
    text = visit.t("Only this element changes, with what belongs to it: a user’s contacts and phones, a mailbox, settings of CallBack.")
    return await _ask(visit, question, text, go, visit.url("history.revision", id=found.row.id))


async def _ask(visit: Visit, question: str, text: str, go: Callable[[Edit], Awaitable[None]], cancel: str) -> http.Response:
    form = Form(visit, Nothing)
    if visit.is_post:
        with form.saving():
            async with visit.edit() as edit:
                await go(edit)
            saved = edit.after is not None
            message = visit.t("It is as it was then.") if saved else visit.t("Nothing was different, so nothing has changed.")
            return visit.go(visit.url("history"), message=message)
    after, reasons = await _tried(visit, go)
    entries = _entries(visit, visit.snapshot, after, offered=False) if after is not None else []
    return visit.render(
        "shell/back.html", status=form.status, form=form, question=question, text=text, entries=entries, reasons=reasons, cancel=cancel,
    )  # fmt: skip


async def _tried(visit: Visit, go: Callable[[Edit], Awaitable[None]]) -> tuple[Snapshot | None, list[str]]:
    """What would come out, or why it can't: everything is done and checked, and dropped."""
    try:
        async with visit.edit() as edit:
            await go(edit)
            after = await edit.checked()
            edit.drop()
    except Invalid as invalid:
        return None, [visit.tell(problem) for problem in invalid.problems]
    except NotFound:
        raise
    except Refused as refused:
        return None, [visit.tell(refused)]
    return after, []


async def _revised(visit: Visit) -> Revised:
    row = await models.Revision.of(visit.account_id).fetch(visit.id())
    return await visit.ctx.revised(visit.account_id, row.number)


def _ref(text: str) -> Ref:
    try:
        return Ref.parse(text)
    except ValueError:
        raise NotFound from None


def _record(visit: Visit, found: Revised) -> Record:
    row = found.row
    remark = ""
    if went := _BACK.fullmatch(row.summary):
        said = N_("Back to revision {number}: {title}") if went[2] else N_("Back to revision {number}")
        remark = visit.t(said, number=went[1], title=(went[2] or "")[2:])
    elif row.summary == _IMPORTED:
        remark = visit.t("Imported from a file")
    channel = visit.t(CHANNELS.get(row.channel, row.channel))
    return Record(row, channel, remark, _entries(visit, found.before, found.after))


def _entries(visit: Visit, before: Snapshot | None, after: Snapshot, *, offered: bool = True) -> list[Entry]:
    entries = []
    for told in visit.speaker(before, after).told():
        here = told.ref if told.ref is not None and visit.snapshot.element(told.ref) is not None else None
        of = str(told.ref) if told.ref is not None else PBX if told.main else ""
        entries.append(Entry(told, page_of(visit, here) if here or told.main else "", of if offered else ""))
    return entries


PAGES = (
    Page("GET", "/history", history, "admin", name="history", menu=N_("Journal of changes"), menu_section="service", icon="clock"),
    Page("GET", "/history/{id}", revision, "admin", name="history.revision"),
    Page("GET", "/history/{id}/back", back, "admin", name="history.back"),
    Page("POST", "/history/{id}/back", back, "admin"),
    Page("GET", "/history/{id}/back/{of}", back_of_one, "admin", name="history.back_of_one"),
    Page("POST", "/history/{id}/back/{of}", back_of_one, "admin"),
)
