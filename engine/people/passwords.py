# SPDX-License-Identifier: Apache-2.0
"""Passwords of the cabinet (argon2) and of phones: made, hashed, verified; used by the services here, hosts and command line."""

from __future__ import annotations

import secrets
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from engine.errors import Problem
from engine.heavy import heavily
from engine.i18n import N_

SHORTEST: Final = 8
LONGEST: Final = 128
_HASHER: Final = PasswordHasher()
_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without letters that are taken for one another when typed from paper."""
_NOBODY: Final = _HASHER.hash(secrets.token_hex(8))


def random_password(length: int = 14) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def check_password(field: str, password: str, login: str = "") -> None:
    """Raise Problem when a chosen password is too weak to keep."""
    if len(password) < SHORTEST:
        raise Problem(field, N_("At least {count} characters."), count=SHORTEST)
    if len(password) > LONGEST:
        raise Problem(field, N_("At most {count} characters."), count=LONGEST)
    if len(set(password)) < 4 or (login and password.casefold() == login.casefold()):
        raise Problem(field, N_("This password is too easy to guess."))


async def hash_password(password: str) -> str:
    return await heavily(_HASHER.hash, password)


async def verify_password(kept: str | None, password: str) -> bool:
    """Whether the password fits. Without a kept hash it takes the same time, so that nobody learns which logins exist."""
    try:
        return await heavily(_HASHER.verify, kept or _NOBODY, password) and kept is not None
    except (VerifyMismatchError, InvalidHashError):
        return False
