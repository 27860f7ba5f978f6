# SPDX-License-Identifier: Apache-2.0
"""What the notice of a new fax reads like, as an e-mail and above the file in Telegram. Pure; times in the account's zone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from html import escape

from engine.sdk import N_, Letter, Snapshot, caller_words, format_datetime, format_phone, one_line, translate
from plugins.fax.models import FaxRow


def mail(row: FaxRow, snapshot: Snapshot, language: str, *, attached: bool) -> Letter:
    t = partial(translate, language)
    lines = [*_facts(row, snapshot, language), t(N_("Company: {company}"), company=one_line(snapshot.account.title))]
    end = t(N_("The fax is attached.")) if attached else t(N_("The fax can be viewed in the cabinet, under “Faxes”."))
    return Letter.of(_title(row, language), lines, end)


def caption(row: FaxRow, snapshot: Snapshot, language: str) -> str:
    """Beside the file in Telegram, HTML."""
    return "\n".join([f"<b>{escape(_title(row, language))}</b>", *(escape(line) for line in _facts(row, snapshot, language))])


def file_name(row: FaxRow, ending: str) -> str:
    """Of the file as people get it: “fax-20261127-093000-79271234567.pdf”."""
    digits = re.sub(r"[^0-9]", "", row.caller_number or "")
    return f"fax-{row.at:%Y%m%d-%H%M%S}{'-' + digits if digits else ''}.{ending}"


def _title(row: FaxRow, language: str) -> str:
    caller = caller_words(language, row.caller_number, row.caller_name)
    return translate(language, N_("New fax from {caller}") if row.complete else N_("Incomplete fax from {caller}"), caller=caller)


def _facts(row: FaxRow, snapshot: Snapshot, language: str) -> Sequence[str]:
    t = partial(translate, language)
    return [
        t(N_("Fax of {who}"), who=one_line(row.owner_title)),
        *([t(N_("Number called: {number}"), number=format_phone(row.dialled))] if row.dialled else []),
        *([t(N_("Sender’s machine: {name}"), name=one_line(row.sender))] if row.sender else []),
        t(N_("Time: {at}"), at=format_datetime(language, row.at, snapshot.account.timezone, "medium")),
        t(N_("Pages: {pages}"), pages=row.pages),
        *([] if row.complete else [t(N_("The fax broke off: the last pages are missing."))]),
    ]
