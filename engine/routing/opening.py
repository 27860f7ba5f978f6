# SPDX-License-Identifier: Apache-2.0
"""Whether an element takes the call now: it is active, and inside its hours (GRP-9, R2, R6). The one place where this is decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from engine.calls.call import Call, Step
from engine.snapshot import Branch, User

Shut: TypeAlias = Literal["inactive", "closed"]


def shut(call: Call, element: Branch | User) -> Shut | None:
    """Why it takes no call, said in the trace; None when it does. The PBX itself is always open (PBX-1)."""
    why = closed_because(call, element)
    if not why:
        return None
    call.note(Step("closed", {"title": element.title, **why}, element.ref))
    return "closed" if element.active else "inactive"


def unrung_because(call: Call, user: User) -> Mapping[str, str]:
    """Why no phone of his is even tried now, as facts of a step, nothing noted; empty when his contacts are."""
    return closed_because(call, user) or ({} if user.contacts else {"why": "no_contacts"})


def closed_because(call: Call, element: Branch | User) -> Mapping[str, str]:
    """The same as facts of a step, nothing noted; empty when it is open."""
    if isinstance(element, Branch) and element.parent is None:
        return {}
    if not element.active:
        return {"why": "inactive"}
    verdict = call.snapshot.verdict(element.schedule, call.now, call.caller.number)
    return {} if verdict.holds else verdict.told
