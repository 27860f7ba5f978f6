# SPDX-License-Identifier: Apache-2.0
"""What the engine writes on the channel of each leg: whose it is, for an engine that comes after this one; how the switch treats it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from engine.calls.call import Leg
from engine.calls.codes import DIALLED
from engine.calls.surroundings import Surroundings
from engine.snapshot import Snapshot

if TYPE_CHECKING:
    from engine.calls.live import LiveCall


def marks(node: Surroundings, call: LiveCall, leg: Leg, role: Literal["a", "b"]) -> dict[str, str]:
    """Channel variables. "a": the leg is served; "b": it is rung."""
    account = call.snapshot.account
    music = call.snapshot.sound(account.hold_music)  # what whoever this leg holds hears (PBX-3); without it the switch's own music
    held = {"hold_music": node.path_on_switch(music.path)} if music else {}
    return {"vats_call": call.id, "vats_account": str(account.id), "vats_role": role, **held, **key_filter(call.snapshot, leg)}


def key_filter(snapshot: Snapshot, leg: Leg) -> dict[str, str]:
    """What keeps an employee's keys from passing to the other party by themselves: they may be a code (R21)."""
    codes = snapshot.codes.feature_codes()
    heard = any(patterns for feature, patterns in codes.items() if feature not in DIALLED)
    return {"bridge_filter_dtmf": "true"} if heard and leg.contact else {}
