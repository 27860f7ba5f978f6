# SPDX-License-Identifier: Apache-2.0
"""Calls without a switch: for “what would happen”, for plugin authors' tests, for checks before a save."""

from engine.errors import GoesRound, WaitsForEver
from engine.rehearsal.front_door import NotAdmitted, Rehearsed, calling, rehearse_call
from engine.rehearsal.question import Question, read_answers, read_caller, read_keys, read_moment
from engine.rehearsal.rehearsed import RehearsedCall
from engine.rehearsal.script import Budget, Script, Typed
from engine.rehearsal.service import Rehearsal, at_once, beside, rehearse

__all__ = [
    "Budget",
    "GoesRound",
    "NotAdmitted",
    "Question",
    "Rehearsal",
    "Rehearsed",
    "RehearsedCall",
    "Script",
    "Typed",
    "WaitsForEver",
    "at_once",
    "beside",
    "calling",
    "read_answers",
    "read_caller",
    "read_keys",
    "read_moment",
    "rehearse",
    "rehearse_call",
]
