# SPDX-License-Identifier: Apache-2.0
"""Who speaks to the bot: the cabinet user a chat or person is linked to, with his rights and language; made for every update."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.sdk import Forbidden, Role, translate

RANKS: Final[dict[Role, int]] = {"anyone": 0, "user": 1, "manager": 2, "admin": 3}


@dataclass(frozen=True, slots=True)
class Member:
    """`personal`: the person himself is linked. In a linked group the others act with the group's rights and not as an employee."""

    account_id: int
    user_id: int
    title: str
    role: Role
    language: str
    timezone: str
    personal: bool
    chat_id: int

    def may(self, role: Role) -> bool:
        """ACC-4: user < manager < admin."""
        return RANKS[self.role] >= RANKS[role]

    def require(self, role: Role) -> None:
        """Raises Forbidden when the role lacks the right."""
        if not self.may(role):
            raise Forbidden

    def t(self, message: str, /, **params: object) -> str:
        return translate(self.language, message, **params)


def capped(role: Role) -> Role:
    """What a linked group may do at most: whoever is in the chat speaks with this right, so never an administrator's."""
    return "manager" if RANKS[role] > RANKS["manager"] else role
