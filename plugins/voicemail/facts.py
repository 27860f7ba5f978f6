# SPDX-License-Identifier: Apache-2.0
"""The fact that a caller has left a voice message."""

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
