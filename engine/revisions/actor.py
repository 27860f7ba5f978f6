# SPDX-License-Identifier: Apache-2.0
"""Who changes a configuration, and by which door; stands in every revision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Channel: TypeAlias = Literal["web", "bot", "api", "cli", "system"]


@dataclass(frozen=True, slots=True)
class Actor:
    """`user_id` is None for the command line and the system itself."""

    user_id: int | None
    name: str
    channel: Channel
