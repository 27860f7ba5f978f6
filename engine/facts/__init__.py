# SPDX-License-Identifier: Apache-2.0
"""Durable public facts about calls: what webhooks, bot and statistics read."""

from engine.facts.ended import CallEnded
from engine.facts.fact import Fact, MissedWhy, decode, encode
from engine.facts.record import CallRecordData, LegData, RecordingData, TraceStep

__all__ = [
    "CallEnded",
    "CallRecordData",
    "Fact",
    "LegData",
    "MissedWhy",
    "RecordingData",
    "TraceStep",
    "decode",
    "encode",
]
