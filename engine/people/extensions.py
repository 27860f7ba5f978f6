# SPDX-License-Identifier: Apache-2.0
"""What pages say about an internal number that is allowed but doubtful (R17)."""

from __future__ import annotations

from engine.i18n import N_
from engine.numbering import is_emergency
from engine.snapshot.rows import extension_problem


def extension_warning(number: str | None) -> str:
    """A catalogue sentence, or ""."""
    if number is not None and is_emergency(number) and not extension_problem(number):
        return N_("Extensions 101–104 hide the emergency services of the same numbers from your phones.")
    return ""
