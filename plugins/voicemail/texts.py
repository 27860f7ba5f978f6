# SPDX-License-Identifier: Apache-2.0
"""What the notice of a new message reads like, as an e-mail and under the voice in Telegram. Pure; times in the account's zone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from html import escape

from engine.sdk import N_, Snapshot, format_datetime, format_duration, format_phone, translate
from plugins.voicemail.models import MessageRow

TITLE_LIMIT = 80
CAPTION_TRANSCRIPT_LIMIT = 600
"""Telegram takes 1,024 characters below a voice message."""


@dataclass(frozen=True, slots=True)
class Mail:
    subject: str
    text: str
    html: str


def mail(row: MessageRow, snapshot: Snapshot, language: str, *, attached: bool) -> Mail:
    t = partial(translate, language)
    subject = t(N_("New voice message from {caller}"), caller=_who(row, language))
    lines: list[str] = [*_facts(row, snapshot, language), t(N_("Company: {company}"), company=_line(snapshot.account.title))]
    if row.transcript:
        lines.append(t(N_("Transcript: {text}"), text=row.transcript))
    end = t(N_("The message is attached.")) if attached else t(N_("The message can be heard in the cabinet, under “Voicemail”."))
    text = "\n".join([subject, "", *lines, "", end, ""])
    rows = "".join(f"<p style=\"margin:0.2em 0\">{escape(line)}</p>" for line in lines)
    return Mail(subject, text, f"<html><body><h3>{escape(subject)}</h3>{rows}<p>{escape(end)}</p></body></html>")


def caption(row: MessageRow, snapshot: Snapshot, language: str) -> str:
    """Below the voice message in Telegram, HTML."""
    title = translate(language, N_("New voice message from {caller}"), caller=_who(row, language))
    lines = [f"<b>{escape(title)}</b>", *(escape(line) for line in _facts(row, snapshot, language))]
    if row.transcript:
        lines.append(f"<i>{escape(_line(row.transcript, CAPTION_TRANSCRIPT_LIMIT))}</i>")
    return "\n".join(lines)


def file_name(row: MessageRow) -> str:
    """Of the attached sound."""
    digits = re.sub(r"[^0-9]", "", row.caller_number or "")
    return f"voicemail-{row.at:%Y%m%d-%H%M%S}{'-' + digits if digits else ''}.wav"


def _who(row: MessageRow, language: str) -> str:
    number = format_phone(row.caller_number) or translate(language, N_("Number withheld"))
    name = _line(row.caller_name)
    return f"{number} ({name})" if name else number


def _facts(row: MessageRow, snapshot: Snapshot, language: str) -> Sequence[str]:
    t = partial(translate, language)
    return [
        t(N_("Voicemail of {who}"), who=_line(row.owner_title)),
        *([t(N_("Number called: {number}"), number=format_phone(row.dialled))] if row.dialled else []),
        t(N_("Time: {at}"), at=format_datetime(language, row.at, snapshot.account.timezone, "medium")),
        t(N_("Length: {length}"), length=format_duration(row.seconds)),
    ]


def _line(text: str, limit: int = TITLE_LIMIT) -> str:
    """One short line: names come from outside and could carry line breaks into a mail's head."""
    flat = re.sub(r"[\s\x00-\x1f\x7f]+", " ", text).strip()
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"
