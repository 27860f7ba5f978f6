# SPDX-License-Identifier: Apache-2.0
"""Two channels talking: the bridge itself, uuid_bridge's way into it, and what each leg does when it ends."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from engine.embedded import hold
from engine.embedded.channel import Channel, Why
from engine.embedded.player import Layer
from engine.embedded.profile import now_us
from engine.embedded.record import State

if TYPE_CHECKING:
    from engine.embedded.switch import Switch

log = logging.getLogger(__name__)

_WAIT_FOR_OTHER = 10.0


class Bridge:
    """From CHANNEL_BRIDGE to CHANNEL_UNBRIDGE; `a` is the leg whose task leads."""

    def __init__(self, a: Channel, b: Channel) -> None:
        self.a = a
        self.b = b
        self.over = False
        self._music: dict[str, Layer] = {}
        self._filtered: set[str] = set()
        """Legs whose keys the other one does not hear."""

    def passes_keys(self, channel: Channel) -> bool:
        return channel.uuid not in self._filtered

    def other(self, channel: Channel) -> Channel:
        return self.b if channel is self.a else self.a

    def begin(self) -> None:
        now = now_us()
        for leg, peer in ((self.a, self.b), (self.b, self.a)):
            leg.bridge = self
            leg.partner_uuid = peer.uuid
            leg.profile.times.bridged = now
            for name in ("bridge_uuid", "signal_bond", "last_bridge_to"):
                leg.set(name, peer.uuid)
            leg.set("bridge_channel", peer.name)
        self.b.set("call_uuid", self.a.uuid)
        self.a.other(self.b, "originatee")
        self.b.other(self.a, "originator")
        self.a.fire("CHANNEL_BRIDGE", self._ids())
        one, two = self.a.media.stream, self.b.media.stream
        if one is not None and two is not None:
            # as in FreeSWITCH, each leg's own variable keeps its keys from the other one; their events come all the same
            self._filtered = {leg.uuid for leg in (self.a, self.b) if leg.is_true("bridge_filter_dtmf")}
            one.bridge(two, pass_dtmf=self.passes_keys(self.a), pass_others=self.passes_keys(self.b))
        self.hold_changed()
        self.watch()
        self.a.changed()
        self.b.changed()

    def end(self) -> None:
        """Stop the sound between the two; each leg's task sees `over`."""
        if self.over:
            return
        self.over = True
        if self.a.media.stream is not None:
            self.a.media.stream.unbridge()
        for uuid, layer in self._music.items():
            leg = self.a if uuid == self.a.uuid else self.b
            if leg.media.player is not None:
                leg.media.player.remove(layer)
        self._music.clear()
        for leg, peer in ((self.a, self.b), (self.b, self.a)):
            if leg.media.stream is not None:
                leg.media.stream.watch(None)
            leg.bridge = None
            leg.partner_uuid = ""
            leg.set("bridge_uuid", None)
            if peer.cause:
                leg.set("bridge_hangup_cause", peer.cause)
                leg.set("last_bridge_hangup_cause", peer.cause)
                leg.notify()
        self.b.set("call_uuid", self.b.uuid)
        self.a.notify()
        self.b.notify()

    def unbridged(self) -> None:
        self.a.fire("CHANNEL_UNBRIDGE", self._ids())

    def _ids(self) -> dict[str, str | list[str]]:
        return {"Bridge-A-Unique-ID": self.a.uuid, "Bridge-B-Unique-ID": self.b.uuid}

    # -- phones that are gone ----------------------------------------------------------------------------------------

    def watch(self) -> None:
        """A phone that has lost its power says no BYE: without RTP from it the talk ends.

        Only in a talk: whoever listens to a menu or waits in a queue may be silent for good reasons (silence suppression,
        a NAT that lets our sound through and his not), and those end by their own limits. A hold is a long silence, for the
        one who is held too.
        """
        config = self.a.switch.config
        held = bool(self.a.hold_started or self.b.hold_started)
        limit = config.rtp_hold_timeout_seconds if held else config.rtp_timeout_seconds
        for leg in (self.a, self.b):
            if leg.media.stream is not None:
                leg.media.stream.watch(limit if limit and leg.answered else None)

    # -- music -------------------------------------------------------------------------------------------------------

    def hold_changed(self) -> None:
        """A leg that holds gives its music to the other one, unless that one holds too."""
        for leg, peer in ((self.a, self.b), (self.b, self.a)):
            wanted = bool(peer.hold_started) and not leg.hold_started and bool(hold.music_of(peer))
            layer = self._music.get(leg.uuid)
            player = leg.media.player
            if wanted and layer is None and player is not None:
                self._music[leg.uuid] = player.put_under(leg.switch.media.source(hold.music_of(peer)))
            elif not wanted and layer is not None and player is not None:
                player.remove(layer)
                del self._music[leg.uuid]

    def music_for(self, channel: Channel) -> Callable[[], None] | None:
        """Music to the other leg while `channel` is busy with something else; call the result to end it."""
        peer = self.other(channel)
        music = hold.music_of(channel)
        player = peer.media.player
        if not music or player is None:
            return None
        layer = player.put_under(channel.switch.media.source(music))
        return lambda: player.remove(layer)


async def lead(a: Channel, b: Channel) -> bool:
    """Be bridged as the leading leg until one side ends it; True when the bridge came to be.

    Afterwards `a` is parked, hung up or free to go on, as its variables say.
    """
    bridge = Bridge(a, b)
    if b.answered and not a.answered and a.direction == "inbound":
        a.answer()
    if a.is_down() or b.is_down():
        return False
    bridge.begin()
    b.redirect(State.EXCHANGE_MEDIA)
    wake = a.notify
    b.observers.append(wake)
    while True:
        # early media has bridged them: the answer is passed on when it comes
        why = await a.wait(lambda: bridge.over or (b.answered and not a.answered), breakable=False)
        if why is not Why.DONE or bridge.over or not a.answer():
            break
    b.observers.remove(wake)
    redirected = why is Why.GONE and not a.is_down()
    bridge.end()
    bridge.unbridged()
    if not a.is_down() and not redirected:
        _after(a, b)
    return True


def _after(a: Channel, b: Channel) -> None:
    """What FreeSWITCH does with A when the bridge is over and nobody has sent A elsewhere."""
    if b.get("proto_specific_hangup_cause"):
        a.set("last_bridge_proto_specific_hangup_cause", b.get("proto_specific_hangup_cause"))
    if (b.answered and a.is_true("park_after_bridge")) or a.is_true("park_after_early_bridge"):
        a.redirect(State.PARK)
    elif b.answered and (target := a.get("transfer_after_bridge")):
        words = target.split(":")
        a.switch.transfer(a, words[0], words[1] if len(words) > 1 else "", words[2] if len(words) > 2 else "")
    elif b.answered and (a.is_true("hangup_after_bridge") or a.get("hangup_after_bridge") == "explicit"):
        a.hangup(b.cause or "NORMAL_CLEARING")


async def follow(b: Channel) -> None:
    """The state CS_EXCHANGE_MEDIA: be the other leg of a bridge that somebody else leads."""
    bridge = b.bridge
    if bridge is None:
        b.hangup("DESTINATION_OUT_OF_ORDER")
        return
    why = await b.wait(lambda: bridge.over, breakable=False)
    bridge.end()
    if why is Why.GONE:
        return
    if b.is_true("park_after_bridge"):
        b.redirect(State.PARK)
    elif target := b.get("transfer_after_bridge"):
        b.switch.transfer(b, target, "", "")
    else:
        b.hangup("NORMAL_CLEARING" if b.answered else "ORIGINATOR_CANCEL")


def order(switch: Switch, one: str, other: str) -> bool:
    """uuid_bridge: take both channels out of what they do and join them; False when that can't be begun."""
    a, b = switch.channels.get(one), switch.channels.get(other)
    if a is None or b is None or a is b or a.is_down() or b.is_down():
        return False
    if not a.media.ready or not (a.answered or a.early):
        if not (b.media.ready and (b.answered or b.early)):
            log.warning("uuid_bridge %s %s: neither channel has media", one, other)
            return False
        a, b = b, a
    moment = int(time.time())
    for leg, peer in ((a, b), (b, a)):
        leg.set("bridge_channel", peer.name)
        leg.set("bridge_uuid", peer.uuid)
        leg.set("signal_bond", peer.uuid)
        leg.set("original_destination_number", leg.profile.destination_number)
        leg.set("original_caller_id_name", leg.profile.caller_id_name)
        leg.set("original_caller_id_number", leg.profile.caller_id_number)
        leg.step_profile(transfer_source=f"{moment}:{leg.uuid}:uuid_br:{peer.uuid}")
        leg.set("transfer_source", leg.profile.transfer_source)
        leg.push("transfer_history", leg.profile.transfer_source)
        leg.forget_queued()  # music ordered a moment ago for a leg that was to wait must not be played in the talk
    abandon(switch, a.uuid)
    abandon(switch, b.uuid)
    switch.joining[a.uuid] = b.uuid
    # the one that follows stands still until the leading one takes it
    b.redirect(State.HIBERNATE)
    a.redirect(State.SOFT_EXECUTE)
    return True


def abandon(switch: Switch, uuid: str) -> None:
    """The channel that should have led a bridge goes elsewhere: free the one that waits for it."""
    waiting = switch.channels.get(switch.joining.pop(uuid, ""))
    if waiting is not None and waiting.state is State.HIBERNATE:
        _left_alone(waiting)


def _left_alone(channel: Channel) -> None:
    if channel.is_true("park_after_bridge"):
        channel.redirect(State.PARK)
    else:
        channel.hangup("DESTINATION_OUT_OF_ORDER")


async def join(a: Channel) -> None:
    """The state CS_SOFT_EXECUTE: lead the bridge that uuid_bridge has ordered."""
    b = a.switch.channels.get(a.switch.joining.pop(a.uuid, ""))
    if b is None or b.is_down() or b.state is not State.HIBERNATE:
        _left_alone(a)
        return
    if not await _settled(a, b):
        return
    for leg, peer in ((a, b), (b, a)):
        leg.application, leg.application_data = "uuid_bridge", peer.uuid
        leg.fire("CHANNEL_EXECUTE", {"Application": "uuid_bridge", "Application-Data": peer.uuid})
    epoch = a.epoch
    await lead(a, b)
    if not a.is_down() and a.epoch == epoch:
        a.redirect(State.EXECUTE)


async def _settled(a: Channel, b: Channel) -> bool:
    """Wait until `b` has left its application and has media; False when there will be no bridge (both are seen to)."""

    def at_hand() -> bool:
        return b.state is not State.HIBERNATE or b.running_state is State.HIBERNATE

    def has_media() -> bool:
        return b.state is not State.HIBERNATE or b.answered or b.early

    b.observers.append(a.notify)
    why = await a.wait(at_hand, until=a.switch.loop.time() + _WAIT_FOR_OTHER, nested=False)
    if why is Why.DONE and not has_media():
        if b.direction == "inbound":
            # FreeSWITCH gives up here: an unanswered caller can't be waited for
            b.hangup("DESTINATION_OUT_OF_ORDER")
        else:
            why = await a.wait(has_media)
    b.observers.remove(a.notify)
    if why is Why.DONE and b.state is State.HIBERNATE:
        return True
    if why is Why.GONE:
        if b.state is State.HIBERNATE:
            _left_alone(b)
    elif b.is_down():
        a.hangup("ORIGINATOR_CANCEL")
    else:
        _left_alone(a)
    return False
