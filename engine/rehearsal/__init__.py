# SPDX-License-Identifier: Apache-2.0
"""Calls without a switch: for “what would happen”, for plugin authors' tests, for checks before a save."""

from engine.errors import GoesRound, WaitsForEver
from engine.rehearsal.findings import Checked, Unserved, check_settings, checking, new_findings, new_warnings
from engine.rehearsal.front_door import NotAdmitted, Rehearsed, as_installed, calling, rehearse_call
from engine.rehearsal.past import MOST_CALLS, PastCall, last_calls, past_call
from engine.rehearsal.precheck import Example, Replay, Way, precheck, prechecking
from engine.rehearsal.question import Question, react, read_answers, read_caller, read_keys, read_moment
from engine.rehearsal.rehearsed import RehearsedCall
from engine.rehearsal.script import Budget, Script, Typed
from engine.rehearsal.service import Rehearsal, at_once, beside, rehearse, rehearse_order

__all__ = [
    "MOST_CALLS",
    "Budget",
    "Checked",
    "Example",
    "GoesRound",
    "NotAdmitted",
    "PastCall",
    "Question",
    "Rehearsal",
    "Rehearsed",
    "RehearsedCall",
    "Replay",
    "Script",
    "Typed",
    "Unserved",
    "WaitsForEver",
    "Way",
    "as_installed",
    "at_once",
    "beside",
    "calling",
    "check_settings",
    "checking",
    "last_calls",
    "new_findings",
    "new_warnings",
    "past_call",
    "precheck",
    "prechecking",
    "react",
    "read_answers",
    "read_caller",
    "read_keys",
    "read_moment",
    "rehearse",
    "rehearse_call",
    "rehearse_order",
]
