# SPDX-License-Identifier: Apache-2.0
"""What people may type where e-mail addresses are asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable

from engine.errors import Problem
from engine.i18n import N_

_EMAIL = re.compile(r"[^@\s;,<>\"]+@[^@\s;,<>\"]+\.[^@\s;,<>\"]+")


def address_problems(field: str, addresses: Iterable[str]) -> list[Problem]:
    """What is wrong with the addresses of a field."""
    return [
        Problem(field, N_("“{address}” is not an e-mail address."), address=address)
        for address in addresses if not _EMAIL.fullmatch(address)
    ]  # fmt: skip
