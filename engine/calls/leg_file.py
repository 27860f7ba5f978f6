# SPDX-License-Identifier: Apache-2.0
"""The switch's own file of ended legs (mod_cdr_csv): how a leg ended that nobody listened to."""

from __future__ import annotations

import csv
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from engine.esl.event import moment

COLUMNS = 16
FAX_COLUMNS = COLUMNS + 2
"""FreeSWITCH's, which takes faxes."""
TAIL_BYTES = 8 * 1024 * 1024
"""How far back a restart looks; an engine that was away for longer closes its legs with ENGINE_LOST."""


@dataclass(frozen=True, slots=True)
class EndedLeg:
    uuid: str
    cause: str
    ended_at: datetime | None
    answered_at: datetime | None
    fax_pages: int | None = None
    """Whole pages of a fax that came in by the leg; None: there was none."""
    fax_complete: bool = False


def read(path: Path, wanted: Collection[str]) -> dict[str, EndedLeg]:
    """The legs among `wanted` that the file knows; nothing when it does not exist. Broken lines are passed over."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return {}
    found = {}
    for row in csv.reader(text.splitlines()):
        if len(row) in (COLUMNS, FAX_COLUMNS) and row[0] in wanted:
            pages, complete = row[COLUMNS:] or ("", "")
            found[row[0]] = EndedLeg(
                row[0], row[11], _time(row[10]), _time(row[8]),
                int(pages) if pages.isdigit() else None, complete == "1",
            )  # fmt: skip
    return found


def _time(text: str) -> datetime | None:
    return moment(int(text)) if text.isdigit() else None
