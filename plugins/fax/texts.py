# SPDX-License-Identifier: Apache-2.0
"""What the notice of a new fax reads like, as an e-mail and beside the file in Telegram. Pure; times in the account's zone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from html import escape
from typing import Final

from engine.sdk import N_, Letter, LetterKind, Snapshot, caller_words, clock, format_datetime, format_phone, one_line, translate
from plugins.fax.models import FaxRow

VARIABLES: Final[Mapping[str, str]] = {
    "what": N_("“New fax”, or “Incomplete fax” when it broke off"),
    "caller": N_("The caller’s number and name"),
    "number": N_("The caller’s number"),
    "name": N_("The caller’s name"),
    "sender": N_("How the sender’s machine calls itself"),
    "owner": N_("The user or group the fax is for"),
    "dialled": N_("The number called"),
    "at": N_("Date and time"),
    "pages": N_("Number of pages"),
    "missing": N_("That pages are missing, where they are"),
    "where": N_("Whether the fax is attached or in the cabinet"),
    "company": N_("Name of the PBX"),
}


def values(row: FaxRow, snapshot: Snapshot, language: str, *, attached: bool) -> dict[str, str]:
    t = partial(translate, language)
    return {
        "what": t(N_("New fax")) if row.complete else t(N_("Incomplete fax")),
        "caller": caller_words(language, row.caller_number, row.caller_name),
        "number": caller_words(language, row.caller_number, ""),
        "name": one_line(row.caller_name),
        "sender": one_line(row.sender),
        "owner": one_line(row.owner_title),
        "dialled": format_phone(row.dialled) if row.dialled else "",
        "at": format_datetime(language, row.at, snapshot.account.timezone, "medium"),
        "pages": str(row.pages),
        "missing": "" if row.complete else t(N_("The fax broke off: the last pages are missing.")),
        "where": t(N_("The fax is attached.")) if attached else t(N_("The fax can be viewed in the cabinet, under “Faxes”.")),
        "company": one_line(snapshot.account.title),
    }


def standard(it: Mapping[str, str], language: str) -> Letter:
    company = translate(language, N_("Company: {company}"), company=it["company"])
    return Letter.of(_title(it), [*_facts(it, language), company], it["where"])


def example(snapshot: Snapshot, language: str) -> dict[str, str]:
    row = FaxRow(
        owner_title=snapshot.account.title, caller_number="+79271234567", caller_name=translate(language, N_("Ivanov")), at=clock.now(),
        dialled=snapshot.core.dids[0].number if snapshot.core.dids else "", pages=3, complete=True, sender="+7 927 1234567",
    )  # fmt: skip
    return values(row, snapshot, language, attached=True)


LETTER: Final = LetterKind("fax.fax", N_("New fax"), VARIABLES, standard, example)


def mail(row: FaxRow, snapshot: Snapshot, language: str, *, attached: bool) -> Letter:
    return LETTER.letter(snapshot, values(row, snapshot, language, attached=attached), language)


def caption(row: FaxRow, snapshot: Snapshot, language: str) -> str:
    """Beside the file in Telegram, HTML."""
    it = values(row, snapshot, language, attached=True)
    return "\n".join([f"<b>{escape(_title(it))}</b>", *(escape(line) for line in _facts(it, language))])


def file_name(row: FaxRow, ending: str) -> str:
    """Of the file as people get it: “fax-20261127-093000-79271234567.pdf”."""
    digits = re.sub(r"[^0-9]", "", row.caller_number or "")
    return f"fax-{row.at:%Y%m%d-%H%M%S}{'-' + digits if digits else ''}.{ending}"


def _title(it: Mapping[str, str]) -> str:
    return f"{it['what']}: {it['caller']}"


def _facts(it: Mapping[str, str], language: str) -> list[str]:
    t = partial(translate, language)
    return [
        t(N_("Fax of {who}"), who=it["owner"]),
        *([t(N_("Number called: {number}"), number=it["dialled"])] if it["dialled"] else []),
        *([t(N_("Sender’s machine: {name}"), name=it["sender"])] if it["sender"] else []),
        t(N_("Time: {at}"), at=it["at"]),
        t(N_("Pages: {pages}"), pages=it["pages"]),
        *([it["missing"]] if it["missing"] else []),
    ]
