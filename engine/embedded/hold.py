# SPDX-License-Identifier: Apache-2.0
"""Hold: a phone's re-INVITE becomes CHANNEL_HOLD or CHANNEL_UNHOLD and music for the other party; uuid_hold does it from our side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.embedded.profile import now_us

if TYPE_CHECKING:
    from engine.embedded.channel import Channel


def check(channel: Channel) -> None:
    """After a new description from the phone: has it begun or ended a hold?"""
    holding = channel.media.holding
    if channel.media.held_by_us or holding == bool(channel.hold_started) or channel.is_down():
        return
    if holding:
        mark(channel)
    else:
        unmark(channel)


def mark(channel: Channel) -> None:
    channel.hold_started = now_us()
    channel.profile.times.last_hold = channel.hold_started
    channel.set_callstate("HELD")
    channel.fire("CHANNEL_HOLD")
    if channel.bridge is not None:
        channel.bridge.hold_changed()
        channel.bridge.watch()


def unmark(channel: Channel) -> None:
    if not channel.hold_started:
        return
    channel.profile.times.hold_accum += now_us() - channel.hold_started
    channel.hold_started = 0
    channel.set_callstate("ACTIVE")
    channel.fire("CHANNEL_UNHOLD")
    if channel.bridge is not None:
        channel.bridge.hold_changed()
        channel.bridge.watch()


def music_of(channel: Channel) -> str:
    """What the other party hears while this channel holds; "" = nothing.

    The variables of the one who holds decide, as in switch_channel_get_hold_music: a stream, a file, `silence`.
    """
    chosen = channel.get("temp_hold_music") or channel.get("hold_music")
    music = (channel.expand(chosen) if chosen else "") or channel.switch.config.hold_music
    return "" if music.lower() == "silence" else music


def order(channel: Channel, on: bool) -> bool:
    """uuid_hold: ask the phone by re-INVITE; True when it could be asked."""
    if channel.is_down() or not channel.answered or channel.leg is None:
        return False
    if on == channel.media.held_by_us:
        return True
    channel.media.held_by_us = on
    channel.leg.reinvite()
    if on:
        mark(channel)
    else:
        unmark(channel)
    return True
