# SPDX-License-Identifier: Apache-2.0
"""Menus in the snapshot (IVR)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from engine.sdk import N_, Branch, Part, Ref, SoundElement, To


class MenuKey(msgspec.Struct, frozen=True):
    """What a key does: 0-9, *, #, T (timeout) or D (any other key) (IVR-3)."""

    key: Annotated[str, Meta(title="Key", extra={"key": True})]
    target: Annotated[Ref, Meta(title="Action")]


class Menu(Branch, frozen=True, kw_only=True):
    kind: ClassVar[str] = "ivr.menu"
    noun: ClassVar[str] = N_("IVR menu")
    by_title: ClassVar[bool] = True
    left_as: ClassVar[Literal["left", "menu"]] = "menu"
    takes_back: ClassVar[bool] = True
    greeting: Annotated[Ref | None, To(SoundElement), Meta(title="Greeting file")] = None
    file: Annotated[Ref | None, To(SoundElement), Meta(title="Menu file")] = None
    timeout_seconds: Annotated[int, Meta(title="Timeout, seconds")] = 5
    digit_gap_seconds: Annotated[int, Meta(title="Time between digits, seconds")] = 2
    keys: Annotated[tuple[MenuKey, ...], Meta(title="Keys", extra={"unordered": True})] = ()


class IvrPart(Part, frozen=True, kw_only=True):
    menus: tuple[Menu, ...] = ()
