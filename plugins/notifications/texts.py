# SPDX-License-Identifier: Apache-2.0
"""What a missed call reads like: the lines of a notice, as a Telegram card and as an e-mail. Pure; times in the account's zone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from html import escape
from typing import Final

from engine.sdk import (
    N_,
    CallEnded,
    Letter,
    LetterKind,
    Snapshot,
    caller_words,
    clock,
    format_datetime,
    format_duration,
    format_phone,
    format_time,
    one_line,
    translate,
)
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
GROUPS_LIMIT = 500

VARIABLES: Final[Mapping[str, str]] = {
    "caller": N_("The caller’s number and name"),
    "number": N_("The caller’s number"),
    "name": N_("The caller’s name"),
    "why": N_("Why nobody talked with the caller"),
    "dialled": N_("The number called"),
    "groups": N_("Groups that did not answer"),
    "at": N_("Date and time"),
    "waited": N_("How long the caller waited"),
    "company": N_("Name of the PBX"),
}


def values(ended: CallEnded, snapshot: Snapshot, language: str) -> dict[str, str]:
    """The variables of a notice, in the reader's language."""
    return {
        "caller": caller_words(language, ended.caller_number, ended.caller_name),
        "number": caller_words(language, ended.caller_number, ""),
        "name": one_line(ended.caller_name),
        "why": translate(language, WHY[ended.missed_why]),
        "dialled": format_phone(ended.dialled),
        "groups": one_line(", ".join(failed_titles(ended, snapshot)), GROUPS_LIMIT),
        "at": format_datetime(language, ended.started_at, snapshot.account.timezone, "medium"),
        "waited": format_duration(ended.ended_at - ended.started_at),
        "company": one_line(snapshot.account.title),
    }


def card(ended: CallEnded, snapshot: Snapshot, language: str, claim: Claim | None) -> str:
    """The Telegram card, HTML."""
    t, it = partial(translate, language), values(ended, snapshot, language)
    name = f" · {escape(it['name'])}" if it["name"] else ""
    title = t(N_("Missed call"))
    lines = [f"<b>{escape(title)}</b>", f"<b>{escape(it['number'])}</b>{name}", escape(it["why"])]
    lines += [escape(line) for line in _facts(it, language)]
    if claim is not None:
        at = format_time(language, claim.at, snapshot.account.timezone)
        lines.append(escape(t(N_("Taken by {user} at {at}"), user=one_line(claim.user_title), at=at)))
    return "\n".join(lines)


def standard(it: Mapping[str, str], language: str) -> Letter:
    t = partial(translate, language)
    lines = [f"{it['why']}.", *_facts(it, language), t(N_("Company: {company}"), company=it["company"])]
    return Letter.of(t(N_("Missed call: {caller}"), caller=it["caller"]), lines)


def example(snapshot: Snapshot, language: str) -> dict[str, str]:
    root, now = snapshot.root, clock.now()
    ended = CallEnded(
        account=snapshot.account.id, call="", at=now, direction="in", caller_number="+79271234567",
        caller_name=translate(language, N_("Ivanov")), dialled=snapshot.core.dids[0].number if snapshot.core.dids else "",
        started_at=now - timedelta(seconds=25), ended_at=now, missed=True, failed_groups=(root.ref,) if root is not None else (),
    )  # fmt: skip
    return values(ended, snapshot, language)


LETTER: Final = LetterKind("notifications.missed", N_("Missed call"), VARIABLES, standard, example)


def mail(ended: CallEnded, snapshot: Snapshot, language: str) -> Letter:
    """The e-mail in plain text and HTML."""
    return LETTER.letter(snapshot, values(ended, snapshot, language), language)


def _facts(it: Mapping[str, str], language: str) -> list[str]:
    t = partial(translate, language)
    return [
        *([t(N_("Number called: {number}"), number=it["dialled"])] if it["dialled"] else []),
        *([t(N_("Group: {groups}"), groups=it["groups"])] if it["groups"] else []),
        t(N_("Time: {at}"), at=it["at"]),
        t(N_("Waited: {waited}"), waited=it["waited"]),
    ]
