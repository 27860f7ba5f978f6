# SPDX-License-Identifier: Apache-2.0
"""Whether an element takes the call now: it is active, and inside its hours (GRP-9, R2, R6). The one place where this is decided."""

from __future__ import annotations

from typing import Literal, TypeAlias

from engine.calls.call import Call, Step
from engine.snapshot import Branch, User

Shut: TypeAlias = Literal["inactive", "closed"]


def shut(call: Call, element: Branch | User) -> Shut | None:
    """Why it takes no call, said in the trace; None when it does. The PBX itself is always open (PBX-1)."""
    if (why := closed_because(call, element)) is None:
        return None
    call.note(Step("closed", {"title": element.title, "why": why}, element.ref))
    return "inactive" if why == "inactive" else "closed"


def closed_because(call: Call, element: Branch | User) -> str | None:
    """The same as a word of the trace, nothing noted."""
    if isinstance(element, Branch) and element.parent is None:
        return None
    if not element.active:
        return "inactive"
    verdict = call.snapshot.verdict(element.schedule, call.now, call.caller.number)
    return None if verdict.holds else verdict.reason or "outside_hours"
