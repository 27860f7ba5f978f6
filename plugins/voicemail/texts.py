# SPDX-License-Identifier: Apache-2.0
"""What the notice of a new message reads like, as an e-mail and under the voice in Telegram. Pure; times in the account's zone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from html import escape
from typing import Final

from engine.sdk import (
    N_,
    Letter,
    LetterKind,
    Snapshot,
    caller_words,
    clock,
    format_datetime,
    format_duration,
    format_phone,
    one_line,
    translate,
)
from plugins.voicemail.models import MessageRow

CAPTION_TRANSCRIPT_LIMIT = 600
"""Telegram takes 1,024 characters below a voice message."""

VARIABLES: Final[Mapping[str, str]] = {
    "caller": N_("The caller’s number and name"),
    "number": N_("The caller’s number"),
    "name": N_("The caller’s name"),
    "owner": N_("The user or group the message is for"),
    "dialled": N_("The number called"),
    "at": N_("Date and time"),
    "length": N_("Length of the message"),
    "transcript": N_("What was said, where speech is recognised"),
    "where": N_("Whether the message is attached or in the cabinet"),
    "company": N_("Name of the PBX"),
}


def values(row: MessageRow, snapshot: Snapshot, language: str, *, attached: bool) -> dict[str, str]:
    t = partial(translate, language)
    return {
        "caller": caller_words(language, row.caller_number, row.caller_name),
        "number": caller_words(language, row.caller_number, ""),
        "name": one_line(row.caller_name),
        "owner": one_line(row.owner_title),
        "dialled": format_phone(row.dialled) if row.dialled else "",
        "at": format_datetime(language, row.at, snapshot.account.timezone, "medium"),
        "length": format_duration(row.seconds),
        "transcript": row.transcript,
        "where": t(N_("The message is attached.")) if attached else t(N_("The message can be heard in the cabinet, under “Voicemail”.")),
        "company": one_line(snapshot.account.title),
    }


def standard(it: Mapping[str, str], language: str) -> Letter:
    t = partial(translate, language)
    lines = [*_facts(it, language), t(N_("Company: {company}"), company=it["company"])]
    if it["transcript"]:
        lines.append(t(N_("Transcript: {text}"), text=it["transcript"]))
    return Letter.of(t(N_("New voice message from {caller}"), caller=it["caller"]), lines, it["where"])


def example(snapshot: Snapshot, language: str) -> dict[str, str]:
    t = partial(translate, language)
    row = MessageRow(
        owner_title=snapshot.account.title, caller_number="+79271234567", caller_name=t(N_("Ivanov")), at=clock.now(),
        dialled=snapshot.core.dids[0].number if snapshot.core.dids else "", seconds=42.0, transcript=t(N_("Please call back.")),
    )  # fmt: skip
    return values(row, snapshot, language, attached=True)


LETTER: Final = LetterKind("voicemail.message", N_("New voice message"), VARIABLES, standard, example)


def mail(row: MessageRow, snapshot: Snapshot, language: str, *, attached: bool) -> Letter:
    return LETTER.letter(snapshot, values(row, snapshot, language, attached=attached), language)


def caption(row: MessageRow, snapshot: Snapshot, language: str) -> str:
    """Below the voice message in Telegram, HTML."""
    it = values(row, snapshot, language, attached=True)
    title = translate(language, N_("New voice message from {caller}"), caller=it["caller"])
    lines = [f"<b>{escape(title)}</b>", *(escape(line) for line in _facts(it, language))]
    if row.transcript:
        lines.append(f"<i>{escape(one_line(row.transcript, CAPTION_TRANSCRIPT_LIMIT))}</i>")
    return "\n".join(lines)


def file_name(row: MessageRow) -> str:
    """Of the attached sound."""
    digits = re.sub(r"[^0-9]", "", row.caller_number or "")
    return f"voicemail-{row.at:%Y%m%d-%H%M%S}{'-' + digits if digits else ''}.wav"


def _facts(it: Mapping[str, str], language: str) -> list[str]:
    t = partial(translate, language)
    return [
        t(N_("Voicemail of {who}"), who=it["owner"]),
        *([t(N_("Number called: {number}"), number=it["dialled"])] if it["dialled"] else []),
        t(N_("Time: {at}"), at=it["at"]),
        t(N_("Length: {length}"), length=it["length"]),
    ]
