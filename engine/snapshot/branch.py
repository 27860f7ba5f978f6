# SPDX-License-Identifier: Apache-2.0
"""The tree of an account: groups and menus, and the users in them."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from engine.snapshot.element import Condition, Element, IdOf, Ref, To


class Membership(msgspec.Struct, frozen=True):
    """A user in a group or menu; `priority`: lower is rung earlier; `place`: which of his groups it is, in the order of adding (R15)."""

    user: Annotated[int, IdOf("core.user", goes=True), Meta(title="User")]
    priority: Annotated[int, Meta(title="Priority", extra={"range": (1, 99)})] = 1
    place: Annotated[int, Meta(title="Order of adding")] = 0


class Branch(Element, frozen=True, kw_only=True):
    """An element of the tree that a call enters on its way down: a group or a menu (R3)."""

    priority: Annotated[int, Meta(title="Priority")] = 1
    """Among its siblings; lower = earlier (GRP-4)."""
    active: Annotated[bool, Meta(title="Active")] = True
    extension: Annotated[str | None, Meta(title="Extension")] = None
    schedule: Annotated[Ref | None, To(Condition), Meta(title="Schedule")] = None
    recording: Annotated[bool, Meta(title="Call recording")] = False
    outbound: Annotated[Ref | None, To("core.did"), Meta(title="Outbound number")] = None
    """The number shown on outgoing calls of its users; unset = the parent's (GRP-2)."""

    forbidden_prefixes: Annotated[tuple[str, ...], Meta(title="Forbidden prefixes")] = ()
    """First digits of numbers that its users may not call, nor those of groups inside it (RST-1); of the root: the PBX's own."""

    members: Annotated[tuple[Membership, ...], Meta(title="Users")] = ()

    left_as: ClassVar[Literal["left", "menu"]] = "left"
    """Why nobody talked when the caller hung up in it: waiting for somebody, or choosing in a menu (R1)."""
    falls_back: ClassVar[bool] = False
    """Whether its kind has a no-answer action (GRP-8); the calls of one that has none go by the nearest parent's."""

    takes_back: ClassVar[bool] = False
    """Whether a caller who has heard a phrase that he chose in it comes back to it (R4)."""

    def fallback(self) -> Ref | None:
        """Its no-answer action; None when nothing is chosen."""
        return None

    def place_of(self, user: int) -> int | None:
        """Where it stands among the user's groups in the order of adding (R15), for what groups give to their members; None = none of his.

        A menu gives nothing to its users: it is none of theirs.
        """
        return None
