# SPDX-License-Identifier: Apache-2.0
"""Buttons under messages; used by the host and by plugins."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

DATA_LIMIT: Final = 64
"""Bytes of callback data that Telegram takes."""


@dataclass(frozen=True, slots=True)
class Button:
    """Either `data` ("<prefix>:<argument>", the prefix listed in a BotCommand's `callbacks`) or a link."""

    text: str
    data: str = ""
    url: str = ""


Rows: TypeAlias = Iterable[Sequence[Button]]
