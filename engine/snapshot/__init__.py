# SPDX-License-Identifier: Apache-2.0
"""An account's configuration as an immutable object graph, asked by calls, rehearsals, directory and hosts."""

from engine.snapshot.core import Account, Contact, CorePart, Did, SipAccount, Trunk, User, UserRole
from engine.snapshot.element import (
    Alerted,
    Attached,
    Branch,
    CodesPart,
    Condition,
    Element,
    Feature,
    Finding,
    Part,
    Ref,
    Sound,
    SoundElement,
    Target,
    To,
    Verdict,
)
from engine.snapshot.snapshot import Snapshot, references

__all__ = [
    "Account",
    "Alerted",
    "Attached",
    "Branch",
    "CodesPart",
    "Condition",
    "Contact",
    "CorePart",
    "Did",
    "Element",
    "Feature",
    "Finding",
    "Part",
    "Ref",
    "SipAccount",
    "Snapshot",
    "Sound",
    "SoundElement",
    "Target",
    "To",
    "Trunk",
    "User",
    "UserRole",
    "Verdict",
    "references",
]
