# SPDX-License-Identifier: Apache-2.0
"""A finished call as plain data: what the call code hands to the spool and the writer turns into rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from engine.snapshot.element import Ref


class TraceStep(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the trace; `at` = milliseconds since the call's start, `target` = a Ref as text."""

    at: int
    what: str
    facts: dict[str, str | int | float | bool | None] = {}
    target: str | None = None


class LegData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One leg as it is now; a later one with the same uuid replaces it."""

    uuid: str
    label: str = ""
    user: int | None = None
    contact: int | None = None
    trunk: int | None = None
    reason: str
    """engine.calls.LegReason"""
    group: Ref | None = None
    direction: str = "out"
    """in: the party called us; out: we dialled it."""
    started_at: datetime
    answered_at: datetime | None = None
    ended_at: datetime | None = None
    cause: str = ""


class RecordingData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`path` is relative to the media root."""

    path: str
    seconds: float = 0.0
    user: int | None = None
    group: Ref | None = None


class CallRecordData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The whole call at its true end: CDR, legs, recordings, trace. Times are aware UTC."""

    account: int
    call_id: str
    started_at: datetime
    answered_at: datetime | None = None
    ended_at: datetime
    direction: str
    """in | out | internal"""
    caller_number: str | None = None
    caller_name: str = ""
    dialled: str = ""
    did: str | None = None
    user: int | None = None
    user_title: str = ""
    group: Ref | None = None
    group_title: str | None = None
    cause: str = ""
    talk_seconds: int = 0
    wait_seconds: int = 0
    missed: bool = False
    missed_why: str = ""
    talked: bool = False
    trace: tuple[TraceStep, ...] = ()
    revision: int = 0
    legs: tuple[LegData, ...] = ()
    recordings: tuple[RecordingData, ...] = ()


# lines of the spool ---------------------------------------------------------------------------------------------------


class Opened(msgspec.Struct, frozen=True, tag="open", tag_field="t"):
    call: str
    account: int
    at: datetime
    state: dict[str, Any]


class Noted(msgspec.Struct, frozen=True, tag="note", tag_field="t"):
    """Changes of the call's state, merged into it."""

    call: str
    state: dict[str, Any]


class Stepped(msgspec.Struct, frozen=True, tag="step", tag_field="t"):
    call: str
    step: TraceStep


class Legged(msgspec.Struct, frozen=True, tag="leg", tag_field="t"):
    call: str
    leg: LegData


class Stated(msgspec.Struct, frozen=True, tag="fact", tag_field="t"):
    """`data` is engine.facts.encode(fact); (call, seq) is unique for ever."""

    call: str
    seq: int
    data: dict[str, Any]


class Closed(msgspec.Struct, frozen=True, tag="end", tag_field="t"):
    """The call's end with the facts that belong to it: written in one transaction."""

    call: str
    record: CallRecordData
    facts: tuple[Stated, ...] = ()


Line = Opened | Noted | Stepped | Legged | Stated | Closed
