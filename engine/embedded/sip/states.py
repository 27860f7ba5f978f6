# SPDX-License-Identifier: Apache-2.0
"""States and directions of a call, for everything that looks at one."""

from __future__ import annotations

import enum


class CallState(enum.Enum):
    TRYING = "trying"  # INVITE sent or received, nothing further
    EARLY = "early"  # 18x sent or received
    ANSWERED = "answered"  # inbound: our 200 is out, the ACK is missing
    CONFIRMED = "confirmed"
    ENDED = "ended"  # for the core; the last messages may still be under way


class CallDirection(enum.Enum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"
