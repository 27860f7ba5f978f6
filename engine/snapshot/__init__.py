# SPDX-License-Identifier: Apache-2.0
"""An account's configuration as an immutable object graph, asked by calls, rehearsals, directory and hosts."""

from engine.snapshot.branch import Branch, Membership
from engine.snapshot.codes import CodesPart, Feature
from engine.snapshot.core import EXTENSION, Account, Contact, CorePart, Did, SipAccount, Trunk, User, UserRole
from engine.snapshot.element import (
    Attached,
    Condition,
    Element,
    Finding,
    IdOf,
    Part,
    Ref,
    Sound,
    SoundElement,
    Target,
    To,
    Verdict,
    as_findings,
)
from engine.snapshot.mailbox import NOTICES, Alerted, Notice, Noticed
from engine.snapshot.snapshot import Snapshot, Use, references

__all__ = [
    "EXTENSION",
    "NOTICES",
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
    "IdOf",
    "Membership",
    "Notice",
    "Noticed",
    "Part",
    "Ref",
    "SipAccount",
    "Snapshot",
    "Sound",
    "SoundElement",
    "Target",
    "To",
    "Trunk",
    "Use",
    "User",
    "UserRole",
    "Verdict",
    "as_findings",
    "references",
]
