# SPDX-License-Identifier: Apache-2.0
"""What the notice of a new message reads like, as an e-mail and under the voice in Telegram. Pure; times in the account's zone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from html import escape

from engine.sdk import N_, Letter, Snapshot, caller_words, format_datetime, format_duration, format_phone, one_line, translate
from plugins.voicemail.models import MessageRow

CAPTION_TRANSCRIPT_LIMIT = 600
"""Telegram takes 1,024 characters below a voice message."""


def mail(row: MessageRow, snapshot: Snapshot, language: str, *, attached: bool) -> Letter:
    t = partial(translate, language)
    subject = t(N_("New voice message from {caller}"), caller=caller_words(language, row.caller_number, row.caller_name))
    lines: list[str] = [*_facts(row, snapshot, language), t(N_("Company: {company}"), company=one_line(snapshot.account.title))]
    if row.transcript:
        lines.append(t(N_("Transcript: {text}"), text=row.transcript))
    end = t(N_("The message is attached.")) if attached else t(N_("The message can be heard in the cabinet, under “Voicemail”."))
    return Letter.of(subject, lines, end)


def caption(row: MessageRow, snapshot: Snapshot, language: str) -> str:
    """Below the voice message in Telegram, HTML."""
    title = translate(language, N_("New voice message from {caller}"), caller=caller_words(language, row.caller_number, row.caller_name))
    lines = [f"<b>{escape(title)}</b>", *(escape(line) for line in _facts(row, snapshot, language))]
    if row.transcript:
        lines.append(f"<i>{escape(one_line(row.transcript, CAPTION_TRANSCRIPT_LIMIT))}</i>")
    return "\n".join(lines)


def file_name(row: MessageRow) -> str:
    """Of the attached sound."""
    digits = re.sub(r"[^0-9]", "", row.caller_number or "")
    return f"voicemail-{row.at:%Y%m%d-%H%M%S}{'-' + digits if digits else ''}.wav"


def _facts(row: MessageRow, snapshot: Snapshot, language: str) -> Sequence[str]:
    t = partial(translate, language)
    return [
        t(N_("Voicemail of {who}"), who=one_line(row.owner_title)),
        *([t(N_("Number called: {number}"), number=format_phone(row.dialled))] if row.dialled else []),
        t(N_("Time: {at}"), at=format_datetime(language, row.at, snapshot.account.timezone, "medium")),
        t(N_("Length: {length}"), length=format_duration(row.seconds)),
    ]
