# SPDX-License-Identifier: Apache-2.0
"""The one door for every change of configuration, its history, and the present snapshots. Used by the runtime, hosts and plugins."""

from engine.revisions.actor import Actor, Channel
from engine.revisions.clash import Both, Clash
from engine.revisions.core_store import CoreStore
from engine.revisions.diff import Change, FieldChange, differences
from engine.revisions.history import Revised
from engine.revisions.refs import ref_columns, ref_of
from engine.revisions.revisions import TOPIC, Edit, Revisions
from engine.revisions.words import Line, Speaker, Told

__all__ = [
    "TOPIC",
    "Actor",
    "Both",
    "Change",
    "Channel",
    "Clash",
    "CoreStore",
    "Edit",
    "FieldChange",
    "Line",
    "Revised",
    "Revisions",
    "Speaker",
    "Told",
    "differences",
    "ref_columns",
    "ref_of",
]
