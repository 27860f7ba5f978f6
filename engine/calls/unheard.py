# SPDX-License-Identifier: Apache-2.0
"""What a call has not heard while nobody listened, told by its channels themselves: answers, holds, transfers, ends of playbacks."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from engine.calls.faxes import APPLICATION
from engine.calls.last_steps import talking_since
from engine.calls.leg import LegState
from engine.calls.live import LiveCall
from engine.calls.node import Node
from engine.esl.event import Event

_TRANSFER = re.compile(r"(?P<at>\d+):[^:]*:bl_xfer:(?P<number>[^/]+)/(?!vats/)")
"""How the switch notes a transfer: epoch second, channel, where to. Into the context "vats" go only our own dead-man timers."""
BRIDGED_STATES = ("CS_EXCHANGE_MEDIA", "CS_SOFT_EXECUTE", "CS_HIBERNATE")


@dataclass(frozen=True, slots=True)
class Taken:
    """A call of an earlier engine, with its living channels as they are now."""

    call: LiveCall
    dumps: Mapping[str, Event]


def rejoin(node: Node, taken: Collection[Taken]) -> None:
    """After a restart: phones have joined legs of two calls while nobody listened (REFER with Replaces); one call has both now.

    That is the call whose served party is one of them; when neither is, both parties were the phone's own legs, which have left or are
    about to: the older one.
    """
    for served in (True, False):
        for one in sorted(taken, key=lambda t: t.call.started_at):
            party = one.call.legs.get(one.call.party.id)
            if served and (party is None or not party.alive):
                continue
            for state in [party] if served and party is not None else [s for s in one.call.open_legs() if s is not party]:
                bond = _bond(one.dumps.get(state.uuid))
                with_whom = node.crossings.adopt(one.call, bond) if bond and bond not in one.call.legs else None
                if with_whom is None:
                    continue
                if not served:
                    one.call.gone = False  # its party has left it to those who remain
                    one.call.serve(state.leg)
                state.peer, with_whom.peer = with_whom.uuid, state.uuid
                one.call.talks(with_whom)


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
            for name in ("CHANNEL_ANSWER", "CHANNEL_PARK") if dump.answer_state == "answered" else ("CHANNEL_PARK",):
                call.feed(replace(dump, name=name), state)
        elif state.early and not state.ready and dump.answer_state == "answered":
            call.feed(replace(dump, name="CHANNEL_ANSWER"), state)
        elif state.leg == call.party:
            call.expect_end(playing)
            hear_of_message(call, dump)
            hear_of_fax(call, dump)
            if (bond := _bond(dump)) and bond not in call.legs:
                call.joins.seen(state.uuid, bond)
            pair = {dumps[u].channel_state for u in (state.uuid, state.peer) if u in dumps}
            if state.peer in dumps and not pair & set(BRIDGED_STATES):
                node.switch.bridge(state.uuid, state.peer)


def _bond(dump: Event | None) -> str:
    """The channel that this one is joined with; "" when it is not."""
    return dump.bridge_uuid if dump is not None and dump.channel_state in BRIDGED_STATES else ""


def hear_of_message(call: LiveCall, dump: Event) -> None:
    """A message that is no longer being recorded on the party's channel has ended unheard of."""
    message = call.message
    if message is not None and dump.current_application != "record":
        call.messages.stopped(message.path, dump.record_ms / 1000, by_silence=dump.by_silence)


def hear_of_fax(call: LiveCall, dump: Event) -> None:
    """A fax that is no longer being received on the party's channel has ended unheard of."""
    if call.faxes.running and dump.current_application != APPLICATION:
        call.faxes.told(dump)


def is_parked(dump: Event) -> bool:
    """Whether the channel waits for orders now. A bridged one keeps the name of its last application."""
    return dump.channel_state == "CS_EXECUTE" and dump.current_application == "park"


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
