# SPDX-License-Identifier: Apache-2.0
"""CallBack in the snapshot (CB-1): how the clients of a user or group are called back, kept beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final, Literal, TypeAlias

from msgspec import Meta

from engine.sdk import N_, Attached, Part, Ref, Snapshot, SoundElement, To, User
from plugins.groups.api import Group

First: TypeAlias = Literal["employee", "client"]
"""«Звонить сначала сотруднику», «Звонить сначала клиенту»."""
FIRST: Final[Mapping[First, str]] = {"employee": N_("Call the employee first"), "client": N_("Call the client first")}

OWNERS: Final = {"callback.user": User.kind, "callback.group": Group.kind}
"""Whose CallBack a target is: the kind of the action and that of the element, which has the same id."""


class CallBackSettings(Attached, frozen=True, kw_only=True):
    kind: ClassVar[str] = "callback.settings"
    noun: ClassVar[str] = N_("CallBack")
    title: str = "CallBack"
    first: Annotated[First, Meta(title="Type", extra={"words": FIRST})] = "employee"
    attempts: Annotated[int, Meta(title="Number of attempts")] = 3
    pause_seconds: Annotated[int, Meta(title="Pause between attempts")] = 300
    delay_seconds: Annotated[int, Meta(title="Timeout before the call")] = 10
    phrase: Annotated[Ref | None, To(SoundElement), Meta(title="Final phrase to the client")] = None


class CallBackPart(Part, frozen=True, kw_only=True):
    places: ClassVar[Mapping[str, str]] = OWNERS
    settings: tuple[CallBackSettings, ...] = ()


def owner_of(target: Ref) -> Ref:
    """The user or group that a target of this plugin's actions names."""
    return Ref(OWNERS[target.kind], target.id)


def settings_of(snapshot: Snapshot, owner: Ref) -> CallBackSettings:
    """Of a user or group; what holds where nothing is set has id 0."""
    return snapshot.attached(owner, CallBackSettings) or CallBackSettings(id=0, parent=owner)
