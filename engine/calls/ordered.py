# SPDX-License-Identifier: Apache-2.0
"""Why a call exists that nobody has dialled: what was ordered, in words that a restarted engine can go on by."""

from __future__ import annotations

from typing import Any

import msgspec


class Ordered(msgspec.Struct, frozen=True):
    """`kind` and `arguments` of the order as it was placed; routing knows what they mean."""

    kind: str
    arguments: dict[str, Any]
