# SPDX-License-Identifier: Apache-2.0
"""Forbidden prefixes as people type them (RST-1): of a user, a group, the PBX, and for calls to clients."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from engine.errors import Problem
from engine.i18n import N_

_PREFIX: Final = re.compile(r"\+?[0-9]{1,15}")


def prefix_problems(field: str, prefixes: Iterable[str]) -> list[Problem]:
    """What is wrong with them, for the form's field."""
    if all(_PREFIX.fullmatch(prefix) for prefix in prefixes):
        return []
    return [Problem(field, N_("A prefix is the first digits of a number, one per line."))]
