# SPDX-License-Identifier: Apache-2.0
"""«Проверка настроек»: what is wrong with the settings, and which of the last calls go elsewhere now than with an older revision."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web as http

from engine.sdk import N_, Page, hours_words
from web.checking import Report, Work
from web.pages.history import brief_of
from web.trying import Moved, moved
from web.visit import Visit

PATIENCE: Final = 0.8
"""Seconds a visitor waits for the report before he is shown how far it has come."""
REVISIONS: Final = 50
SEVERITIES: Final[Mapping[str, tuple[str, str]]] = {
    "error": ("bad", N_("Error")), "warning": ("warn", N_("Warning")), "hint": ("", N_("Hint")),
}  # fmt: skip
"""Tone and name."""


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    tone: str
    url: str
    label: str


async def check(visit: Visit) -> http.Response:
    since = _since(visit)
    found = await visit.host.checks.report(visit.account_id, since, PATIENCE)
    work, report = (found, None) if isinstance(found, Work) else (None, found)
    revisions = await visit.ctx.journal(visit.account_id, REVISIONS, visit.snapshot.revision) if report else []
    older = [(r.row.number, r.row.at, r.row.actor_name, brief(brief_of(visit, r))) for r in revisions]
    return visit.render(
        "shell/check.html", since=since, revisions=older, work=work, report=report,
        lines=lines(visit, report) if report else [], moved=_moved(visit, report) if report else [],
    )  # fmt: skip


async def again(visit: Visit) -> http.Response:
    """Forget what was found: calls have come in since, hours have passed."""
    visit.host.checks.forget(visit.account_id)
    return visit.go(visit.url("check", since=_since(visit) or None))


async def trial(visit: Visit) -> http.Response:
    """How far “Check before saving” of this session has come; both 0 when none is at work."""
    done, count = visit.host.trials.get(visit.session and visit.session.id, (0, 0))
    return http.json_response({"done": done, "count": count})


def brief(summary: str, most: int = 80) -> str:
    """As much of what a revision changed as fits a line, in whole pieces."""
    told = ""
    for piece in re.split(r"(; )", summary):
        if told and len(told) + len(piece) > most:
            return f"{told.rstrip(' ;')} …"
        told += piece
    return told


def _since(visit: Visit) -> int:
    """The revision to compare with; 0: none. What means nothing is ignored, so that an old bookmark still works."""
    text = visit.query.get("since", "") or visit.text("since")
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    return number if 0 < number < visit.snapshot.revision else 0


def lines(visit: Visit, report: Report) -> list[Line]:
    """Errors first, hints last."""
    told = [(f.severity, visit.t(f.message, **f.params), f.where) for f in report.checked.findings]
    told += [("warning", hours_words(visit.language, u, visit.zone), u.did.ref) for u in report.checked.unserved]
    kinds = list(SEVERITIES)
    told.sort(key=lambda one: kinds.index(one[0]))
    return [Line(text, SEVERITIES[kind][0], visit.url_of(where), visit.t(SEVERITIES[kind][1])) for kind, text, where in told]


def _moved(visit: Visit, report: Report) -> list[Moved]:
    if report.replay is None or report.before is None:
        return []
    return moved(visit, report.before, report.snapshot, report.replay.examples)


PAGES = (
    Page("GET", "/check", check, "manager", name="check", menu=N_("Check of settings"), menu_section="service", icon="check"),
    Page("POST", "/check", again, "manager"),
    Page("GET", "/check/trial", trial, "user", name="check.trial"),
)
