# SPDX-License-Identifier: Apache-2.0
"""What a missed call reads like: the lines of a notice, as a Telegram card and as an e-mail. Pure; times in the account's zone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from html import escape

from engine.sdk import N_, CallEnded, Snapshot, format_datetime, format_duration, format_phone, format_time, translate
from plugins.notifications.models import Claim
from plugins.notifications.service import failed_titles

WHY = {
    "": N_("Nobody answered"),
    "no_answer": N_("Nobody answered"),
    "left": N_("The caller hung up while waiting"),
    "menu": N_("The caller left in the menu"),
    "closed": N_("Outside working hours"),
    "voicemail": N_("The caller left a voice message"),
    "callback": N_("The caller asked to be called back"),
}
TITLE_LIMIT = 80
GROUPS_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Notice:
    """The variables of a notice, in the reader's language."""

    company: str
    caller: str
    caller_name: str
    dialled: str
    groups: str
    at: str
    waited: str
    why: str


@dataclass(frozen=True, slots=True)
class Mail:
    subject: str
    text: str
    html: str


def notice(ended: CallEnded, snapshot: Snapshot, language: str) -> Notice:
    account = snapshot.account
    return Notice(
        company=_line(account.title),
        caller=format_phone(ended.caller_number) or translate(language, N_("Number withheld")),
        caller_name=_line(ended.caller_name),
        dialled=format_phone(ended.dialled),
        groups=_line(", ".join(failed_titles(ended, snapshot)), GROUPS_LIMIT),
        at=format_datetime(language, ended.started_at, account.timezone, "medium"),
        waited=format_duration(ended.ended_at - ended.started_at),
        why=translate(language, WHY[ended.missed_why]),
    )


def _line(text: str, limit: int = TITLE_LIMIT) -> str:
    """One short line: names come from outside and could carry line breaks into a mail's head."""
    flat = re.sub(r"[\s\x00-\x1f\x7f]+", " ", text).strip()
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def card(ended: CallEnded, snapshot: Snapshot, language: str, claim: Claim | None) -> str:
    """The Telegram card, HTML."""
    t, it = partial(translate, language), notice(ended, snapshot, language)
    name = f" · {escape(it.caller_name)}" if it.caller_name else ""
    title = t(N_("Missed call"))
    lines = [f"<b>{escape(title)}</b>", f"<b>{escape(it.caller)}</b>{name}", escape(it.why)]
    lines += [escape(line) for line in _facts(it, language)]
    if claim is not None:
        at = format_time(language, claim.at, snapshot.account.timezone)
        lines.append(escape(t(N_("Taken by {user} at {at}"), user=_line(claim.user_title), at=at)))
    return "\n".join(lines)


def mail(ended: CallEnded, snapshot: Snapshot, language: str) -> Mail:
    """The e-mail in plain text and HTML."""
    t, it = partial(translate, language), notice(ended, snapshot, language)
    who = f"{it.caller} ({it.caller_name})" if it.caller_name else it.caller
    subject = t(N_("Missed call: {caller}"), caller=who)
    lines: Sequence[str] = (*_facts(it, language), t(N_("Company: {company}"), company=it.company))
    text = "\n".join([subject, f"{it.why}.", "", *lines, ""])
    rows = "".join(f"<p style=\"margin:0.2em 0\">{escape(line)}</p>" for line in lines)
    html = f"<html><body><h3>{escape(subject)}</h3><p>{escape(it.why)}.</p>{rows}</body></html>"
    return Mail(subject, text, html)


def _facts(it: Notice, language: str) -> list[str]:
    t = partial(translate, language)
    return [
        *([t(N_("Number called: {number}"), number=it.dialled)] if it.dialled else []),
        *([t(N_("Group: {groups}"), groups=it.groups)] if it.groups else []),
        t(N_("Time: {at}"), at=it.at),
        t(N_("Waited: {waited}"), waited=it.waited),
    ]
