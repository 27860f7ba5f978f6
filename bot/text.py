# SPDX-License-Identifier: Apache-2.0
"""Long answers within Telegram's 4096 characters; used by the host and by plugins."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

TEXT_LIMIT: Final = 4096


def fit(lines: Iterable[str]) -> str:
    """Lines of HTML, each whole in itself, as one text; what would be too much is replaced by an ellipsis.

    Telegram counts UTF-16 units after its entities are read, so this is on the safe side.
    """
    taken: list[str] = []
    room = TEXT_LIMIT - 2
    for line in lines:
        room -= len(line.encode("utf-16-le")) // 2 + 1
        if room < 0:
            return "\n".join([*taken, "…"])
        taken.append(line)
    return "\n".join(taken)
