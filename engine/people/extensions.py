# SPDX-License-Identifier: Apache-2.0
"""What pages say about an internal number that is allowed but doubtful (R17)."""

from __future__ import annotations

from typing import Final

from engine.i18n import N_

EMERGENCY_LIKE: Final = frozenset({"101", "102", "103", "104"})


def extension_warning(number: str | None) -> str:
    """A catalogue sentence, or ""."""
    if number in EMERGENCY_LIKE:
        return N_("Extensions 101–104 hide the emergency services of the same numbers from your phones.")
    return ""
