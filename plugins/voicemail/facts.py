# SPDX-License-Identifier: Apache-2.0
"""The facts that a caller has left a voice message, and that what he left is none."""

from __future__ import annotations

from typing import ClassVar, Literal

from engine.sdk import Fact, Ref


class MessageLeft(Fact, frozen=True, kw_only=True):
    """`at`: when it began. The sound lies at `path` below the media root. The call is missed, but not without a word (R1)."""

    kind: ClassVar[str] = "voicemail.message_left"
    missed_as: ClassVar[Literal["", "voicemail", "callback"]] = "voicemail"
    owner: Ref
    """A user or a group."""
    caller_number: str | None = None
    caller_name: str = ""
    dialled: str = ""
    path: str
    seconds: float


class MessageDropped(Fact, frozen=True, kw_only=True):
    """Nothing was said: the sound at `path` is not wanted."""

    kind: ClassVar[str] = "voicemail.message_dropped"
    path: str
