# SPDX-License-Identifier: Apache-2.0
"""The fact that a client wants to be called back; a task is made of it whenever the database is there (R24)."""

from __future__ import annotations

from typing import ClassVar

from engine.sdk import Fact, Ref
from plugins.callback.part import First


class CallBackRequested(Fact, frozen=True, kw_only=True):
    """With the settings of that moment. A call on which it was stated is missed as “CallBack requested” (R1)."""

    kind: ClassVar[str] = "callback.requested"
    missed_as: ClassVar = "callback"
    number: str
    did: str = ""
    target: Ref
    """The user or group."""
    first: First
    attempts: int
    pause_seconds: int
    delay_seconds: int
