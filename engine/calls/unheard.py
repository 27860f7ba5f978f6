# SPDX-License-Identifier: Apache-2.0
"""What a call has not heard while nobody listened, told by its channels themselves: answers, holds, transfers, ends of playbacks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from engine.calls.leg import LegState
from engine.calls.live import LiveCall
from engine.calls.node import Node
from engine.esl.event import Event

_TRANSFER = re.compile(r"(?P<at>\d+):[^:]*:bl_xfer:(?P<number>[^/]+)/(?!vats/)")
"""How the switch notes a transfer: epoch second, channel, where to. Into the context "vats" go only our own dead-man timers."""
BRIDGED_STATES = ("CS_EXCHANGE_MEDIA", "CS_SOFT_EXECUTE", "CS_HIBERNATE")


def catch_up(node: Node, call: LiveCall, playing: frozenset[str], dumps: Mapping[str, Event]) -> None:
    """After a broken connection: tell the call what it has missed, and the switch what it has. `dumps`: its channels as they are now;
    `playing`: playbacks whose end may have come meanwhile."""
    sent = sent_on(call, dumps)
    if sent is not None:
        dump = dumps[sent[0].uuid]
        if is_parked(dump):  # else its PARK is heard yet
            node.on_event(replace(dump, name="CHANNEL_PARK"))
        return
    for state in [s for s in call.open_legs() if s.uuid in dumps]:
        dump = dumps[state.uuid]
        if state.held != (dump.call_state == "HELD"):
            call.feed(replace(dump, name="CHANNEL_UNHOLD" if state.held else "CHANNEL_HOLD"), state)
        if state.released:
            node.switch.kill(state.uuid)
        elif state.direction == "out" and not state.ready and is_parked(dump) and state.leg != call.party:
            for name in ("CHANNEL_ANSWER", "CHANNEL_PARK"):
                call.feed(replace(dump, name=name), state)
        elif state.leg == call.party:
            call.expect_end(playing)
            pair = {dumps[u].channel_state for u in (state.uuid, state.peer) if u in dumps}
            if state.peer in dumps and not pair & set(BRIDGED_STATES):
                node.switch.bridge(state.uuid, state.peer)


def is_parked(dump: Event) -> bool:
    """Whether the channel waits for orders now. A bridged one keeps the name of its last application."""
    return dump.channel_state == "CS_EXECUTE" and dump.current_application == "park"


def talking_since(call: LiveCall) -> datetime | None:
    """Since when the parties talked when the last engine died; None when they did something else."""
    telling = ("talk", "talk_over", "transfer_asked", "hold_expired", "enters")
    at, last = next(((at, s.what) for at, s in reversed(call.steps) if s.what in telling), (call.started_at, ""))
    return at if last == "talk" else None


def sent_on(call: LiveCall, dumps: Mapping[str, Event]) -> tuple[LegState, str] | None:
    """The leg that a phone has sent to a number (REFER) since the last thing that the journal knows, and the number."""
    since = talking_since(call)
    if since is None:
        return None
    for state in call.open_legs():
        found = _TRANSFER.match(dumps[state.uuid].transfer_source) if state.uuid in dumps else None
        if found is not None and int(found["at"]) >= int(since.timestamp()):
            return state, found["number"]
    return None
